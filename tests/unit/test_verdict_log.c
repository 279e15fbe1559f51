#include "daemon/verdict_log.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/unit/unit.h"

static struct record record;
static const struct record *records[1] = {&record};
static struct verdict verdict;
static struct tree tree;
static struct model model;
static struct served_model served;
static struct flow_batch batch;
static const char *const interfaces[] = {"eth0", "lan\"1\""};
static struct verdict_context context;

static void fresh(void)
{
    record = (struct record){
        .family = 4,
        .protocol = IPPROTO_TCP,
        .has_ports = true,
        .source_port = 34855,
        .destination_port = 80,
        .reason = RECORD_REASON_IDLE,
        .flow_id = UINT64_C(1) << 40,
        .interface = 1,
        .time_start = INT64_C(1700000000000001),
        .time_end = INT64_C(1700000012345678),
        .out = {.bytes = 1000, .packets = 9, .present = true},
        .in = {.bytes = UINT64_C(5000000000), .packets = 8, .present = true},
    };
    ck_assert_int_eq(inet_pton(AF_INET, "128.232.110.120", record.source), 1);
    ck_assert_int_eq(inet_pton(AF_INET, "66.35.250.204", record.destination), 1);
    tree = (struct tree){.n_labels = 3, .labels = {"news", "so\"cial", "video"}};
    model = (struct model){.tree = &tree, .id = "0123456789ab"};
    served = (struct served_model){.model = &model};
    verdict = (struct verdict){
        .state = VERDICT_CLASSIFIED, .label = 1, .confidence = 0.75f, .scores = {0.2f, 0.75f, 0.05f}};
    batch = (struct flow_batch){.n = 1,
                                .record = records,
                                .verdict = &verdict,
                                .classified = true,
                                .model = &served,
                                .engine = "cpu"};
    context = (struct verdict_context){.interfaces = interfaces, .n_interfaces = 2};
}

/* The line of the one flow, read back. */
static cJSON *line_parse(void)
{
    static char line[VERDICT_LINE_MAX + 1];
    size_t size = verdict_log_line(line, &context, &batch, 0);
    cJSON *object;

    ck_assert_uint_le(size, VERDICT_LINE_MAX);
    ck_assert_int_eq(line[size - 1], '\n');
    ck_assert_ptr_eq(memchr(line, '\n', size), line + size - 1);
    object = cJSON_ParseWithLength(line, size);
    ck_assert_ptr_nonnull(object);
    return object;
}

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    ck_assert_msg(cJSON_IsString(item), "%s", key);
    return item->valuestring;
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    ck_assert_msg(cJSON_IsNumber(item), "%s", key);
    return item->valuedouble;
}

static bool has(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key) != NULL;
}

START_TEST(classified_flow)
{
    cJSON *line;
    const cJSON *flow, *flowclass, *scores;

    fresh();
    line = line_parse();
    ck_assert_str_eq(text_of(line, "timestamp"), "2023-11-14T22:13:32.345678+00:00");
    ck_assert_str_eq(text_of(line, "event_type"), "flowclass");
    ck_assert_double_eq(number_of(line, "flow_id"), 0x1p40);
    ck_assert_str_eq(text_of(line, "in_iface"), "lan\"1\"");
    ck_assert_str_eq(text_of(line, "src_ip"), "128.232.110.120");
    ck_assert_double_eq(number_of(line, "src_port"), 34855);
    ck_assert_str_eq(text_of(line, "dest_ip"), "66.35.250.204");
    ck_assert_double_eq(number_of(line, "dest_port"), 80);
    ck_assert_str_eq(text_of(line, "proto"), "TCP");
    ck_assert_str_eq(text_of(line, "community_id"), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    flow = cJSON_GetObjectItem(line, "flow");
    ck_assert_double_eq(number_of(flow, "pkts_toserver"), 9);
    ck_assert_double_eq(number_of(flow, "pkts_toclient"), 8);
    ck_assert_double_eq(number_of(flow, "bytes_toserver"), 1000);
    ck_assert_double_eq(number_of(flow, "bytes_toclient"), 5e9);
    ck_assert_str_eq(text_of(flow, "start"), "2023-11-14T22:13:20.000001+00:00");
    ck_assert_str_eq(text_of(flow, "end"), "2023-11-14T22:13:32.345678+00:00");
    ck_assert_str_eq(text_of(flow, "reason"), "idle");
    flowclass = cJSON_GetObjectItem(line, "flowclass");
    ck_assert_str_eq(text_of(flowclass, "state"), "classified");
    ck_assert_str_eq(text_of(flowclass, "label"), "so\"cial");
    ck_assert_double_eq_tol(number_of(flowclass, "confidence"), 0.75, 1e-6);
    ck_assert_str_eq(text_of(flowclass, "model"), "0123456789ab");
    ck_assert_str_eq(text_of(flowclass, "engine"), "cpu");
    scores = cJSON_GetObjectItem(flowclass, "scores");
    ck_assert_int_eq(cJSON_GetArraySize(scores), 3);
    ck_assert_double_eq_tol(number_of(scores, "news"), 0.2, 1e-6);
    ck_assert_double_eq_tol(number_of(scores, "so\"cial"), 0.75, 1e-6);
    cJSON_Delete(line);
}
END_TEST

START_TEST(unknown_flow_keeps_its_scores)
{
    cJSON *line;
    const cJSON *flowclass;

    fresh();
    verdict.state = VERDICT_UNKNOWN;
    line = line_parse();
    flowclass = cJSON_GetObjectItem(line, "flowclass");
    ck_assert_str_eq(text_of(flowclass, "state"), "unknown");
    ck_assert_str_eq(text_of(flowclass, "label"), "unknown");
    ck_assert(has(flowclass, "scores"));
    cJSON_Delete(line);
}
END_TEST

START_TEST(every_cause_has_its_name)
{
    static const char *const names[FLOW_CAUSES_N] = {"not_asked", "overload", "engine", "scores"};

    for (int cause = 0; cause < FLOW_CAUSES_N; cause++) {
        cJSON *line;
        const cJSON *flowclass;

        fresh();
        batch.classified = false;
        batch.model = NULL;
        batch.cause = (enum flow_cause)cause;
        line = line_parse();
        flowclass = cJSON_GetObjectItem(line, "flowclass");
        ck_assert_str_eq(text_of(flowclass, "state"), "not_classified");
        ck_assert_str_eq(text_of(flowclass, "label"), "unknown");
        ck_assert_str_eq(text_of(flowclass, "cause"), names[cause]);
        ck_assert(!has(flowclass, "scores"));
        cJSON_Delete(line);
    }
}
END_TEST

START_TEST(scores_that_are_not_finite)
{
    cJSON *line;
    const cJSON *flowclass;

    fresh();
    verdict.state = VERDICT_NOT_CLASSIFIED;
    verdict.label = -1;
    line = line_parse();
    flowclass = cJSON_GetObjectItem(line, "flowclass");
    ck_assert_str_eq(text_of(flowclass, "state"), "not_classified");
    ck_assert_str_eq(text_of(flowclass, "cause"), "scores");
    cJSON_Delete(line);
}
END_TEST

START_TEST(what_the_record_does_not_say_is_left_out)
{
    cJSON *line;

    fresh();
    record.protocol = IPPROTO_ICMP;
    record.has_ports = false;
    record.reason = RECORD_REASON_NONE;
    context.icmp_unknown = true;
    context.n_interfaces = 0;
    line = line_parse();
    ck_assert_str_eq(text_of(line, "proto"), "ICMP");
    ck_assert(!has(line, "src_port") && !has(line, "dest_port"));
    ck_assert(!has(line, "community_id"));
    ck_assert(!has(line, "in_iface"));
    ck_assert(!has(cJSON_GetObjectItem(line, "flow"), "reason"));
    cJSON_Delete(line);

    context.icmp_unknown = false;
    line = line_parse();
    ck_assert(has(line, "community_id"));
    cJSON_Delete(line);
}
END_TEST

START_TEST(odd_values)
{
    cJSON *line;

    fresh();
    record.protocol = 253;
    record.has_ports = false;
    record.time_start = -1;          /* a little-endian capture from after 2038 */
    record.time_end = INT64_MAX / 2; /* a year that a date cannot have */
    verdict.scores[0] = -0.0f;
    line = line_parse();
    ck_assert_str_eq(text_of(line, "proto"), "253");
    ck_assert_str_eq(text_of(cJSON_GetObjectItem(line, "flow"), "start"), "1969-12-31T23:59:59.999999+00:00");
    ck_assert(cJSON_IsNull(cJSON_GetObjectItem(line, "timestamp")));
    cJSON_Delete(line);
}
END_TEST

START_TEST(longest_line_fits)
{
    fresh();
    record.family = 6;
    memset(record.source, 0xAA, 16);
    memset(record.destination, 0xBB, 16);
    record.flow_id = record.out.bytes = record.in.bytes = record.out.packets = record.in.packets = UINT64_MAX;
    tree.n_labels = TREE_LABELS_MAX;
    for (size_t i = 0; i < TREE_LABELS_MAX; i++) {
        memset(tree.labels[i], '\001', TREE_NAME_MAX - 1);
        tree.labels[i][TREE_NAME_MAX - 1] = '\0';
    }
    cJSON_Delete(line_parse());
}
END_TEST

int main(void)
{
    return UNIT_RUN("verdict_log", classified_flow, unknown_flow_keeps_its_scores, every_cause_has_its_name,
                    scores_that_are_not_finite, what_the_record_does_not_say_is_left_out, odd_values,
                    longest_line_fits);
}
