/* test_module MODULE - the CUDA engine as the file that the daemon loads: it gives one name and no other, and
 * where there is no GPU it says so in a sentence, prints nothing and goes on. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/engine.h"
#include "tests/unit/unit.h"

static const char *module_path;

START_TEST(test_exports)
{
    char command[4096], line[1024], names[4096] = "";
    FILE *nm;

    (void)snprintf(command, sizeof command, "nm -D --defined-only -P '%s'", module_path);
    nm = popen(command, "r");
    ck_assert_ptr_nonnull(nm);
    while (fgets(line, sizeof line, nm) != NULL)
        (void)snprintf(names + strlen(names), sizeof names - strlen(names), "%.*s ", (int)strcspn(line, " @"),
                       line);
    ck_assert_int_eq(pclose(nm), 0);
    ck_assert_str_eq(names, "engine_cuda ");
}
END_TEST

/* Open the engine with both standard outputs in a file. Return: as engine_open(). */
static int open_quietly(const struct engine_ops *ops, struct engine **engine, struct error *err,
                        long *printed)
{
    int kept[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)}, r;
    FILE *file = tmpfile();

    ck_assert_ptr_nonnull(file);
    (void)fflush(NULL);
    for (int i = 0; i < 2; i++)
        ck_assert_int_ge(dup2(fileno(file), i == 0 ? STDOUT_FILENO : STDERR_FILENO), 0);
    r = engine_open(engine, ops, &(struct engine_options){0}, err);
    (void)fflush(NULL);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_ge(dup2(kept[i], i == 0 ? STDOUT_FILENO : STDERR_FILENO), 0);
        (void)close(kept[i]);
    }
    *printed = lseek(fileno(file), 0, SEEK_END);
    (void)fclose(file);
    return r;
}

START_TEST(test_open)
{
    void *module = dlopen(module_path, RTLD_NOW | RTLD_LOCAL);
    const struct engine_ops *ops;
    struct engine *engine;
    struct error err = {0};
    long printed;
    int r;

    ck_assert_msg(module != NULL, "%s", dlerror());
    ops = dlsym(module, "engine_cuda");
    ck_assert_ptr_nonnull(ops);
    ck_assert_uint_eq(ops->interface, ENGINE_INTERFACE);
    ck_assert_str_eq(ops->name, "cuda");
    r = open_quietly(ops, &engine, &err, &printed);
    ck_assert_int_eq(printed, 0);
    if (r == 0) {
        engine_close(engine);
    } else {
        ck_assert_int_eq(r, -ENODEV);
        ck_assert_int_eq(err.code, -ENODEV);
        ck_assert_msg(strncmp(err.text, "cuda engine: ", 13) == 0 && strlen(err.text) > 20, "%s", err.text);
        printf("no GPU here: %s\n", err.text);
    }
}
END_TEST

int main(int argc, char **argv)
{
    if (argc < 2)
        return EXIT_FAILURE;
    module_path = argv[1];
    return UNIT_RUN("module", test_exports, test_open);
}
