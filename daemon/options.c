/* A row of the table is an option. What it does is one of a few kinds (enum kind); `commands` are those it
 * goes with. Rows without a help text share the line of the next row that has one.
 */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    KIND_COMMAND, /* choose a command; its argument is the first input, or goes to a key */
    KIND_TEXT,    /* keep the argument */
    KIND_FLAG,
    KIND_COUNT, /* uint32_t */
    KIND_SEED,  /* uint64_t */
    KIND_SHARE, /* double, 0..1 */
    KIND_KEY,   /* an assignment to a configuration key */
};

#define ON(command) (1u << (command))
#define ANY (~0u)
#define FLOWS (ON(COMMAND_LIVE) | ON(COMMAND_READ) | ON(COMMAND_CLASSIFY))
#define CONFIGURED (ON(COMMAND_TEST) | ON(COMMAND_DUMP))
#define LEARNS (ON(COMMAND_TRAIN) | ON(COMMAND_EVALUATE))

struct row {
    char short_name;
    const char *long_name;
    const char *argument; /* NULL: takes none */
    enum kind kind;
    unsigned commands;
    size_t offset;        /* of what it fills in struct options */
    enum command command; /* KIND_COMMAND */
    const char *key;      /* KIND_COMMAND, KIND_KEY: "section.key"; KIND_KEY, NULL: the argument says which */
    const char *help;
};

#define COMMAND_ROW(s, l, a, c, help)                                                                        \
    {                                                                                                        \
        s, l, a, KIND_COMMAND, ON(c), 0, c, NULL, help                                                       \
    }
#define ROW(s, l, a, kind, commands, field, help)                                                            \
    {                                                                                                        \
        s, l, a, kind, commands, offsetof(struct options, field), COMMANDS, NULL, help                       \
    }
#define KEY_ROW(s, l, a, commands, key, help)                                                                \
    {                                                                                                        \
        s, l, a, KIND_KEY, commands, 0, COMMANDS, key, help                                                  \
    }

/* clang-format off */
static const struct row rows[] = {
    {'i', "interface", "IFACE", KIND_COMMAND, ON(COMMAND_LIVE), 0, COMMAND_LIVE, "capture.interface",
     "live: capture, classify, log, until told to stop"},
    COMMAND_ROW('r', "read", "FILE...", COMMAND_READ, "capture files (pcap, pcapng) in, verdicts out"),
    COMMAND_ROW(0, "classify", "ARCHIVE...", COMMAND_CLASSIFY, "records (Joy JSON lines, .gz) in, verdicts out"),
    COMMAND_ROW(0, "train", "DIR...", COMMAND_TRAIN, "learn from DIR/<label>/*.json[.gz], write MODEL"),
    COMMAND_ROW(0, "evaluate", "DIR...", COMMAND_EVALUATE, "how good a model is on labelled archives"),
    COMMAND_ROW(0, "describe", "FILE", COMMAND_DESCRIBE, "the elements of a tree or model as a table"),
    COMMAND_ROW('T', "test-config", NULL, COMMAND_TEST, "check the configuration and leave"),
    COMMAND_ROW(0, "dump-config", NULL, COMMAND_DUMP, "print every key, its meaning and value"),
    COMMAND_ROW('h', "help", NULL, COMMAND_HELP, NULL),
    COMMAND_ROW('V', "version", NULL, COMMAND_VERSION, NULL),
    COMMAND_ROW(0, "build-info", NULL, COMMAND_BUILD_INFO, "about the program"),
    ROW('c', "config", "FILE", KIND_TEXT, ANY, config, "configuration; FILE.d/*.conf is read after it"),
    KEY_ROW(0, "set", "SECTION.KEY=VALUE", ANY, NULL, "change one key; may be repeated"),
    KEY_ROW('m', "model", "FILE", FLOWS | CONFIGURED | ON(COMMAND_EVALUATE), "classify.model",
            "model (default: the installed one)"),
    KEY_ROW('e', "engine", "auto|cpu|cuda", FLOWS | CONFIGURED | LEARNS, "classify.engine",
            "auto takes the GPU if it works, cuda demands it"),
    KEY_ROW(0, "rules", "flowclassd|joy", ON(COMMAND_LIVE) | ON(COMMAND_READ) | CONFIGURED, "flows.rules",
            "how packets become records"),
    ROW('w', "write-records", "FILE", KIND_TEXT, FLOWS, write_records, "also write the records (.gz; - is stdout)"),
    ROW('o', "output", "FILE", KIND_TEXT, FLOWS | ON(COMMAND_TRAIN), output, "verdicts (default -: stdout), or the MODEL"),
    ROW(0, "records-only", NULL, KIND_FLAG, ON(COMMAND_LIVE) | ON(COMMAND_READ), records_only, "no model, no verdicts"),
    ROW(0, "tree", "FILE", KIND_TEXT, LEARNS, tree, NULL),
    ROW(0, "epochs", "N", KIND_COUNT, LEARNS, epochs, NULL),
    ROW(0, "batch", "N", KIND_COUNT, LEARNS, batch, NULL),
    ROW(0, "seed", "N", KIND_SEED, LEARNS, seed, NULL),
    ROW(0, "holdout", "SHARE", KIND_SHARE, ON(COMMAND_TRAIN), holdout, "of training"),
    ROW(0, "against", "MODEL", KIND_TEXT, ON(COMMAND_TRAIN), against, "is the new one better"),
    ROW(0, "without-other", NULL, KIND_FLAG, LEARNS, without_other, "leave the folder other out"),
    ROW(0, "report", "FILE.html", KIND_TEXT, LEARNS, report, "a page about what came of it"),
    ROW(0, "folds", "N", KIND_COUNT, ON(COMMAND_EVALUATE), folds, NULL),
    ROW(0, "seeds", "N", KIND_COUNT, ON(COMMAND_EVALUATE), seeds, "of --evaluate --tree: cross-validation"),
    ROW('v', "verbose", NULL, KIND_FLAG, ANY, verbose, "say more"),
};
/* clang-format on */

enum { N_ROWS = sizeof rows / sizeof rows[0], FIRST_LONG = 256 };

static const struct options defaults = {
    .command = COMMANDS, .seed = 1, .holdout = -1, .folds = 4, .seeds = 1};

static void *field(struct options *options, const struct row *row)
{
    return (char *)options + row->offset;
}

static int input_add(struct options *options, const char *input)
{
    const char **inputs = realloc(options->inputs, (options->n_inputs + 1) * sizeof *inputs);

    if (inputs == NULL)
        return -ENOMEM;
    inputs[options->n_inputs++] = input;
    options->inputs = inputs;
    return 0;
}

static int assignment_add(struct options *options, const char *key, const char *value)
{
    char **assignments = realloc(options->assignments, (options->n_assignments + 1) * sizeof *assignments);
    int length;

    if (assignments == NULL)
        return -ENOMEM;
    options->assignments = assignments;
    if (key == NULL)
        length = asprintf(&assignments[options->n_assignments], "%s", value);
    else
        length = asprintf(&assignments[options->n_assignments], "%s=%s", key, value);
    if (length < 0)
        return -ENOMEM;
    options->n_assignments++;
    return 0;
}

static int number_take(uint64_t *number, const struct row *row, const char *text, uint64_t most,
                       struct error *err)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > most)
        return error_set(err, -EINVAL, "--%s: '%s' is not a whole number up to %llu", row->long_name, text,
                         (unsigned long long)most);
    *number = value;
    return 0;
}

static int share_take(double *share, const struct row *row, const char *text, struct error *err)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= 0 && value < 1))
        return error_set(err, -EINVAL, "--%s: '%s' is not a number from 0 to below 1", row->long_name, text);
    *share = value;
    return 0;
}

static int command_take(struct options *options, const struct row *row, const char *argument,
                        struct error *err)
{
    if (options->command != COMMANDS && options->command != row->command)
        return error_set(err, -EINVAL, "--%s and another command cannot go together", row->long_name);
    options->command = row->command;
    if (row->key != NULL)
        return assignment_add(options, row->key, argument);
    return argument != NULL ? input_add(options, argument) : 0;
}

/* Do what one option on the command line asks for. */
static int row_take(struct options *options, const struct row *row, const char *argument, struct error *err)
{
    uint64_t number = 0;
    int r;

    switch (row->kind) {
    case KIND_COMMAND:
        return command_take(options, row, argument, err);
    case KIND_TEXT:
        *(const char **)field(options, row) = argument;
        return 0;
    case KIND_FLAG:
        *(bool *)field(options, row) = true;
        return 0;
    case KIND_COUNT:
        r = number_take(&number, row, argument, UINT32_MAX, err);
        if (r == 0)
            *(uint32_t *)field(options, row) = (uint32_t)number;
        return r;
    case KIND_SEED:
        return number_take(field(options, row), row, argument, UINT64_MAX, err);
    case KIND_SHARE:
        return share_take(field(options, row), row, argument, err);
    case KIND_KEY:
        return assignment_add(options, row->key, argument);
    }
    return 0;
}

/* The table in the form that getopt_long() takes. The leading "-" keeps operands in their order. */
static void getopt_tables(char *short_options, struct option *long_options)
{
    *short_options++ = '-';
    *short_options++ = ':';
    for (size_t i = 0; i < N_ROWS; i++) {
        long_options[i] = (struct option){
            .name = rows[i].long_name,
            .has_arg = rows[i].argument != NULL ? required_argument : no_argument,
            .val = FIRST_LONG + (int)i,
        };
        if (rows[i].short_name != 0) {
            *short_options++ = rows[i].short_name;
            if (rows[i].argument != NULL)
                *short_options++ = ':';
        }
    }
    long_options[N_ROWS] = (struct option){0};
    *short_options = '\0';
}

static const struct row *row_find(int value)
{
    if (value >= FIRST_LONG)
        return &rows[value - FIRST_LONG];
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].short_name == value)
            return &rows[i];
    }
    return NULL;
}

/* What getopt_long() refused, in words. */
static int refuse(int value, char *argv[], struct error *err)
{
    const struct row *row = optopt != 0 ? row_find(optopt) : NULL;

    if (value == ':' && row != NULL)
        return error_set(err, -EINVAL, "--%s needs %s", row->long_name, row->argument);
    if (row != NULL)
        return error_set(err, -EINVAL, "--%s takes no argument", row->long_name);
    if (optopt != 0)
        return error_set(err, -EINVAL, "there is no option -%c", optopt);
    return error_set(err, -EINVAL, "there is no option %s, or it is short for several", argv[optind - 1]);
}

/* Whether what was given goes together. */
static int check(const struct options *options, const bool seen[N_ROWS], struct error *err)
{
    if (options->command == COMMAND_DESCRIBE && options->n_inputs != 1)
        return error_set(err, -EINVAL, "--describe takes one file");
    if (options->command == COMMAND_TRAIN && options->output == NULL)
        return error_set(err, -EINVAL, "--train needs -o MODEL");
    for (size_t i = 0; i < N_ROWS; i++) {
        if (seen[i] && rows[i].kind != KIND_COMMAND && (rows[i].commands & ON(options->command)) == 0)
            return error_set(err, -EINVAL, "--%s has no meaning with this command", rows[i].long_name);
    }
    return 0;
}

static bool takes_inputs(enum command command)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].kind == KIND_COMMAND && rows[i].command == command)
            return rows[i].argument != NULL && rows[i].key == NULL;
    }
    return false;
}

static int parse(struct options *options, int argc, char *argv[], struct error *err)
{
    char short_options[2 * N_ROWS + 3];
    struct option long_options[N_ROWS + 1];
    bool seen[N_ROWS] = {false};
    const struct row *row;
    int r = 0;
    int value;

    getopt_tables(short_options, long_options);
    optind = 0; /* start anew, also for a second call */
    while (r == 0 && (value = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        if (value == 1) {
            r = input_add(options, optarg);
            continue;
        }
        row = row_find(value);
        if (row == NULL)
            return refuse(value, argv, err);
        seen[row - rows] = true;
        r = row_take(options, row, optarg, err);
    }
    while (r == 0 && optind < argc)
        r = input_add(options, argv[optind++]);
    if (r == -ENOMEM)
        return error_set(err, r, "out of memory");
    if (options->command == COMMANDS)
        options->command = COMMAND_LIVE;
    if (r == 0 && options->n_inputs > 0 && !takes_inputs(options->command))
        return error_set(err, -EINVAL, "'%s' is no option", options->inputs[0]);
    return r < 0 ? r : check(options, seen, err);
}

int options_parse(struct options *options, int argc, char *argv[], struct error *err)
{
    struct options taken = defaults;
    int r = parse(&taken, argc, argv, err);

    if (r < 0) {
        options_deinit(&taken);
        return r;
    }
    *options = taken;
    return 0;
}

void options_deinit(struct options *options)
{
    for (size_t i = 0; i < options->n_assignments; i++)
        free(options->assignments[i]);
    free(options->assignments);
    free(options->inputs);
    *options = (struct options){0};
}

/* "-c, --config FILE"; a row that shares its line leaves out what would not fit. */
static size_t row_name(char *text, size_t size, const struct row *row, bool shares)
{
    char short_name[8] = "";

    if (row->short_name != 0)
        (void)snprintf(short_name, sizeof short_name, "-%c%s", row->short_name, shares ? " " : ", ");
    return (size_t)snprintf(text, size, "%s--%s%s%s", shares || row->short_name != 0 ? short_name : "    ",
                            row->long_name, row->argument != NULL ? " " : "",
                            row->argument != NULL ? row->argument : "");
}

void options_help(FILE *to)
{
    enum { HELP_COLUMN = 30 };
    char names[256];
    size_t length = 0;
    bool shares = false;

    (void)fprintf(to, "flowclassd: names the flows of a network with a small neural network.\n\n"
                      "Commands\n");
    for (size_t i = 0; i < N_ROWS; i++) {
        const struct row *row = &rows[i];

        if (i > 0 && row->kind != KIND_COMMAND && rows[i - 1].kind == KIND_COMMAND)
            (void)fprintf(to, "Options\n");
        shares = shares || row->help == NULL;
        length += row_name(names + length, sizeof names - length, row, shares);
        if (row->help == NULL) {
            names[length++] = ' ';
            continue;
        }
        if (length > HELP_COLUMN - 3)
            (void)fprintf(to, "  %s\n  %-*s%s\n", names, HELP_COLUMN - 2, "", row->help);
        else
            (void)fprintf(to, "  %-*s%s\n", HELP_COLUMN - 2, names, row->help);
        length = 0;
        shares = false;
    }
}
