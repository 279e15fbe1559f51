#include "core/utf8.h"

#include "tests/unit/unit.h"

static int length(const char *text)
{
    return utf8_length((const uint8_t *)text);
}

START_TEST(sequences_have_their_length)
{
    ck_assert_int_eq(length("a"), 1);
    ck_assert_int_eq(length("\x7f"), 1);
    ck_assert_int_eq(length("\xc3\xbc"), 2);
    ck_assert_int_eq(length("\xe2\x82\xac"), 3);
    ck_assert_int_eq(length("\xf0\x9f\x98\x80"), 4);
    ck_assert_int_eq(length(""), 0);
    ck_assert_int_eq(length("\x80"), 0);
    ck_assert_int_eq(length("\xc0\xbc"), 0);         /* overlong */
    ck_assert_int_eq(length("\xed\xa0\x80"), 0);     /* surrogate */
    ck_assert_int_eq(length("\xf4\x90\x80\x80"), 0); /* beyond U+10FFFF */
    ck_assert_int_eq(length("\xe2\x82"), 0);         /* cut */
}
END_TEST

START_TEST(plain_text_has_no_controls)
{
    ck_assert(utf8_is_plain(""));
    ck_assert(utf8_is_plain("news \"and\" <more> gr\xc3\xbc\xc3\x9f"));
    ck_assert(!utf8_is_plain("a\tb"));
    ck_assert(!utf8_is_plain("\x1b[2J"));
    ck_assert(!utf8_is_plain("a\x7f"));
    ck_assert(!utf8_is_plain("a\xc2\x9b"));
    ck_assert(!utf8_is_plain("a\xff"));
}
END_TEST

int main(void)
{
    return UNIT_RUN("utf8", sequences_have_their_length, plain_text_has_no_controls);
}
