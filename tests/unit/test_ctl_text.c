#include "daemon/ctl_flow.h"
#include "daemon/ctl_text.h"

#include <stdbool.h>
#include <string.h>

#include "tests/unit/unit.h"

static const struct {
    const char *json;
    const char *text;
} cases[] = {
    {"{}", ""},
    {"7", "7\n"},
    {"\"a word\"", "a word\n"},
    {"{\"packets\":1200000000000,\"rate\":0.25,\"live\":true,\"model\":null}",
     "packets  1200000000000\nrate     0.25\nlive     yes\nmodel    -\n"},
    {"{\"flows\":{\"created\":34,\"by\":{\"idle\":3}},\"none\":[]}",
     "flows\n  created  34\n  by\n    idle  3\nnone   none\n"},
    {"[{\"label\":\"news\",\"flows\":12},{\"label\":\"videostreaming\",\"flows\":3,\"more\":\"x\"}]",
     "label           flows  more\nnews               12  -\nvideostreaming      3  x\n"},
    {"{\"list\":[1,2]}", "list\n  1\n  2\n"},
    {"{\"host\":\"a\\u001b[31mb\\n\"}", "host  a?[31mb?\n"},
};

START_TEST(answers_become_text)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *value = cJSON_Parse(cases[i].json);
        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);

        ck_assert_ptr_nonnull(value);
        ck_assert_ptr_nonnull(to);
        ctl_text_print(to, value);
        ck_assert_int_eq(fclose(to), 0);
        ck_assert_str_eq(text, cases[i].text);
        free(text);
        cJSON_Delete(value);
    }
}
END_TEST

START_TEST(amounts_have_prefixes)
{
    static const struct {
        double amount;
        const char *text;
    } amounts[] = {{0, "0"},          {999, "999"},     {1000, "1.0K"},
                   {99960, "100.0K"}, {999960, "1.0M"}, {2.5e12, "2.5T"}};
    char text[CTL_AMOUNT_MAX];

    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
        ctl_text_amount(amounts[i].amount, text);
        ck_assert_str_eq(text, amounts[i].text);
    }
}
END_TEST

static const struct {
    const char *line;
    const char *row;
} rows[] = {
    {"{\"timestamp\":\"2026-11-23T06:23:37.014145+00:00\",\"src_ip\":\"2001:db8::1\",\"src_port\":50000,"
     "\"dest_ip\":\"192.0.2.1\",\"dest_port\":443,\"proto\":\"TCP\",\"flow\":{\"bytes_toserver\":1045,"
     "\"bytes_toclient\":44,\"reason\":\"idle\"},\"flowclass\":{\"label\":\"news\",\"confidence\":0.934}}",
     "06:23:37.014  news             0.93     1.0K      44  idle       [2001:db8::1]:50000 > 192.0.2.1:443 "
     "TCP\n"},
    {"{\"timestamp\":\"x\",\"src_ip\":\"192.0.2.1\",\"dest_ip\":\"\\u001b[31m\",\"proto\":\"ICMP\","
     "\"flowclass\":{\"label\":\"unknown\",\"cause\":\"overload\"}}",
     "x             overload            -        0       0  -          192.0.2.1 > ?[31m ICMP\n"},
};

START_TEST(verdicts_become_rows)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cJSON *line = cJSON_Parse(rows[i].line);
        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);

        ck_assert(ctl_flow_is(line));
        ctl_flow_row(to, line);
        ck_assert_int_eq(fclose(to), 0);
        ck_assert_str_eq(text, rows[i].row);
        free(text);
        cJSON_Delete(line);
    }
    ck_assert(!ctl_flow_is(NULL));
}
END_TEST

int main(void)
{
    return UNIT_RUN("ctl_text", answers_become_text, amounts_have_prefixes, verdicts_become_rows);
}
