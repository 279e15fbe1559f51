#include "flowtrack/keyword.h"

#include "tests/unit/unit.h"

static const struct {
    const char *payload;
    uint8_t length;
    uint8_t keyword;
} segments[] = {
    {"\x16\x03\x01\x02\x00\x01", 6, KEYWORD_CLIENT},
    {"\x16\x03\x02\x02\x00\x01", 6, KEYWORD_CLIENT},
    {"\x16\x03\x03\x02\x00\x01", 6, KEYWORD_CLIENT},
    {"\x16\x03\x01\x02\x00\x02", 6, KEYWORD_SERVER},
    {"\x16\x03\x02\x02\x00\x02", 6, KEYWORD_SERVER},
    {"\x16\x03\x03\x02\x00\x02", 6, KEYWORD_SERVER},
    {"\x16\x03\x00\x02\x00\x01", 6, KEYWORD_NONE},
    {"\x16\x03\x04\x02\x00\x01", 6, KEYWORD_NONE},
    {"\x16\x03\x01\x02\x00\x03", 6, KEYWORD_NONE},
    {"\x16\x03\x01\x02\x00\x01", 5, KEYWORD_NONE},
    {"\x17\x03\x01\x02\x00\x01", 6, KEYWORD_NONE},
    {"GET / HTTP/1.1", 14, KEYWORD_CLIENT},
    {"GET ", 4, KEYWORD_CLIENT},
    {"GET ", 3, KEYWORD_NONE},
    {"GETS /", 6, KEYWORD_NONE},
    {"get / ", 6, KEYWORD_NONE},
    {"POST /", 6, KEYWORD_CLIENT},
    {"OPTIONS *", 9, KEYWORD_CLIENT},
    {"HEAD /", 6, KEYWORD_CLIENT},
    {"PUT /", 5, KEYWORD_CLIENT},
    {"DELETE /", 8, KEYWORD_CLIENT},
    {"TRACE /", 7, KEYWORD_CLIENT},
    {"CONNECT a", 9, KEYWORD_CLIENT},
    {"PATCH /", 7, KEYWORD_NONE},
    {"HTTP/1.1 200", 12, KEYWORD_SERVER},
    {"HTTP/1.1", 8, KEYWORD_NONE},
    {"HTTP/1.0 200", 12, KEYWORD_NONE},
};

START_TEST(tls_and_http)
{
    for (size_t i = 0; i < sizeof segments / sizeof segments[0]; i++) {
        struct bytes payload = bytes_over((const uint8_t *)segments[i].payload, segments[i].length);

        ck_assert_msg(keyword_of_tcp(&payload, segments[i].length) == segments[i].keyword, "case %zu", i);
    }
}
END_TEST

static const struct {
    uint8_t payload[12];
    uint8_t length;
    uint8_t joy;
    uint8_t flowclassd;
} datagrams[] = {
    {{1, 2, 1, 0, 0, 1, 0, 0}, 12, KEYWORD_SERVER, KEYWORD_CLIENT},
    {{1, 2, 1, 0, 0, 1, 0, 0}, 8, KEYWORD_SERVER, KEYWORD_CLIENT},
    {{1, 2, 1, 0, 0, 1, 0, 0}, 7, KEYWORD_NONE, KEYWORD_NONE},
    {{1, 2, 1, 0x20, 0, 1, 0, 0}, 12, KEYWORD_NONE, KEYWORD_CLIENT},  /* AD */
    {{1, 2, 1, 0x10, 0, 1, 0, 0}, 12, KEYWORD_NONE, KEYWORD_CLIENT},  /* CD */
    {{1, 2, 0x81, 0x80, 0, 1, 0, 1}, 12, KEYWORD_NONE, KEYWORD_NONE}, /* an answer */
    {{1, 2, 1, 0, 0, 2, 0, 0}, 12, KEYWORD_NONE, KEYWORD_NONE},
    {{1, 2, 1, 0, 0, 1, 0, 1}, 12, KEYWORD_NONE, KEYWORD_NONE},
};

START_TEST(dns)
{
    for (size_t i = 0; i < sizeof datagrams / sizeof datagrams[0]; i++) {
        struct bytes payload = bytes_over(datagrams[i].payload, datagrams[i].length);

        ck_assert_msg(keyword_of_udp(&payload, datagrams[i].length, true) == datagrams[i].joy, "case %zu", i);
        ck_assert_msg(keyword_of_udp(&payload, datagrams[i].length, false) == datagrams[i].flowclassd,
                      "case %zu", i);
    }
}
END_TEST

/* What was sent but not captured reads as 0. */
START_TEST(cut_payload)
{
    static const uint8_t query[] = {1, 2, 1, 0, 0, 1};
    struct bytes payload = bytes_over(query, sizeof query);

    ck_assert_int_eq(keyword_of_udp(&payload, 30, true), KEYWORD_SERVER);
    payload = bytes_over((const uint8_t *)"GET", 3);
    ck_assert_int_eq(keyword_of_tcp(&payload, 30), KEYWORD_NONE);
    payload = bytes_over(NULL, 0);
    ck_assert_int_eq(keyword_of_tcp(&payload, 30), KEYWORD_NONE);
}
END_TEST

int main(void)
{
    return UNIT_RUN("keyword", tls_and_http, dns, cut_payload);
}
