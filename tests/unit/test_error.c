#include "flowtrack/error.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

START_TEST(set_returns_the_code_and_fills_the_text)
{
    struct error err = {0};

    ck_assert_int_eq(error_set(&err, -EBADMSG, "%s:%d: bad", "file", 7), -EBADMSG);
    ck_assert_int_eq(err.code, -EBADMSG);
    ck_assert_str_eq(err.text, "file:7: bad");
    ck_assert_int_eq(error_set(NULL, -ENOENT, "nobody listens"), -ENOENT);
}
END_TEST

START_TEST(prefix_goes_in_front)
{
    struct error err = {0};

    error_set(&err, -EIO, "disk gone");
    ck_assert_int_eq(error_prefix(&err, "%s: ", "a.json"), -EIO);
    ck_assert_str_eq(err.text, "a.json: disk gone");
}
END_TEST

START_TEST(long_texts_are_cut)
{
    struct error err = {0};
    char text[2 * ERROR_TEXT_MAX];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&err, -EIO, "%s", text);
    ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_MAX - 1);
    error_prefix(&err, "%s", text);
    ck_assert_uint_lt(strlen(err.text), ERROR_TEXT_MAX);
}
END_TEST

int main(void)
{
    return UNIT_RUN("error", set_returns_the_code_and_fills_the_text, prefix_goes_in_front,
                    long_texts_are_cut);
}
