#include "daemon/ctl_top.h"

#include <string.h>

#include "tests/unit/unit.h"

static void add(struct ctl_top_sums *sums, const char *label, const char *host, unsigned bytes)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"dest_ip\":\"%s\",\"flow\":{\"bytes_toserver\":%u,\"bytes_toclient\":1},"
                   "\"flowclass\":{\"label\":\"%s\"}}",
                   host, bytes - 1, label);
    cJSON *line = cJSON_Parse(text);
    ctl_top_add(sums, line);
    cJSON_Delete(line);
}

START_TEST(flows_add_up_by_label_and_host)
{
    struct ctl_top_sums *sums = calloc(1, sizeof *sums);

    add(sums, "news", "192.0.2.1", 100);
    add(sums, "unknown", "192.0.2.2", 5000);
    add(sums, "news", "192.0.2.2", 200);
    ctl_top_sort(sums);
    ck_assert_uint_eq(sums->n_labels, 2);
    ck_assert_str_eq(sums->labels[0].name, "unknown");
    ck_assert_str_eq(sums->labels[1].name, "news");
    ck_assert_double_eq(sums->labels[1].flows, 2);
    ck_assert_double_eq(sums->labels[1].bytes, 300);
    ck_assert_str_eq(sums->hosts[0].name, "192.0.2.2");
    ck_assert_double_eq(sums->hosts[0].bytes, 5200);
    free(sums);
}
END_TEST

START_TEST(more_hosts_than_rows_share_the_last)
{
    struct ctl_top_sums *sums = calloc(1, sizeof *sums);
    double flows = 0;
    char host[32];

    for (int i = 0; i < 2 * CTL_TOP_HOSTS; i++) {
        (void)snprintf(host, sizeof host, "198.18.%d.%d", i / 256, i % 256);
        add(sums, "news", host, 10);
    }
    ck_assert_uint_eq(sums->n_hosts, CTL_TOP_HOSTS);
    ck_assert_str_eq(sums->hosts[CTL_TOP_HOSTS - 1].name, "(others)");
    for (size_t i = 0; i < sums->n_hosts; i++)
        flows += sums->hosts[i].flows;
    ck_assert_double_eq(flows, 2 * CTL_TOP_HOSTS);
    free(sums);
}
END_TEST

START_TEST(a_screen_says_what_matters)
{
    struct ctl_top_sums *sums = calloc(1, sizeof *sums);
    cJSON *stats =
        cJSON_Parse("{\"version\":\"1.2\",\"uptime_seconds\":60,\"packets\":{\"seen\":12345,\"dropped\":7},"
                    "\"flows\":{\"active\":3,\"memory\":4096},\"verdicts\":{\"waiting\":1,"
                    "\"not_classified\":2,\"lost\":9},\"classifier\":{\"engine\":\"cpu\","
                    "\"fallen_back\":true,\"model\":\"0123456789ab\"}}");
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    add(sums, "news", "192.0.2.1", 1000);
    add(sums, "news", "192.0.2.9", 500);
    ctl_top_sort(sums);
    ctl_top_print(to, sums, stats, 2, 1);
    (void)fclose(to);
    ck_assert_ptr_nonnull(strstr(text, "model 0123456789ab   engine cpu (fallen back)"));
    ck_assert_ptr_nonnull(strstr(text, "packets 12.3K, dropped 7   flows active 3 (4.1K)"));
    ck_assert_ptr_nonnull(strstr(text, "waiting 1, not classified 2, lost 9"));
    ck_assert_ptr_nonnull(
        strstr(text, "\nnews                                            2      1.5K      6.0K\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n192.0.2.1 "));
    ck_assert_ptr_null(strstr(text, "192.0.2.9")); /* only one row asked for */
    free(text);
    cJSON_Delete(stats);
    free(sums);
}
END_TEST

int main(void)
{
    return UNIT_RUN("ctl_top", flows_add_up_by_label_and_host, more_hosts_than_rows_share_the_last,
                    a_screen_says_what_matters);
}
