#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/tree/model_file.h"
#include "core/tree/tree_json.h"
#include "tests/unit/random_tree.h"
#include "tests/unit/unit.h"

static char directory[] = "/tmp/test_model_file.XXXXXX";

static struct model *small_model(void)
{
    static const char text[] =
        "{\"format\": 1, \"name\": \"t\", \"root\": {\"name\": \"root\", \"input\": {\"select\": [\"udp\"], "
        "\"standardise\": {}}, \"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}";
    struct error err;
    struct tree *tree;
    struct model *model;

    ck_assert_int_eq(tree_parse(&tree, "FILE", text, sizeof text - 1, NULL, 0, &err), 0);
    ck_assert_int_eq(model_new(&model, tree, 7), 0);
    return model;
}

static void check_equal(const struct model *a, const struct model *b)
{
    ck_assert_str_eq(a->tree->json, b->tree->json);
    ck_assert_mem_eq(a->weights, b->weights, a->tree->n_weights * sizeof *a->weights);
    if (a->tree->n_constant_values > 0)
        ck_assert_mem_eq(a->constants, b->constants, a->tree->n_constant_values * sizeof *a->constants);
    ck_assert_double_eq(a->temperature, b->temperature);
    ck_assert_mem_eq(a->thresholds, b->thresholds, sizeof a->thresholds);
    ck_assert_str_eq(a->training == NULL ? "" : a->training, b->training == NULL ? "" : b->training);
    ck_assert_str_eq(a->parent, b->parent);
    ck_assert_str_eq(a->id, b->id);
}

START_TEST(test_there_and_back)
{
    struct random random = {.state = 2};
    struct error err;

    for (int i = 0; i < 30; i++) {
        struct model *model, *again;
        char path[256];

        ck_assert_int_eq(model_new(&model, random_tree(&random), random_next(&random)), 0);
        (void)snprintf(path, sizeof path, "%s/model", directory);
        model->temperature = 1.0 / 3;
        /* Confidences are floats, and 15 digits would put some thresholds above their own. */
        model->thresholds[0] = (double)(float)random_unit(&random);
        model->thresholds[1] = (double)(float)random_unit(&random);
        model->training = i % 2 == 0 ? strdup("{\"seed\": 4, \"note\": \"\\\"quoted\\\"\"}") : NULL;
        (void)strcpy(model->parent, i % 3 == 0 ? "0123456789ab" : "");
        ck_assert_int_eq(model_save(model, path, &err), 0);
        ck_assert_uint_eq(strlen(model->id), MODEL_ID_LENGTH);
        ck_assert_msg(model_load(&again, path, &err) == 0, "%s", err.text);
        check_equal(model, again);
        model_free(again);
        model_free(model);
    }
}
END_TEST

static const char *nowhere_directory(void)
{
    static char path[256];

    (void)snprintf(path, sizeof path, "%s/in_the_way", directory);
    return path;
}

static int count_files(void)
{
    struct dirent **entries;
    int n = scandir(directory, &entries, NULL, NULL);

    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    return n - 2; /* "." and ".." */
}

/* What is written beside the file is gone, and a failure leaves the file as it was. */
START_TEST(test_replacing)
{
    struct model *model = small_model(), *again;
    char path[256], nowhere[300];
    struct error err;
    struct stat status;

    (void)snprintf(path, sizeof path, "%s/model", directory);
    ck_assert_int_eq(model_save(model, path, &err), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0644);
    (void)snprintf(nowhere, sizeof nowhere, "%s/none/model", directory);
    ck_assert_int_eq(model_save(model, nowhere, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, nowhere));
    ck_assert_int_eq(model_load(&again, nowhere, &err), -ENOENT);
    ck_assert_int_eq(model_load(&again, directory, &err), -EISDIR);
    ck_assert_int_eq(mkdir(nowhere_directory(), 0700), 0);
    ck_assert_int_lt(model_save(model, nowhere_directory(), &err), 0); /* a directory is in the way */
    ck_assert_int_eq(rmdir(nowhere_directory()), 0);
    ck_assert_int_eq(count_files(), 1);
    model_free(model);
}
END_TEST

/* Change a text inside the header for one of the same length. */
static void change(uint8_t *bytes, size_t size, const char *from, const char *to)
{
    uint8_t *at = memmem(bytes, size, from, strlen(from));

    ck_assert_msg(at != NULL, "\"%s\" is not in the file", from);
    ck_assert_uint_eq(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

/* A change of the header and the message it gives. The file holds root/dense0/W (3, 1), root/dense0/b (3),
 * root/normalise/mean (1) and root/normalise/scale (1). */
static const struct {
    const char *from, *to, *message;
} damages[] = {
    {"\"dtype\":\"F32\"", "\"dtype\":\"F16\"", "FILE: root/dense0/W: dtype is not \"F32\""},
    {"\"shape\":[3,1]", "\"shape\":[1,3]", "FILE: root/dense0/W.shape: not [3,1]"},
    {"\"shape\":[3]", "\"shape\":[4]", "FILE: root/dense0/b.shape: not [3]"},
    {"[0,12]", "[0,11]", "FILE: root/dense0/W.data_offsets: 11 octets, not 12"},
    {"[0,12]", "[9,-1]", "FILE: root/dense0/W.data_offsets[1]: -1 is not within 9..32"},
    {"[12,24]", "[11,23]", "FILE: root/dense0/b: begins at octet 11, the tensor before ends at 12: overlap"},
    {"[24,28]", "[25,29]",
     "FILE: root/normalise/mean: begins at octet 25, the tensor before ends at 24: hole"},
    {"[28,32]", "[28,99]", "FILE: root/normalise/scale.data_offsets[1]: 99 is not within 28..32"},
    {"root/dense0/b", "root/dense0/W", "FILE: key \"root/dense0/W\" twice"},
    {"root/dense0/b", "root/dense0/c", "FILE: root/dense0/c: the tree has no such tensor"},
    {"\"shape\":[3],", "\"shade\":[3],", "FILE: root/dense0/b: unknown key \"shade\""},
    {"__metadata__", "__metagaga__", "FILE: __metadata__: missing"},
    {"\"format\":\"1\"", "\"format\":\"2\"", "FILE: __metadata__: format \"2\"; this program knows format 1"},
    {"\"parent\"", "\"colour\"", "FILE: __metadata__: unknown key \"colour\""},
    {"\"temperature\":\"1\"", "\"temperature\":\"0\"",
     "FILE: __metadata__.temperature: \"0\" is not a number above 0"},
    {"[0,0,0]", "[0,9,0]", "FILE: __metadata__.thresholds: threshold 1 is not within 0 and 1"},
    {"[0,0,0]", "[0,100]", "FILE: __metadata__.thresholds: not an array of one number a label"},
    {"\"[\\\"news\\\"", "\"[\\\"newt\\\"",
     "FILE: __metadata__.labels: label 0 is not \"news\" as in the tree"},
    {"\\\"udp\\\"", "\\\"upd\\\"",
     "FILE: __metadata__.tree: root.input.select[0]: a record has no field \"upd\""},
};

START_TEST(test_damages)
{
    struct model *model = small_model(), *again;
    struct error err;
    uint8_t *bytes;
    size_t size;

    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        ck_assert_int_eq(model_print(model, &bytes, &size), 0);
        change(bytes, size, damages[i].from, damages[i].to);
        ck_assert_int_eq(model_parse(&again, "FILE", bytes, size, &err), -EBADMSG);
        ck_assert_str_eq(err.text, damages[i].message);
        free(bytes);
    }
    model_free(model);
}
END_TEST

/* A value in the buffer, counted from the end in floats. */
static void put_float(uint8_t *bytes, size_t size, size_t from_end, float value)
{
    memcpy(bytes + size - from_end * sizeof value, &value, sizeof value);
}

START_TEST(test_bad_numbers)
{
    static const struct {
        size_t from_end;
        float value;
        const char *message;
    } bad[] = {
        {8, NAN, "FILE: root/dense0/W: value 0 is not finite"},
        {3, -INFINITY, "FILE: root/dense0/b: value 2 is not finite"},
        {2, NAN, "FILE: root/normalise/mean: value 0 is not finite"},
        {1, 0, "FILE: root/normalise/scale: value 0 is not above 0"},
    };
    struct model *model = small_model(), *again;
    struct error err;
    uint8_t *bytes;
    size_t size;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(model_print(model, &bytes, &size), 0);
        put_float(bytes, size, bad[i].from_end, bad[i].value);
        ck_assert_int_eq(model_parse(&again, "FILE", bytes, size, &err), -EBADMSG);
        ck_assert_str_eq(err.text, bad[i].message);
        free(bytes);
    }
    model_free(model);
}
END_TEST

/* Cut anywhere, a file is refused; so is one that goes on. */
START_TEST(test_lengths)
{
    struct model *model = small_model(), *again;
    struct error err;
    uint8_t *bytes, *longer;
    size_t size;

    ck_assert_int_eq(model_print(model, &bytes, &size), 0);
    for (size_t cut = 0; cut < size; cut++)
        ck_assert_int_eq(model_parse(&again, "FILE", bytes, cut, &err), -EBADMSG);
    longer = calloc(1, size + 4);
    ck_assert_ptr_nonnull(longer);
    memcpy(longer, bytes, size);
    ck_assert_int_eq(model_parse(&again, "FILE", longer, size + 4, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "FILE: 4 octets follow the last tensor");
    bytes[2] = 0x11; /* a header above 1 MiB */
    ck_assert_int_eq(model_parse(&again, "FILE", bytes, size, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.text, "not a model: a header of"));
    free(longer);
    free(bytes);
    model_free(model);
}
END_TEST

/* Fresh weights: decided by the seed, as Keras draws them. */
START_TEST(test_fresh_weights)
{
    static const char text[] =
        "{\"format\": 1, \"name\": \"t\", \"root\": {\"name\": \"root\", \"input\": {\"each\": \"packets\", "
        "\"select\": [\"b\", \"out\", \"ipt\"]}, \"layers\": [{\"lstm\": 16}, "
        "{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}";
    struct error err;
    struct tree *tree;
    struct model *model, *same, *other;
    const float *wx, *wh, *bh;
    float largest = 0;

    ck_assert_int_eq(tree_parse(&tree, "FILE", text, sizeof text - 1, NULL, 0, &err), 0);
    ck_assert_int_eq(model_new(&model, tree, 11), 0);
    ck_assert_int_eq(tree_parse(&tree, "FILE", text, sizeof text - 1, NULL, 0, &err), 0);
    ck_assert_int_eq(model_new(&same, tree, 11), 0);
    ck_assert_mem_eq(model->weights, same->weights, tree->n_weights * sizeof(float));
    ck_assert_int_eq(tree_parse(&tree, "FILE", text, sizeof text - 1, NULL, 0, &err), 0);
    ck_assert_int_eq(model_new(&other, tree, 12), 0);
    ck_assert_mem_ne(model->weights, other->weights, tree->n_weights * sizeof(float));
    wx = model->weights + tree_tensor(model->tree, "root/lstm/Wx")->offset;
    wh = model->weights + tree_tensor(model->tree, "root/lstm/Wh")->offset;
    bh = model->weights + tree_tensor(model->tree, "root/lstm/bh")->offset;
    for (size_t i = 0; i < 64 * 3; i++)
        largest = fmaxf(largest, fabsf(wx[i]));
    ck_assert(largest <= sqrtf(6.F / 67) && largest > 0.9F * sqrtf(6.F / 67));
    for (size_t a = 0; a < 16; a++)
        for (size_t b = 0; b < 16; b++) {
            double product = 0;

            for (size_t i = 0; i < 64; i++)
                product += (double)wh[i * 16 + a] * (double)wh[i * 16 + b];
            ck_assert_double_eq_tol(product, a == b ? 1 : 0, 1e-6);
        }
    for (size_t i = 0; i < 64; i++)
        ck_assert_float_eq(bh[i], i >= 16 && i < 32 ? 1 : 0);
    model_free(other);
    model_free(same);
    model_free(model);
}
END_TEST

int main(void)
{
    char path[256];
    int status;

    if (mkdtemp(directory) == NULL)
        return EXIT_FAILURE;
    status = UNIT_RUN("model_file", test_there_and_back, test_replacing, test_damages, test_bad_numbers,
                      test_lengths, test_fresh_weights);
    (void)snprintf(path, sizeof path, "%s/model", directory);
    (void)unlink(path);
    (void)rmdir(directory);
    return status;
}
