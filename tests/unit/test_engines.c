/* Which engine a configuration leads to, with modules that work, do not, or are none. */
#include "daemon/engines.h"

#include <errno.h>
#include <string.h>

#include "core/tree/tree_json.h"
#include "tests/unit/faults.h"

static struct model *model;

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

int main(void)
{
    static const char json[] = "{\"format\": 1, \"name\": \"small\", \"labels\": [\"a\", \"b\"],"
                               " \"padding\": \"none\", \"root\": {\"name\": \"root\","
                               " \"input\": {\"select\": [\"num_pkts_out\"]},"
                               " \"layers\": [{\"dense\": 2, \"activation\": \"softmax\"}]}}";
    struct tree *tree;
    int status;

    if (!faults_init() || tree_parse(&tree, "small", json, strlen(json), NULL, 0, NULL) < 0 ||
        model_new(&model, tree, 1) < 0)
        return EXIT_FAILURE;
    status = UNIT_RUN("engines", a_module_is_found, what_is_no_module_is_done_without_unless_demanded,
                      an_engine_is_chosen_if_its_answers_are_right);
    model_free(model);
    faults_deinit();
    return status;
}
