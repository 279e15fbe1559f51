/* A training that runs out of memory, wherever it does, is an error and no more; one that ends well has all
 * of its figures. */
#include "core/learn/learn.h"

#include <string.h>
#include <unistd.h>

#include "tests/unit/allocations.h"
#include "tests/unit/flows.h"
#include "tests/unit/unit.h"

static const char *const labels[] = {"news", "video", "other"};
static const char small_tree[] = "{\"format\": 1, \"name\": \"small\", \"root\": {\"name\": \"root\","
                                 "  \"input\": {\"select\": [\"udp\"], \"standardise\": {}},"
                                 "  \"children\": [{\"name\": \"pkt\", \"input\": {\"each\": \"packets\", "
                                 "\"first\": 3, \"select\": [\"b\"]},"
                                 "                  \"layers\": [{\"gru\": 2}]}],"
                                 "  \"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}";

static void write_tree(char *path)
{
    int descriptor = mkstemp(path);

    ck_assert_int_ge(descriptor, 0);
    ck_assert_int_eq(write(descriptor, small_tree, sizeof small_tree - 1), sizeof small_tree - 1);
    (void)close(descriptor);
}

/* Return: the record of a training, NULL: it failed. No assertions: Check needs memory for them. */
static char *learn(const struct dataset *dataset, const struct learn_options *options, struct error *err)
{
    struct learn_result result;
    char *training;

    err->text[0] = '\0';
    if (learn_model(&result, dataset, options, err) < 0)
        return NULL;
    training = result.model->training;
    result.model->training = NULL;
    learn_result_deinit(&result);
    return training;
}

START_TEST(memory_may_end_anywhere)
{
    char path[] = "/tmp/test_learn_failures.XXXXXX";
    struct dataset *dataset = flows_even(labels, 3, 4, 5);
    struct learn_options options = learn_defaults();
    unsigned long n_failed = 0, n = 0, made;
    char *whole, *training;
    struct error err;

    write_tree(path);
    options.tree_path = path;
    options.epochs = 1;
    options.holdout = 0.25;
    options.engine_options.threads = 1;
    whole = learn(dataset, &options, &err);
    ck_assert_ptr_nonnull(whole);
    do {
        allocations_fail_at(n);
        training = learn(dataset, &options, &err);
        made = allocations_fail_none();
        n_failed += training == NULL;
        if (training != NULL)
            ck_assert_str_eq(training, whole);
        else
            ck_assert_str_ne(err.text, "");
        cJSON_free(training);
    } while (made > n++);
    ck_assert_uint_gt(n_failed, 100);
    cJSON_free(whole);
    (void)unlink(path);
    dataset_free(dataset);
}
END_TEST

int main(void)
{
    return UNIT_RUN("learn_failures", memory_may_end_anywhere);
}
