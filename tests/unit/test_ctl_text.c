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

int main(void)
{
    return UNIT_RUN("ctl_text", answers_become_text);
}
