#include "daemon/options.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { WORDS_MAX = 16 };

static struct options options;
static struct error err;

/* Parse a command line given as one text, words separated by blanks. */
static int parse(const char *line)
{
    static char copy[512];
    char *argv[WORDS_MAX + 1] = {(char *)"flowclassd"};
    int argc = 1;

    options_deinit(&options);
    err = (struct error){0};
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        ck_assert_int_lt(argc, WORDS_MAX);
        argv[argc++] = word;
    }
    return options_parse(&options, argc, argv, &err);
}

START_TEST(files_keep_their_order)
{
    ck_assert_int_eq(parse("-r a b -o out - -r c --rules joy -- -d"), 0);
    ck_assert_int_eq(options.command, COMMAND_READ);
    ck_assert_uint_eq(options.n_inputs, 5);
    ck_assert_str_eq(options.inputs[0], "a");
    ck_assert_str_eq(options.inputs[1], "b");
    ck_assert_str_eq(options.inputs[2], "-");
    ck_assert_str_eq(options.inputs[3], "c");
    ck_assert_str_eq(options.inputs[4], "-d");
    ck_assert_str_eq(options.output, "out");
    ck_assert_uint_eq(options.n_assignments, 1);
    ck_assert_str_eq(options.assignments[0], "flows.rules=joy");
}
END_TEST

START_TEST(values_are_taken)
{
    ck_assert_int_eq(parse("--train x --tree t.json --epochs 3 --batch=64 --seed 18446744073709551615 "
                           "--holdout 0.5 -o m --report r"),
                     0);
    ck_assert_int_eq(options.command, COMMAND_TRAIN);
    ck_assert_str_eq(options.tree, "t.json");
    ck_assert_uint_eq(options.epochs, 3);
    ck_assert_uint_eq(options.batch, 64);
    ck_assert_uint_eq(options.seed, UINT64_MAX);
    ck_assert_double_eq(options.holdout, 0.5);
    ck_assert_int_eq(parse("-T --set a.b=c -m M -e cpu -c file"), 0);
    ck_assert_int_eq(options.command, COMMAND_TEST);
    ck_assert_str_eq(options.config, "file");
    ck_assert_uint_eq(options.n_assignments, 3);
    ck_assert_str_eq(options.assignments[0], "a.b=c");
    ck_assert_str_eq(options.assignments[1], "classify.model=M");
    ck_assert_str_eq(options.assignments[2], "classify.engine=cpu");
}
END_TEST

START_TEST(live_is_what_is_done_otherwise)
{
    ck_assert_int_eq(parse(""), 0);
    ck_assert_int_eq(options.command, COMMAND_LIVE);
    ck_assert_int_eq(parse("-v -i eth0"), 0);
    ck_assert_int_eq(options.command, COMMAND_LIVE);
    ck_assert(options.verbose);
    ck_assert_uint_eq(options.n_assignments, 1);
    ck_assert_str_eq(options.assignments[0], "capture.interface=eth0");
}
END_TEST

static const struct {
    const char *line, *message;
} wrong[] = {
    {"-i eth0 file", "'file' is no option"},
    {"-i eth0 -r file", "--read and another command cannot go together"},
    {"file", "'file' is no option"},
    {"-T file", "'file' is no option"},
    {"-r", "--read needs FILE..."},
    {"--train", "--train needs DIR..."},
    {"--train d", "--train needs -o MODEL"},
    {"-r a --classify b", "--classify and another command cannot go together"},
    {"-r a --epochs 3", "--epochs has no meaning with this command"},
    {"--classify a --rules joy", "--rules has no meaning with this command"},
    {"--train d -o m -w x", "--write-records has no meaning with this command"},
    {"--describe a b", "--describe takes one file"},
    {"-r a --wat", "there is no option --wat, or it is short for several"},
    {"-r a -Z", "there is no option -Z"},
    {"-r a --records-only=x", "--records-only takes no argument"},
    {"--train d -o m --epochs -1", "--epochs: '-1' is not a whole number up to 4294967295"},
    {"--train d -o m --epochs 4294967296", "--epochs: '4294967296' is not a whole number up to 4294967295"},
    {"--train d -o m --seed x", "--seed: 'x' is not a whole number up to 18446744073709551615"},
    {"--train d -o m --holdout 1", "--holdout: '1' is not a number from 0 to below 1"},
};

START_TEST(wrong_use_is_named)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_msg(parse(wrong[i].line) == -EINVAL, "%s", wrong[i].line);
        ck_assert_str_eq(err.text, wrong[i].message);
    }
}
END_TEST

START_TEST(help_fits_one_screen)
{
    char *text = NULL, *line;
    size_t size, lines = 0;
    FILE *file = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(file);
    options_help(file);
    (void)fclose(file);
    for (line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        ck_assert_msg(strlen(line) <= 80, "%s", line);
        lines++;
    }
    ck_assert_uint_le(lines, 36);
    free(text);
}
END_TEST

int main(void)
{
    int status = UNIT_RUN("options", files_keep_their_order, values_are_taken, live_is_what_is_done_otherwise,
                          wrong_use_is_named, help_fits_one_screen);

    options_deinit(&options);
    return status;
}
