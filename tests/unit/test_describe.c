#include <stdlib.h>
#include <string.h>

#include "core/tree/describe.h"
#include "core/tree/tree_json.h"
#include "tests/unit/unit.h"

static char *describe(const char *name)
{
    char path[4096], *text = NULL;
    struct error err;
    struct tree *tree;
    size_t size;
    FILE *file;

    (void)snprintf(path, sizeof path, SOURCE_ROOT "/etc/trees/%s.json", name);
    ck_assert_int_eq(tree_load(&tree, path, NULL, 0, &err), 0);
    file = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(describe_tree(file, tree), 0);
    (void)fclose(file);
    tree_free(tree);
    return text;
}

START_TEST(test_notebook)
{
    static const char expected[] =
        "Tree \"notebook\"; labels news, socialmedia, videostreaming; short lists are filled up with zeros\n"
        "----------------------------------------------------------------------------------------------------"
        "--\n"
        "Element           Input                               Layers                Output          "
        "Parameters\n"
        "===================================================================================================="
        "==\n"
        "root              pkt, ip_out, ip_id_out, ip_in,      dense 10, relu       (10)                   "
        "540\n"
        "                  ip_id_in, bytes_in, bytes_out,      dense 10, relu       (10)                   "
        "110\n"
        "                  num_pkts_in, num_pkts_out, duration dense 10, relu       (10)                   "
        "110\n"
        "                                                      dense 3, softmax     (3)                     "
        "33\n"
        "  pkt             each of packets: b, out, ipt        lstm 16              (16)                 "
        "1,344\n"
        "  ip_out          ip.out.ttl                          embedding 256 x 8    (8)                  "
        "2,048\n"
        "  ip_id_out       each of ip.out.id: id               lstm 8               (8)                    "
        "352\n"
        "  ip_in           ip.in.ttl                           embedding 256 x 8    (8)              as "
        "ip_out\n"
        "  ip_id_in        each of ip.in.id: id                lstm 8               (8)           as "
        "ip_id_out\n"
        "----------------------------------------------------------------------------------------------------"
        "--\n"
        "Parameters: 4,537\n";
    char *text = describe("notebook");

    ck_assert_str_eq(text, expected);
    free(text);
}
END_TEST

START_TEST(test_flowtree)
{
    char *text = describe("flowtree");

    ck_assert_ptr_nonnull(strstr(text, "Parameters: 8,979\nConstants of the standardised columns: 60\n"));
    ck_assert_ptr_nonnull(strstr(text, "dropout 0.2"));
    ck_assert_ptr_nonnull(strstr(text, "each of packets, first 16, side by"));
    ck_assert_ptr_null(strstr(text, " \n"));
    free(text);
}
END_TEST

int main(void)
{
    return UNIT_RUN("describe", test_notebook, test_flowtree);
}
