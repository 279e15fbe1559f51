/* The machine around a training child, with a shell script in the child's place that leaves a prepared
 * candidate. */
#include "daemon/retrain.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/tree/model_file.h"
#include "core/tree/tree_json.h"
#include "tests/unit/unit.h"

static const char tree_text[] =
    "{\"format\": 1, \"name\": \"tiny\", \"labels\": [\"a\", \"b\"], \"padding\": \"none\","
    " \"root\": {\"name\": \"root\", \"input\": {\"select\": [\"bytes_in\"]},"
    " \"layers\": [{\"dense\": 2, \"activation\": \"softmax\"}]}}";

static char folder[32];
static char program[64];
static struct event_base *base;
static struct model_store store;
static struct retrain *retrain;
static struct retrain_status told; /* by on_end */
static char told_path[MODEL_STORE_PATH_MAX];
static int ends;

static void on_end(void *context, const struct retrain_status *status, const char *path)
{
    (void)context;
    told = *status;
    (void)snprintf(told_path, sizeof told_path, "%s", path);
    ends++;
    (void)event_base_loopbreak(base);
}

/* Save a model at FOLDER/prepared whose gate says so. Return: its id. */
static const char *prepare(bool better, unsigned learnt)
{
    static char id[MODEL_ID_LENGTH + 1];
    static uint64_t seed;
    char path[64];
    char training[256];
    struct model *model;
    struct tree *tree;

    (void)snprintf(path, sizeof path, "%s/prepared", folder);
    (void)snprintf(
        training, sizeof training,
        "{\"split\":{\"learnt\":%u},\"gate\":{\"better\":%s,\"why\":\"a reason\",\"current_id\":\"\","
        "\"flows\":50,\"candidate\":{\"accuracy\":0.5,\"macro_f1\":0.25}}}",
        learnt, better ? "true" : "false");
    ck_assert_int_eq(tree_parse(&tree, "tiny", tree_text, strlen(tree_text), NULL, 0, NULL), 0);
    ck_assert_int_eq(model_new(&model, tree, ++seed), 0);
    model->training = strdup(training);
    ck_assert_int_eq(model_save(model, path, NULL), 0);
    strcpy(id, model->id);
    model_free(model);
    return id;
}

/* What runs instead of flowclassd --train; "$out" is where the candidate goes, "$dir" is the folder. */
static void script(const char *body)
{
    FILE *file = fopen(program, "w");

    ck_assert_ptr_nonnull(file);
    (void)fprintf(file,
                  "#!/bin/sh\ndir=%s\necho \"$@\" >$dir/arguments\n"
                  "while [ \"$1\" != --output ]; do shift; done; out=$2\n%s\n",
                  folder, body);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(program, 0700), 0);
}

static char setting[] = "classify.engine=cpu";
static char *settings[] = {setting};

static struct retrain_config config_here(void)
{
    return (struct retrain_config){.base = base,
                                   .store = &store,
                                   .program = program,
                                   .configuration = "some/file.conf",
                                   .settings = settings,
                                   .n_settings = 1,
                                   .tree = "some/tree.json",
                                   .directories = {"archives/one", "archives/two"},
                                   .min_flows = 100,
                                   .holdout = 0.25,
                                   .on_end = on_end};
}

static void set_up(const struct retrain_config *config)
{
    char models[48];

    strcpy(folder, "/tmp/test_retrain.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(program, sizeof program, "%s/program", folder);
    (void)snprintf(models, sizeof models, "%s/models", folder);
    ck_assert_int_eq(mkdir(models, 0700), 0);
    ck_assert_int_eq(model_store_open(&store, models, 3, NULL), 0);
    base = event_base_new();
    ends = 0;
    struct retrain_config chosen = config != NULL ? *config : config_here();
    chosen.base = base;
    ck_assert_int_eq(retrain_new(&retrain, &chosen, NULL), 0);
}

static void tear_down(void)
{
    char command[64];

    retrain_free(retrain);
    event_base_free(base);
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void run(void)
{
    struct error err = {0};
    int before = ends;

    ck_assert_msg(retrain_start(retrain, &err) == 0, "%s", err.text);
    ck_assert(retrain_status(retrain)->training);
    ck_assert_int_eq(retrain_start(retrain, &err), -EALREADY);
    (void)event_base_dispatch(base);
    ck_assert_int_eq(ends, before + 1);
    ck_assert(!told.training);
}

static void check_no_candidate(void)
{
    char path[MODEL_STORE_PATH_MAX];

    model_store_candidate(&store, path);
    ck_assert_int_lt(access(path, F_OK), 0);
}

static void check_arguments(const char *expected)
{
    char command[256];

    (void)snprintf(command, sizeof command, "grep -q -e '%s' %s/arguments", expected, folder);
    ck_assert_msg(system(command) == 0, "%s", expected);
}

START_TEST(a_better_candidate_becomes_current)
{
    char path[MODEL_STORE_PATH_MAX];

    set_up(NULL);
    script("echo learning; cp $dir/prepared $out");
    for (int i = 1; i <= 2; i++) {
        const char *id = prepare(true, 100);

        run();
        ck_assert_int_eq(told.outcome, RETRAIN_PROMOTED);
        ck_assert_uint_eq(told.promoted, (uint64_t)i);
        ck_assert_ptr_nonnull(strstr(told.text, id));
        ck_assert_int_eq(model_store_current(&store, path, NULL), 0);
        ck_assert_str_eq(path, told_path);
        ck_assert_ptr_nonnull(strstr(path, id));
        ck_assert(told.has_gate);
        ck_assert_double_eq(told.gate.candidate.accuracy, 0.5);
        ck_assert_str_eq(told.progress, "learning");
        check_no_candidate();
    }
    check_arguments("--train archives/one archives/two --config some/file.conf --set classify.engine=cpu "
                    "--tree some/tree.json --holdout 0.25 --output .*/candidate "
                    "--against .*/models/00000001-.*.safetensors$");
    tear_down();
}
END_TEST

static const struct {
    const char *body;
    bool better;
    unsigned learnt;
    enum retrain_outcome outcome;
    const char *text;
} endings[] = {
    {"cp $dir/prepared $out", false, 100, RETRAIN_REFUSED, "refused: a reason"},
    {"cp $dir/prepared $out", true, 99, RETRAIN_REFUSED, "learnt from 99 flows, 100 are wanted"},
    {"cp $dir/prepared $out; kill -9 $$", true, 100, RETRAIN_FAILED, "signal 9"},
    {"kill -SEGV $$", true, 100, RETRAIN_FAILED, "signal 11"},
    {"cp $dir/prepared $out; echo archives are damaged; exit 65", true, 100, RETRAIN_FAILED,
     "status 65: archives are damaged"},
    {":", true, 100, RETRAIN_FAILED, "candidate"},
    {"echo garbage >$out", true, 100, RETRAIN_FAILED, "candidate"},
    {"head -c 200 $dir/prepared >$out", true, 100, RETRAIN_FAILED, "candidate"},
};

START_TEST(whatever_fails_the_old_model_goes_on)
{
    char before[MODEL_STORE_PATH_MAX];
    char after[MODEL_STORE_PATH_MAX];

    set_up(NULL);
    script("cp $dir/prepared $out");
    (void)prepare(true, 100);
    run();
    ck_assert_int_eq(model_store_current(&store, before, NULL), 0);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        script(endings[i].body);
        (void)prepare(endings[i].better, endings[i].learnt);
        run();
        ck_assert_msg(told.outcome == endings[i].outcome && strstr(told.text, endings[i].text) != NULL,
                      "%s: %s", endings[i].body, told.text);
        ck_assert_int_eq(model_store_current(&store, after, NULL), 0);
        ck_assert_str_eq(before, after);
        ck_assert_str_eq(told_path, "");
        check_no_candidate();
    }
    ck_assert_uint_eq(told.runs, 1 + sizeof endings / sizeof *endings);
    ck_assert_uint_eq(told.runs, told.promoted + told.refused + told.failed);
    tear_down();
}
END_TEST

START_TEST(without_archives_there_is_nothing_to_do)
{
    struct retrain_config config = config_here();
    struct error err = {0};

    config.directories[0] = NULL;
    set_up(&config);
    ck_assert_int_eq(retrain_start(retrain, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "retrain.directories"));
    ck_assert_uint_eq(retrain_status(retrain)->runs, 0);
    tear_down();
}
END_TEST

START_TEST(the_interval_starts_runs_too)
{
    struct retrain_config config = config_here();

    config.interval = 50000;
    set_up(&config);
    (void)event_base_dispatch(base); /* there is no program yet */
    ck_assert_int_eq(told.outcome, RETRAIN_FAILED);
    ck_assert_ptr_nonnull(strstr(told.text, program));
    script("cp $dir/prepared $out");
    (void)prepare(true, 100);
    (void)event_base_dispatch(base);
    ck_assert_int_eq(told.outcome, RETRAIN_PROMOTED);
    ck_assert_uint_eq(told.runs, 2);
    tear_down();
}
END_TEST

START_TEST(a_run_ends_with_the_daemon)
{
    struct error err = {0};

    set_up(NULL);
    script("sleep 100");
    ck_assert_int_eq(retrain_start(retrain, &err), 0);
    tear_down();
    ck_assert_int_eq(ends, 0);
}
END_TEST

int main(void)
{
    return UNIT_RUN("retrain", a_better_candidate_becomes_current, whatever_fails_the_old_model_goes_on,
                    without_archives_there_is_nothing_to_do, the_interval_starts_runs_too,
                    a_run_ends_with_the_daemon);
}
