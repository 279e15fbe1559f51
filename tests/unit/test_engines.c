/* Which engine a configuration leads to, with modules that work, do not, or are none. */
#include "daemon/engines.h"

#include <errno.h>
#include <string.h>

#include "core/tree/tree_json.h"
#include "tests/unit/faults.h"

static struct model *model, *deep;

static struct config_classify config_of(enum config_engine engine, const char *module)
{
    return (struct config_classify){.engine = (int)engine, .module = (char *)module, .threads = 1};
}

static int find(enum config_engine engine, const char *module, const struct engine_ops **opsp,
                struct error *err)
{
    const struct config_classify config = config_of(engine, module);

    return engines_find(opsp, &config, err);
}

static const char *choose(enum config_engine engine, const char *module)
{
    const struct config_classify config = config_of(engine, module);
    const struct engine_ops *ops;
    struct error err = {0};

    ck_assert_msg(engines_choose(&ops, &config, model, &err) == 0, "%s", err.text);
    return ops->name;
}

START_TEST(a_module_is_found)
{
    const struct engine_ops *ops;
    struct error err;

    ck_assert_int_eq(find(CONFIG_ENGINE_AUTO, FAULTY_MODULE, &ops, &err), 0);
    ck_assert_str_eq(ops->name, "cuda");
    ck_assert_int_eq(find(CONFIG_ENGINE_CUDA, FAULTY_MODULE, &ops, &err), 0);
    ck_assert_str_eq(ops->name, "cuda");
    ck_assert_int_eq(find(CONFIG_ENGINE_CPU, FAULTY_MODULE, &ops, &err), 0);
    ck_assert_ptr_null(ops);
}
END_TEST

START_TEST(what_is_no_module_is_done_without_unless_demanded)
{
    static const struct {
        const char *module;
        const char *reason;
    } bad[] = {
        {"/nonexistent/engine.so", "cannot be loaded: /nonexistent/engine.so"},
        {SOURCE_ROOT "/meson.build", "cannot be loaded: "},
        {OTHER_MODULE, OTHER_MODULE " is no engine"},
        {OLDER_MODULE, OLDER_MODULE " is no engine for this version of flowclassd"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct engine_ops *ops;
        struct error err = {0};

        ck_assert_int_eq(find(CONFIG_ENGINE_AUTO, bad[i].module, &ops, &err), 0);
        ck_assert_ptr_null(ops);
        ck_assert_int_eq(find(CONFIG_ENGINE_CUDA, bad[i].module, &ops, &err), -ENODEV);
        ck_assert_msg(strstr(err.text, bad[i].reason) != NULL, "%s", err.text);
        ck_assert_str_eq(choose(CONFIG_ENGINE_AUTO, bad[i].module), "cpu");
    }
}
END_TEST

START_TEST(an_engine_is_chosen_if_its_answers_are_right)
{
    static const char *const faults[] = {"no-device", "no-tree", "no-memory", "wrong", "nan"};
    const struct config_classify demanded = config_of(CONFIG_ENGINE_CUDA, FAULTY_MODULE);
    const struct engine_ops *ops;
    struct error err = {0};

    fault("none");
    ck_assert_str_eq(choose(CONFIG_ENGINE_AUTO, FAULTY_MODULE), "cuda");
    ck_assert_str_eq(choose(CONFIG_ENGINE_CUDA, FAULTY_MODULE), "cuda");
    ck_assert_str_eq(choose(CONFIG_ENGINE_CPU, FAULTY_MODULE), "cpu");
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        fault(faults[i]);
        ck_assert_str_eq(choose(CONFIG_ENGINE_AUTO, FAULTY_MODULE), "cpu");
        ck_assert_int_eq(engines_choose(&ops, &demanded, model, &err), -ENODEV);
        ck_assert_ptr_nonnull(strstr(err.text, "engine cuda cannot be used: "));
    }
}
END_TEST

enum { BATCH = 8 };

static int choose_for_learning(enum config_engine engine, const struct engine_ops **opsp, struct error *err)
{
    const struct config_classify config = config_of(engine, FAULTY_MODULE);

    return engines_choose_for_learning(opsp, &config, deep, BATCH, err);
}

/* Tell the engine, whose passes count from here on. */
static void fault_anew(const char *what)
{
    fault("none");
    ck_assert_str_eq(choose(CONFIG_ENGINE_CUDA, FAULTY_MODULE), "cuda");
    fault(what);
}

START_TEST(an_engine_learns_if_it_learns_the_same)
{
    static const struct {
        const char *fault;
        const char *reason;
    } faults[] = {
        {"no-device", "there is no device"},
        {"wrong", "self-test: logits differ"},
        {"gone 5", "the device is gone"},
        {"nan 4", "self-test: losses are not finite"},
        {"gradient", "self-test: gradients differ"},
        {"gradient 11", "self-test: gradients differ"}, /* of the last lesson alone */
    };
    const struct engine_ops *ops;
    struct error err = {0};

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        fault_anew(faults[i].fault);
        ck_assert_int_eq(choose_for_learning(CONFIG_ENGINE_AUTO, &ops, &err), 0);
        ck_assert_str_eq(ops->name, "cpu");
        fault_anew(faults[i].fault);
        ck_assert_int_eq(choose_for_learning(CONFIG_ENGINE_CUDA, &ops, &err), -ENODEV);
        ck_assert_msg(strstr(err.text, "engine cuda cannot be used: ") == err.text &&
                          strstr(err.text, faults[i].reason) != NULL,
                      "%s: %s", faults[i].fault, err.text);
    }
}
END_TEST

/* Pass 14 is the first that is timed. */
START_TEST(an_engine_learns_if_it_is_faster_or_demanded)
{
    const struct engine_ops *ops;
    struct error err = {0};

    fault("none");
    ck_assert_int_eq(choose_for_learning(CONFIG_ENGINE_AUTO, &ops, &err), 0);
    ck_assert_str_eq(ops->name, "cuda");
    ck_assert_int_eq(choose_for_learning(CONFIG_ENGINE_CPU, &ops, &err), 0);
    ck_assert_str_eq(ops->name, "cpu");
    fault_anew("slow 14");
    ck_assert_int_eq(choose_for_learning(CONFIG_ENGINE_AUTO, &ops, &err), 0);
    ck_assert_str_eq(ops->name, "cpu");
    fault_anew("slow 14");
    ck_assert_int_eq(choose_for_learning(CONFIG_ENGINE_CUDA, &ops, &err), 0);
    ck_assert_str_eq(ops->name, "cuda");
}
END_TEST

int main(void)
{
    static const char json[] = "{\"format\": 1, \"name\": \"small\", \"labels\": [\"a\", \"b\"],"
                               " \"padding\": \"none\", \"root\": {\"name\": \"root\","
                               " \"input\": {\"select\": [\"num_pkts_out\"]},"
                               " \"layers\": [{\"dense\": 2, \"activation\": \"softmax\"}]}}";
    static const char *const labels[] = {"a", "b"};
    struct tree *tree, *large;
    int status;

    if (!faults_init() || tree_parse(&tree, "small", json, strlen(json), NULL, 0, NULL) < 0 ||
        model_new(&model, tree, 1) < 0 ||
        tree_load(&large, SOURCE_ROOT "/etc/trees/flowtree.json", labels, 2, NULL) < 0 ||
        model_new(&deep, large, 1) < 0)
        return EXIT_FAILURE;
    status = UNIT_RUN("engines", a_module_is_found, what_is_no_module_is_done_without_unless_demanded,
                      an_engine_is_chosen_if_its_answers_are_right, an_engine_learns_if_it_learns_the_same,
                      an_engine_learns_if_it_is_faster_or_demanded);
    model_free(model);
    model_free(deep);
    faults_deinit();
    return status;
}
