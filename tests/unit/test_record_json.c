#include "flowtrack/record_json.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

/* A line that has everything which is not optional in Joy's eyes. */
#define HEAD                                                                                                 \
    "{\"sa\":\"10.0.0.1\",\"da\":\"10.0.0.2\",\"pr\":6,\"sp\":1,\"dp\":2,\"bytes_out\":3,\"num_pkts_out\":"  \
    "4,"
#define TIMES "\"time_start\":5.000000,\"time_end\":6.000000,"
#define NO_PACKETS "\"packets\":[]"

static struct record record;
static struct error err;
static unsigned cut;

static int read_text(const char *text)
{
    memset(&record, 0xa5, sizeof record);
    err.text[0] = '\0';
    return record_json_read(&record, text, strlen(text), &cut, &err);
}

/* Read a line and expect the same text back. */
static void expect_same(const char *text)
{
    char line[RECORD_JSON_MAX];
    size_t length;

    ck_assert_msg(read_text(text) == RECORD_JSON_RECORD, "%s", err.text);
    length = record_json_write(line, &record);
    ck_assert_uint_eq(length, strlen(text) + 1);
    ck_assert_mem_eq(line, text, length - 1);
    ck_assert_int_eq(line[length - 1], '\n');
}

static void expect_error(const char *text, const char *reason)
{
    ck_assert_int_eq(read_text(text), -EBADMSG);
    ck_assert_str_eq(err.text, reason);
}

START_TEST(every_field_goes_there_and_back)
{
    expect_same(HEAD
                "\"bytes_in\":18446744073709551615,\"num_pkts_in\":8," TIMES
                "\"packets\":[{\"b\":32767,\"dir\":\">\",\"ipt\":0},{\"rep\":32768,\"dir\":\"<\",\"ipt\":"
                "4294967264},{\"rep\":1,\"dir\":\"<\",\"ipt\":7}],\"ip\":{\"out\":{\"ttl\":64,\"id\":[0,"
                "65535]},\"in\":{\"ttl\":255}},\"tcp\":{\"first_seq\":4294967295,\"out\":{\"flags\":\"S\","
                "\"first_window_size\":65535,\"opt_len\":20,\"opts\":[{\"mss\":1460},{\"sackp\":null},{"
                "\"ts\":{\"val\":4294967295,\"ecr\":1}},{\"noop\":null},{\"ws\":7}]},\"in\":{\"flags\":"
                "\"SA\"}},\"debug\":{\"tcp_retrans\":1,\"invalid\":2},\"expire_type\":\"a\"}");
    ck_assert_uint_eq(record.n_packets, 3);
    ck_assert_uint_eq(record.packets[1].bytes, 32768);
    ck_assert_uint_eq(record.packets[2].bytes, 65535);
    ck_assert_uint_eq(record.packets[0].out, 1);
    ck_assert_uint_eq(record.packets[1].out, 0);
    ck_assert_uint_eq(record.in.bytes, UINT64_MAX);
    ck_assert_uint_eq(record.out.n_ids, 2);
    ck_assert_uint_eq(record.ids_out[1], 65535);
    ck_assert_int_eq(record.time_start, 5000000);
    ck_assert_int_eq(record.reason, RECORD_REASON_ACTIVE);
    ck_assert_uint_eq(record.tcp_out.flags, 0x02);
    ck_assert_uint_eq(record.tcp_in.flags, 0x12);
    ck_assert_mem_eq(record.tcp_out.options,
                     "\x02\x04\x05\xb4\x04\x02\x08\x0a\xff\xff\xff\xff\x00\x00\x00\x01\x01\x03\x03\x07", 20);
}
END_TEST

START_TEST(addresses_have_the_text_of_inet_ntop)
{
    static const char *const addresses[] = {
        "::",
        "::1",
        "::1.2.3.4",
        "::0.1.0.0",
        "::ffff:1.2.3.4",
        "::fffe:102:304",
        "2001:db8::1",
        "1::",
        "1:0:0:2::3",
        "1:2:3:4:5:6:7:8",
        "1:0:3:4:5:6:7:8",
        "fe80::1:0:0:1",
        "64:ff9b::102:304",
        "::1:2:3",
        "0:1::",
    };
    char line[512];

    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        (void)snprintf(line, sizeof line,
                       "{\"sa\":\"%s\",\"da\":\"ff02::1\",\"pr\":58,\"sp\":null,\"dp\":null,\"bytes_out\":0,"
                       "\"num_pkts_out\":1," TIMES NO_PACKETS "}",
                       addresses[i]);
        expect_same(line);
        ck_assert_uint_eq(record.family, 6);
    }
}
END_TEST

START_TEST(times_count_upwards_from_negative_seconds)
{
    expect_same(HEAD "\"time_start\":-7.250000,\"time_end\":-1.999999," NO_PACKETS "}");
    ck_assert_int_eq(record.time_start, -6750000);
    ck_assert_int_eq(record.time_end, -1);
    expect_same(HEAD "\"time_start\":0.000001,\"time_end\":9223372036853.999999," NO_PACKETS "}");
    ck_assert_int_eq(record.time_start, 1);
}
END_TEST

START_TEST(numbers_may_be_written_otherwise)
{
    ck_assert_int_eq(
        read_text("{ \"packets\" : [ ] , \"time_end\":1.5e1, \"time_start\": 15 ,\"num_pkts_out\":4.0,"
                  "\"bytes_out\":2E3,\"pr\":17,\"da\":\"1.2.3.4\",\"sa\":\"5.6.7.8\" }"),
        RECORD_JSON_RECORD);
    ck_assert_int_eq(record.time_end, 15000000);
    ck_assert_int_eq(record.time_start, 15000000);
    ck_assert_uint_eq(record.out.packets, 4);
    ck_assert_uint_eq(record.out.bytes, 2000);
    ck_assert(!record.has_ports);
    ck_assert_int_eq(read_text(HEAD
                               "\"time_start\":5.1234567891,\"time_end\":6.5,\"packets\":[{\"b\":1,\"dir\":"
                               "\"\\u003c\",\"ipt\":-32}]}"),
                     RECORD_JSON_RECORD);
    ck_assert_int_eq(record.time_start, 5123456);
    ck_assert_int_eq(record.time_end, 6500000);
    ck_assert_uint_eq(record.packets[0].ipt_ms, 4294967264);
    ck_assert_uint_eq(record.packets[0].out, 0);
}
END_TEST

START_TEST(other_versions_are_read)
{
    ck_assert_int_eq(read_text("{\"version\":\"4.5.0\",\"bidir\":1,\"end-config\":1}"), RECORD_JSON_HEADER);
    ck_assert_int_eq(read_text(HEAD TIMES NO_PACKETS
                               ",\"tls\":{\"cs\":[1,[{}]],\"x\":null},\"http\":[{\"a\\n\":"
                               "true}],\"p_malware\":-0.25e-3}"),
                     RECORD_JSON_RECORD);
    ck_assert(!record.out.has_ip);
    ck_assert(!record.in.present);
    ck_assert_int_eq(
        read_text(HEAD TIMES NO_PACKETS ",\"exe\":{\"path\":\"C:\\Program\"},\"debug\":{\"invalid\":11}}"),
        RECORD_JSON_RECORD);
    ck_assert_uint_eq(record.invalid, 11);
    ck_assert_int_eq(read_text(HEAD TIMES NO_PACKETS ",\"exe\":{\"path\":\"C:\\\"}}"), RECORD_JSON_RECORD);
    ck_assert_int_eq(
        read_text("{\"sa\":\"0123456789abcdef0123456789ABCDEF\",\"da\":\"1.2.3.4\",\"pr\":6,\"bytes_out\":0,"
                  "\"num_pkts_out\":1," TIMES NO_PACKETS "}"),
        RECORD_JSON_RECORD);
    ck_assert_uint_eq(record.source[15], 0xef);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
    expect_error("", "column 1: expected an object");
    expect_error("{\"sa\":5}", "column 7: sa: expected a string");
    expect_error("{\"sa\":\"1.2.3\"}", "column 14: sa: expected an address");
    expect_error(HEAD NO_PACKETS "}", "column 99: time_start: key is missing");
    expect_error(HEAD TIMES "\"packets\":[{\"b\":1,\"dir\":\"<\",\"ipt\":0},{\"b\":70000,\"dir\":\"<\"}]}",
                 "column 175: packets[1].b: number out of range");
    expect_error(HEAD "\"sa\":\"1.2.3.4\"}", "column 91: sa: key comes twice");
    expect_error(HEAD TIMES NO_PACKETS, "column 140: expected , or } in an object");
    expect_error(HEAD TIMES NO_PACKETS "}}", "column 141: text after the end of the object");
    expect_error(HEAD TIMES NO_PACKETS ",\"x\":01}", "column 147: number begins with 0");
    expect_error(HEAD TIMES NO_PACKETS ",\"x\":tru}", "column 145: no JSON value");
    expect_error(HEAD TIMES NO_PACKETS ",\"x\":\"\x01\"}", "column 146: control character in a string");
}
END_TEST

START_TEST(nesting_is_bounded)
{
    char line[8192];
    size_t length = (size_t)snprintf(line, sizeof line, "%s", HEAD TIMES NO_PACKETS ",\"x\":");

    memset(line + length, '[', sizeof line - length);
    ck_assert_int_eq(record_json_read(&record, line, sizeof line, &cut, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.text, "nested too deeply"));
}
END_TEST

START_TEST(lists_beyond_the_limits_are_cut)
{
    char line[16384];
    size_t at = (size_t)snprintf(line, sizeof line, "%s", HEAD TIMES "\"packets\":[");

    for (unsigned i = 0; i < RECORD_PACKETS_MAX + 7; i++)
        at += (size_t)snprintf(line + at, sizeof line - at, "%s{\"b\":%u,\"dir\":\">\",\"ipt\":1}",
                               i > 0 ? "," : "", i);
    at += (size_t)snprintf(line + at, sizeof line - at, "],\"ip\":{\"out\":{\"ttl\":1,\"id\":[0");
    for (unsigned i = 1; i < RECORD_IDS_MAX + 3; i++)
        at += (size_t)snprintf(line + at, sizeof line - at, ",%u", i);
    (void)snprintf(line + at, sizeof line - at, "]}}}");
    ck_assert_msg(read_text(line) == RECORD_JSON_RECORD, "%s", err.text);
    ck_assert_uint_eq(cut, 10);
    ck_assert_uint_eq(record.n_packets, RECORD_PACKETS_MAX);
    ck_assert_uint_eq(record.packets[RECORD_PACKETS_MAX - 1].bytes, RECORD_PACKETS_MAX - 1);
    ck_assert_uint_eq(record.out.n_ids, RECORD_IDS_MAX);
}
END_TEST

int main(void)
{
    return UNIT_RUN("record_json", every_field_goes_there_and_back, addresses_have_the_text_of_inet_ntop,
                    times_count_upwards_from_negative_seconds, numbers_may_be_written_otherwise,
                    other_versions_are_read, what_is_wrong_is_said, nesting_is_bounded,
                    lists_beyond_the_limits_are_cut);
}
