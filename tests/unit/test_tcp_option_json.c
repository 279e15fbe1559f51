#include "flowtrack/tcp_option_json.h"

#include <string.h>

#include "tests/unit/unit.h"

/* Octets of a TCP header and the text that Joy makes of them. */
static const struct {
    const char *octets;
    unsigned length;
    const char *text;
    bool comes_back; /* the text says all */
} cases[] = {
    {"", 0, "", true},
    {"\x02\x04\x05\xb4", 4, "{\"mss\":1460}", true},
    {"\x01\x03\x03\xff\x04\x02", 6, "{\"noop\":null},{\"ws\":255},{\"sackp\":null}", true},
    {"\x08\x0a\xff\xff\xff\xff\0\0\0\1", 10, "{\"ts\":{\"val\":4294967295,\"ecr\":1}}", true},
    {"\xfe\x04\x00\xff", 4, "{\"kind\":254,\"data\":\"00ff\"}", true},
    {"\x02\x03\x05", 3, "{\"malformed\":{\"kind\":2,\"data\":\"05\",\"len\":1}}", true},
    {"\x09\x01\x04\x02", 4, "{\"kind\":9,\"data\":\"\"},{\"noop\":null},{\"sackp\":null}", true},
    {"\x01\x04\x89\x01", 4, "{\"noop\":null},{\"malformed\":{\"kind\":4,\"len\":137}}", false},
    {"\x03\x00\x01\x01", 4, "{\"malformed\":{\"kind\":3,\"len\":0}}", false},
    {"\x01\x00\x02\x04", 4, "{\"noop\":null}", false},
    {"\x01\x02", 2, "{\"noop\":null}", false},
};

START_TEST(options_there_and_back)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tcp_options_read list;
        struct json_scan scan;
        char text[1024] = "[", *end;

        end = tcp_options_put(text + 1, (const uint8_t *)cases[i].octets, cases[i].length);
        *end = '\0';
        ck_assert_str_eq(text + 1, cases[i].text);
        *end++ = ']';
        json_scan_init(&scan, text, (size_t)(end - text));
        ck_assert_msg(tcp_options_read(&scan, &list), "%s: %s", text, scan.reason);
        tcp_options_fit(&list, cases[i].length);
        ck_assert_uint_le(list.length, cases[i].length);
        if (cases[i].comes_back) {
            ck_assert_uint_eq(list.length, cases[i].length);
            ck_assert_mem_eq(list.octets, cases[i].octets, cases[i].length);
        }
    }
}
END_TEST

START_TEST(a_list_longer_than_a_header_is_cut)
{
    struct tcp_options_read list;
    struct json_scan scan;
    char text[1024] = "[", *at = text + 1;

    for (unsigned i = 0; i < 25; i++)
        at = stpcpy(at, i > 0 ? ",{\"mss\":1}" : "{\"mss\":1}");
    *at++ = ']';
    json_scan_init(&scan, text, (size_t)(at - text));
    ck_assert(tcp_options_read(&scan, &list));
    ck_assert_uint_eq(list.length, 40);
}
END_TEST

START_TEST(flags_are_letters)
{
    char letters[9];

    for (unsigned flags = 0; flags < 256; flags++) {
        char *end = tcp_flags_put(letters, (uint8_t)flags);

        ck_assert_uint_eq(tcp_flags_parse(letters, (size_t)(end - letters)), flags);
    }
    *tcp_flags_put(letters, 0x12) = '\0';
    ck_assert_str_eq(letters, "SA");
    *tcp_flags_put(letters, 0xff) = '\0';
    ck_assert_str_eq(letters, "FSRPAUEC");
    ck_assert_uint_eq(tcp_flags_parse("S?A", 3), 0x12);
}
END_TEST

int main(void)
{
    return UNIT_RUN("tcp_option_json", options_there_and_back, a_list_longer_than_a_header_is_cut,
                    flags_are_letters);
}
