#include "daemon/config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct config config;
static struct error err;

static void fresh(void)
{
    config_deinit(&config);
    ck_assert_int_eq(config_init(&config), 0);
    err = (struct error){0};
}

START_TEST(defaults_hold_without_a_file)
{
    fresh();
    ck_assert_int_eq(config_load(&config, "/nonexistent/flowclassd.conf", false, &err), 0);
    ck_assert_int_eq(config.flows.idle_timeout, 10000000);
    ck_assert_int_eq(config.flows.active_timeout, 30000000);
    ck_assert_uint_eq(config.flows.packets, 50);
    ck_assert_uint_eq(config.classify.batch, 1024);
    ck_assert_str_eq(config.classify.model, "");
    ck_assert_int_eq(config_check(&config, &err), 0);
    ck_assert_int_eq(config_load(&config, "/nonexistent/flowclassd.conf", true, &err), -ENOENT);
    ck_assert_str_eq(err.text, "/nonexistent/flowclassd.conf: No such file or directory");
}
END_TEST

START_TEST(every_type_is_read)
{
    fresh();
    ck_assert_int_eq(config_parse(&config, "t",
                                  "\xEF\xBB\xBF# comment\n"
                                  "[flows]\n"
                                  "  rules = joy   ; indented, with a comment behind it\n"
                                  "idle_timeout=250ms\n"
                                  "max_flows = 500\n"
                                  "memory = 64M\n"
                                  "byte_dist = yes\n"
                                  "\n"
                                  "[classify]\n"
                                  "model = /a b/c.safetensors\n"
                                  "threshold = 0.625\n"
                                  "delay = 2s\n",
                                  &err),
                     0);
    ck_assert_str_eq(config_rules_names[config.flows.rules], "joy");
    ck_assert_int_eq(config.flows.idle_timeout, 250000);
    ck_assert_uint_eq(config.flows.max_flows, 500);
    ck_assert_uint_eq(config.flows.memory, 64u << 20);
    ck_assert(config.flows.byte_dist);
    ck_assert_str_eq(config.classify.model, "/a b/c.safetensors");
    ck_assert_double_eq(config.classify.threshold, 0.625);
    ck_assert_int_eq(config.classify.delay, 2000000);
}
END_TEST

static const struct {
    const char *text, *message;
} wrong[] = {
    {"[flow]\n", "t:1: there is no section [flow]"},
    {"\n[flows]\nidle_timeot = 10s\n", "t:3: [flows] has no key 'idle_timeot'"},
    {"rules = joy\n", "t:1: 'rules' stands before any [section]"},
    {"[flows]\nrules joy\n", "t:2: neither [section] nor key = value"},
    {"[flows\nrules = joy\n", "t:1: the section has no closing ']'"},
    {"[flows]\nrules = joy\nrules = joy\n", "t:3: 'rules' was given on line 2 already"},
    {"[flows]\nrules = jay\n", "t:2: rules: 'jay' is none of: flowclassd, joy"},
    {"[flows]\nidle_timeout = 10\n",
     "t:2: idle_timeout: '10' is not a time (a whole number with us, ms, s, m, h or d)"},
    {"[flows]\nidle_timeout = ten\n",
     "t:2: idle_timeout: 'ten' is not a time (a whole number with us, ms, s, m, h or d)"},
    {"[flows]\nidle_timeout = 10 s\n",
     "t:2: idle_timeout: '10 s' is not a time (a whole number with us, ms, s, m, h or d)"},
    {"[flows]\nidle_timeout = 2d\n", "t:2: idle_timeout: '2d' is not between 1ms and 1d"},
    {"[flows]\nidle_timeout = 0\n", "t:2: idle_timeout: '0' is not between 1ms and 1d"},
    {"[flows]\nidle_timeout = 99999999999999d\n", "t:2: idle_timeout: '99999999999999d' is too large"},
    {"[flows]\nidle_timeout = 99999999999999999999s\n",
     "t:2: idle_timeout: '99999999999999999999s' is too large"},
    {"[flows]\nmemory = 1T\n",
     "t:2: memory: '1T' is not a size (a whole number of octets, or with K, M or G)"},
    {"[flows]\nmemory = -1\n",
     "t:2: memory: '-1' is not a size (a whole number of octets, or with K, M or G)"},
    {"[flows]\npackets = 51\n", "t:2: packets: '51' is not between 1 and 50"},
    {"[flows]\npackets =\n", "t:2: packets: '' is not a whole number"},
    {"[flows]\npackets = 5K\n", "t:2: packets: '5K' is not a whole number"},
    {"[flows]\nbyte_dist = true\n", "t:2: byte_dist: 'true' is neither yes nor no"},
    {"[classify]\nthreshold = 1.5\n", "t:2: threshold: '1.5' is not a number between 0 and 1"},
    {"[classify]\nthreshold = nan\n", "t:2: threshold: 'nan' is not a number between 0 and 1"},
    {"[classify]\nthreshold = 0.5x\n", "t:2: threshold: '0.5x' is not a number between 0 and 1"},
    /* The first error stands. */
    {"[flows]\nrules = a\nmemory = b\n[nothing]\n", "t:2: rules: 'a' is none of: flowclassd, joy"},
};

START_TEST(every_error_names_its_line)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        fresh();
        ck_assert_msg(config_parse(&config, "t", wrong[i].text, &err) == -EINVAL, "%s", wrong[i].text);
        ck_assert_str_eq(err.text, wrong[i].message);
        ck_assert_int_eq(err.code, -EINVAL);
    }
}
END_TEST

START_TEST(long_lines_are_refused_not_cut)
{
    char text[1024] = "[classify]\nmodel = ";

    fresh();
    memset(text + strlen(text), 'x', 400);
    ck_assert_int_eq(config_parse(&config, "t", text, &err), -EINVAL);
    ck_assert_str_eq(err.text, "t:2: the line is longer than 198 characters");
}
END_TEST

static const struct {
    const char *assignment, *message; /* message NULL: right */
} assignments[] = {
    {"flows.rules=joy", NULL},
    {"classify.model=a=b.c", NULL},
    {"classify.model=", NULL},
    {"flows.rules", "'flows.rules' is not of the form section.key=value"},
    {"rules=joy", "'rules=joy' is not of the form section.key=value"},
    {"rules=a.b", "'rules=a.b' is not of the form section.key=value"},
    {"flows.rule=joy", "there is no key 'flows.rule'"},
    {"flow.rules=joy", "there is no key 'flow.rules'"},
    {"flows.ids=x", "flows.ids: 'x' is not a whole number"},
};

START_TEST(keys_are_set_by_name)
{
    for (size_t i = 0; i < sizeof assignments / sizeof assignments[0]; i++) {
        fresh();
        ck_assert_int_eq(config_set(&config, assignments[i].assignment, &err),
                         assignments[i].message == NULL ? 0 : -EINVAL);
        if (assignments[i].message != NULL)
            ck_assert_str_eq(err.text, assignments[i].message);
    }
    fresh();
    ck_assert_int_eq(config_set(&config, "classify.model=a=b.c", &err), 0);
    ck_assert_str_eq(config.classify.model, "a=b.c");
}
END_TEST

START_TEST(values_must_go_together)
{
    fresh();
    ck_assert_int_eq(config_set(&config, "flows.active_timeout=5s", &err), 0);
    ck_assert_int_eq(config_check(&config, &err), -EINVAL);
    ck_assert_str_eq(err.text, "flows.active_timeout is shorter than flows.idle_timeout");
    fresh();
    ck_assert_int_eq(config_set(&config, "capture.workers=64", &err), 0);
    ck_assert_int_eq(config_check(&config, &err), 0);
    ck_assert_int_eq(config_set(&config, "capture.buffer=63M", &err), 0);
    ck_assert_int_eq(config_check(&config, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "capture.workers"));
}
END_TEST

static char *dumped(void)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(config_dump(&config, file), 0);
    (void)fclose(file);
    return text;
}

START_TEST(what_is_dumped_is_read_back)
{
    char *before, *after;

    fresh();
    ck_assert_int_eq(config_set(&config, "flows.idle_timeout=1500ms", &err), 0);
    ck_assert_int_eq(config_set(&config, "flows.memory=5000K", &err), 0);
    ck_assert_int_eq(config_set(&config, "flows.byte_dist=yes", &err), 0);
    ck_assert_int_eq(config_set(&config, "classify.threshold=0.1", &err), 0);
    ck_assert_int_eq(config_set(&config, "classify.model=/x y", &err), 0);
    before = dumped();
    ck_assert_ptr_nonnull(strstr(before, "\nidle_timeout = 1500ms\n"));
    ck_assert_ptr_nonnull(strstr(before, "\nmemory = 5000K\n"));
    ck_assert_ptr_nonnull(strstr(before, "\nthreshold = 0.1\n"));
    fresh();
    ck_assert_int_eq(config_parse(&config, "dump", before, &err), 0);
    after = dumped();
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

static void file_write(const char *folder, const char *name, const char *text)
{
    char path[512];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(drop_ins_win_in_order_of_name)
{
    char folder[] = "/tmp/test_config.XXXXXX";
    char path[256], drop_ins[300], expected[400];

    fresh();
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/f.conf", folder);
    (void)snprintf(drop_ins, sizeof drop_ins, "%s.d", path);
    ck_assert_int_eq(mkdir(drop_ins, 0755), 0);
    file_write(folder, "f.conf", "[flows]\nids = 1\npackets = 1\nmax_flows = 100\n");
    file_write(drop_ins, "20.conf", "[flows]\nids = 3\n");
    file_write(drop_ins, "10.conf", "[flows]\nids = 2\npackets = 2\n");
    file_write(drop_ins, "30.disabled", "nonsense");
    ck_assert_int_eq(config_load(&config, path, true, &err), 0);
    ck_assert_uint_eq(config.flows.ids, 3);
    ck_assert_uint_eq(config.flows.packets, 2);
    ck_assert_uint_eq(config.flows.max_flows, 100);

    file_write(drop_ins, "40.conf", "[flows]\nids = no\n");
    ck_assert_int_eq(config_load(&config, path, true, &err), -EINVAL);
    (void)snprintf(expected, sizeof expected, "%s/40.conf:2: ids: 'no' is not a whole number", drop_ins);
    ck_assert_str_eq(err.text, expected);

    ck_assert_int_eq(config_load(&config, folder, true, &err), -EISDIR);
    (void)snprintf(expected, sizeof expected, "rm -r %s", folder);
    ck_assert_int_eq(system(expected), 0);
}
END_TEST

int main(void)
{
    int status =
        UNIT_RUN("config", defaults_hold_without_a_file, every_type_is_read, every_error_names_its_line,
                 long_lines_are_refused_not_cut, keys_are_set_by_name, values_must_go_together,
                 what_is_dumped_is_read_back, drop_ins_win_in_order_of_name);

    config_deinit(&config);
    return status;
}
