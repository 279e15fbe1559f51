#include "daemon/model_store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/tree/model_file.h"
#include "core/tree/tree_json.h"
#include "tests/unit/unit.h"

static const char tree_text[] =
    "{\"format\": 1, \"name\": \"tiny\", \"labels\": [\"a\", \"b\"], \"padding\": \"none\","
    " \"root\": {\"name\": \"root\", \"input\": {\"select\": [\"bytes_in\", \"bytes_out\"]},"
    " \"layers\": [{\"dense\": 2, \"activation\": \"softmax\"}]}}";

static char folder[32];

static void folder_make(void)
{
    strcpy(folder, "/tmp/test_model_store.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void folder_remove(void)
{
    char command[64];

    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Write a model whose weights depend on the seed to where a training run would; its id goes to `id`. */
static void candidate_write(const struct model_store *store, uint64_t seed, char id[MODEL_ID_LENGTH + 1])
{
    char path[MODEL_STORE_PATH_MAX];
    struct model *model;
    struct tree *tree;

    ck_assert_int_eq(tree_parse(&tree, "tiny", tree_text, strlen(tree_text), NULL, 0, NULL), 0);
    ck_assert_int_eq(model_new(&model, tree, seed), 0);
    model_store_candidate(store, path);
    ck_assert_int_eq(model_save(model, path, NULL), 0);
    memcpy(id, model->id, MODEL_ID_LENGTH + 1);
    model_free(model);
}

static void promote(struct model_store *store, uint64_t seed, char id[MODEL_ID_LENGTH + 1])
{
    char path[MODEL_STORE_PATH_MAX];
    struct model_store_entry entry;
    struct error err = {0};

    candidate_write(store, seed, id);
    model_store_candidate(store, path);
    ck_assert_msg(model_store_promote(store, path, &entry, &err) == 0, "%s", err.text);
    ck_assert_str_eq(entry.id, id);
    ck_assert(entry.current);
}

/* The id of the model that a daemon starting now would serve. */
static void current_id(const struct model_store *store, char id[MODEL_ID_LENGTH + 1])
{
    char path[MODEL_STORE_PATH_MAX];
    struct error err = {0};
    struct model *model;

    ck_assert_msg(model_store_current(store, path, &err) == 0, "%s", err.text);
    ck_assert_msg(model_load(&model, path, &err) == 0, "%s", err.text);
    memcpy(id, model->id, MODEL_ID_LENGTH + 1);
    model_free(model);
}

static void check_current(const struct model_store *store, const char *expected)
{
    char id[MODEL_ID_LENGTH + 1];

    current_id(store, id);
    ck_assert_str_eq(id, expected);
}

START_TEST(an_empty_store_has_no_model)
{
    struct model_store_entry entries[MODEL_STORE_LIST_MAX];
    char path[MODEL_STORE_PATH_MAX];
    struct model_store store;
    struct error err = {0};

    folder_make();
    ck_assert_int_eq(model_store_open(&store, folder, 3, &err), 0);
    ck_assert_int_eq(model_store_current(&store, path, &err), -ENOENT);
    ck_assert_int_eq(model_store_rollback(&store, NULL, &err), -ENOENT);
    ck_assert_int_eq(model_store_list(&store, entries, &err), 0);
    folder_remove();
    ck_assert_int_eq(model_store_open(&store, folder, 3, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, folder));
    ck_assert_int_eq(model_store_open(&store, "/tmp", MODEL_STORE_LIST_MAX, &err), -EINVAL);
}
END_TEST

START_TEST(promotion_keeps_as_many_as_asked)
{
    struct model_store_entry entries[MODEL_STORE_LIST_MAX];
    struct model_store store;
    char ids[5][MODEL_ID_LENGTH + 1];

    folder_make();
    ck_assert_int_eq(model_store_open(&store, folder, 2, NULL), 0);
    for (uint64_t seed = 0; seed < 5; seed++) {
        promote(&store, seed, ids[seed]);
        check_current(&store, ids[seed]);
    }
    ck_assert_int_eq(model_store_list(&store, entries, NULL), 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(entries[i].serial, (uint32_t)i + 3);
        ck_assert_str_eq(entries[i].id, ids[i + 2]);
        ck_assert(entries[i].current == (i == 2));
    }
    folder_remove();
}
END_TEST

START_TEST(rollback_goes_one_further_each_time)
{
    struct model_store_entry entry;
    struct model_store store;
    char ids[4][MODEL_ID_LENGTH + 1];

    folder_make();
    ck_assert_int_eq(model_store_open(&store, folder, 5, NULL), 0);
    for (uint64_t seed = 0; seed < 3; seed++)
        promote(&store, seed, ids[seed]);
    for (int to = 1; to >= 0; to--) {
        ck_assert_int_eq(model_store_rollback(&store, &entry, NULL), 0);
        ck_assert_str_eq(entry.id, ids[to]);
        check_current(&store, ids[to]);
    }
    ck_assert_int_eq(model_store_rollback(&store, &entry, NULL), -ENOENT);
    check_current(&store, ids[0]);
    promote(&store, 3, ids[3]);
    check_current(&store, ids[3]);
    ck_assert_int_eq(model_store_rollback(&store, &entry, NULL), 0);
    ck_assert_str_eq(entry.id, ids[2]);
    folder_remove();
}
END_TEST

START_TEST(what_is_no_model_is_refused)
{
    char path[MODEL_STORE_PATH_MAX];
    char id[MODEL_ID_LENGTH + 1];
    struct model_store store;
    struct error err = {0};

    folder_make();
    ck_assert_int_eq(model_store_open(&store, folder, 2, NULL), 0);
    promote(&store, 1, id);
    model_store_candidate(&store, path);
    ck_assert_int_eq(model_store_promote(&store, path, NULL, &err), -ENOENT);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    (void)fputs("no model", file);
    (void)fclose(file);
    ck_assert_int_eq(model_store_promote(&store, path, NULL, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    check_current(&store, id);
    folder_remove();
}
END_TEST

START_TEST(a_link_to_elsewhere_is_not_followed)
{
    static const char *const targets[] = {"/etc/passwd", "../x", "00000001-0123456789ab.safetensors.longer",
                                          "x"};
    char path[MODEL_STORE_PATH_MAX];
    char link[64];
    struct model_store store;
    struct error err = {0};

    folder_make();
    ck_assert_int_eq(model_store_open(&store, folder, 2, NULL), 0);
    (void)snprintf(link, sizeof link, "%s/current", folder);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        ck_assert_int_eq(symlink(targets[i], link), 0);
        ck_assert_int_eq(model_store_current(&store, path, &err), -EBADMSG);
        ck_assert_int_eq(unlink(link), 0);
    }
    ck_assert_int_eq(symlink("00000001-0123456789ab.safetensors", link), 0);
    ck_assert_int_eq(model_store_current(&store, path, &err), -ENOENT);
    folder_remove();
}
END_TEST

/* Run a promotion in a child and kill it before its n-th system call takes effect.
 *
 * Return: false: it had fewer, and finished.
 */
static bool promote_killed_at(struct model_store *store, int n)
{
    char path[MODEL_STORE_PATH_MAX];
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        model_store_candidate(store, path);
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        _exit(model_store_promote(store, path, NULL, NULL) == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    /* Each call stops twice, before and after: an odd stop is before. */
    for (int stop = 1; stop < 2 * n; stop++) {
        ck_assert_int_eq(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            ck_assert_int_eq(WEXITSTATUS(status), 0);
            return false;
        }
    }
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return true;
}

START_TEST(killed_at_any_step_it_leaves_a_valid_model)
{
    char old_id[MODEL_ID_LENGTH + 1];
    char new_id[MODEL_ID_LENGTH + 1];
    char served[MODEL_ID_LENGTH + 1];
    int kills = 0;
    int with_old = 0;
    bool killed = true;

    for (int n = 1; killed; n++) {
        struct model_store store;

        folder_make();
        ck_assert_int_eq(model_store_open(&store, folder, 1, NULL), 0);
        promote(&store, 1, old_id);
        promote(&store, 2, old_id);
        candidate_write(&store, 3, new_id);
        killed = promote_killed_at(&store, n);
        /* The next start. */
        ck_assert_int_eq(model_store_open(&store, folder, 1, NULL), 0);
        current_id(&store, served);
        ck_assert(strcmp(served, new_id) == 0 || (killed && strcmp(served, old_id) == 0));
        kills += killed;
        with_old += strcmp(served, old_id) == 0;
        /* And the next promotion works. */
        promote(&store, 4, new_id);
        check_current(&store, new_id);
        folder_remove();
    }
    printf("killed at %d system calls, %d times with the old model\n", kills, with_old);
    ck_assert_int_gt(kills, 10);
    ck_assert_int_gt(with_old, 5);
    ck_assert_int_lt(with_old, kills);
}
END_TEST

int main(void)
{
    return UNIT_RUN("model_store", an_empty_store_has_no_model, promotion_keeps_as_many_as_asked,
                    rollback_goes_one_further_each_time, what_is_no_model_is_refused,
                    a_link_to_elsewhere_is_not_followed, killed_at_any_step_it_leaves_a_valid_model);
}
