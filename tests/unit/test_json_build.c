/* When memory is short while JSON is built or written, the whole of it is missing, never a part. */
#include "core/json_build.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/learn/evaluate.h"
#include "core/learn/gate.h"
#include "core/tree/model_file.h"
#include "core/tree/tree_json.h"
#include "tests/unit/allocations.h"
#include "tests/unit/unit.h"

static const struct evaluation figures = {
    .n_labels = 2, .labels = {"news", "video"}, .other = -1, .flows = 12, .auroc = 0.75};
static const struct gate gate = {.current_id = "0123456789ab", .flows = 12, .why = "because"};
static const char tree_text[] =
    "{\"format\": 1, \"name\": \"t\", \"root\": {\"name\": \"root\", \"input\": {\"select\": [\"udp\"]},"
    " \"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}";

/* cJSON's own allocations go where the test's do. */
static void *library_malloc(size_t size)
{
    return malloc(size);
}

static void watch_library(void)
{
    cJSON_Hooks hooks = {.malloc_fn = library_malloc, .free_fn = free};

    cJSON_InitHooks(&hooks);
}

static char *evaluation_text(void)
{
    cJSON *json = evaluation_json(&figures);
    char *text = json == NULL ? NULL : cJSON_PrintUnformatted(json);

    cJSON_Delete(json);
    return text;
}

static char *gate_text(void)
{
    cJSON *json = gate_json(&gate);
    char *text = json == NULL ? NULL : cJSON_PrintUnformatted(json);

    cJSON_Delete(json);
    return text;
}

/* The tree with the labels of the archive folders in its text. */
static char *tree_with_labels(void)
{
    static const char *const labels[] = {"news", "video"};
    struct tree *tree;
    char *text;

    if (tree_parse(&tree, "FILE", tree_text, sizeof tree_text - 1, labels, 2, NULL) < 0)
        return NULL;
    text = strdup(tree->json);
    tree_free(tree);
    return text;
}

/* The header of a model file. */
static char *model_header(void)
{
    struct tree *tree;
    struct model *model;
    uint8_t *bytes;
    size_t size;
    char *text;

    if (tree_parse(&tree, "FILE", tree_text, sizeof tree_text - 1, NULL, 0, NULL) < 0)
        return NULL;
    if (model_new(&model, tree, 1) < 0) {
        tree_free(tree);
        return NULL;
    }
    if (model_print(model, &bytes, &size) < 0) {
        model_free(model);
        return NULL;
    }
    model_free(model);
    text = malloc(size + 1);
    if (text != NULL) {
        memcpy(text, bytes + MODEL_FILE_LENGTH_SIZE, size - MODEL_FILE_LENGTH_SIZE);
        text[size - MODEL_FILE_LENGTH_SIZE] = '\0';
    }
    free(bytes);
    return text;
}

static char *(*const makers[])(void) = {evaluation_text, gate_text, tree_with_labels, model_header};

START_TEST(all_or_nothing)
{
    char *whole, *text;

    watch_library();
    whole = makers[_i]();
    ck_assert_ptr_nonnull(whole);
    for (unsigned long n = 0;; n++) {
        allocations_fail_at(n);
        text = makers[_i]();
        if (allocations_fail_none() <= n)
            break;
        if (text != NULL)
            ck_assert_str_eq(text, whole);
        free(text);
    }
    ck_assert_str_eq(text, whole);
    free(text);
    free(whole);
}
END_TEST

START_TEST(what_is_no_number_is_null)
{
    struct json_build build = {false};
    cJSON *object = cJSON_CreateObject();

    json_build_number(&build, object, "there", 0.5);
    json_build_number(&build, object, "not", (double)NAN);
    json_build_text(&build, object, "text", NULL);
    object = json_build_end(&build, object);
    ck_assert_ptr_nonnull(object);
    ck_assert_double_eq(cJSON_GetObjectItem(object, "there")->valuedouble, 0.5);
    ck_assert(cJSON_IsNull(cJSON_GetObjectItem(object, "not")));
    ck_assert_str_eq(cJSON_GetObjectItem(object, "text")->valuestring, "");
    cJSON_Delete(object);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_build");
    TCase *tcase = tcase_create("json_build");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tcase, all_or_nothing, 0, sizeof makers / sizeof makers[0]);
    tcase_add_test(tcase, what_is_no_number_is_null);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
