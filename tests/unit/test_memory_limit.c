#include "daemon/memory_limit.h"

#include <errno.h>

#include "tests/unit/files.h"
#include "tests/unit/unit.h"

/* The group that the process is in, and a service below a slice with limits of their own. */
static void groups_make(const char *process, const char *slice, const char *service)
{
    files_write("groups", process, strlen(process));
    ck_assert_int_eq(mkdir(files_path("slice"), 0700), 0);
    ck_assert_int_eq(mkdir(files_path("slice/service"), 0700), 0);
    files_write("slice/memory.max", slice, strlen(slice));
    files_write("slice/service/memory.max", service, strlen(service));
}

static void groups_remove(void)
{
    (void)unlink(files_path("slice/service/memory.max"));
    (void)unlink(files_path("slice/memory.max"));
    (void)rmdir(files_path("slice/service"));
    (void)rmdir(files_path("slice"));
    files_teardown();
}

static int check(uint64_t octets, struct error *err)
{
    return memory_limit_check(files_path("groups"), files_directory, "flows.memory", octets, err);
}

START_TEST(more_than_the_service_may_use)
{
    struct error err;

    files_setup();
    groups_make("1:name=systemd:/other\n0::/slice/service\n", "max\n", "4194304\n");
    ck_assert_int_eq(check(4194304, &err), 0);
    ck_assert_int_eq(check(8388608, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "flows.memory asks for 8 MiB"));
    ck_assert_ptr_nonnull(strstr(err.text, "/slice/service/memory.max allows 4 MiB"));
    groups_remove();
}
END_TEST

START_TEST(more_than_the_group_above_may_use)
{
    struct error err;

    files_setup();
    groups_make("0::/slice/service\n", "2097152\n", "max\n");
    ck_assert_int_eq(check(2097152, &err), 0);
    ck_assert_int_eq(check(2097153, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "/slice/memory.max"));
    groups_remove();
}
END_TEST

START_TEST(no_group_no_limit)
{
    files_setup();
    groups_make("1:memory:/slice/service\n", "1\n", "1\n"); /* version 1 only */
    ck_assert_int_eq(check(UINT64_MAX, NULL), 0);
    files_write("groups", "0::/\n", 5);
    ck_assert_int_eq(check(UINT64_MAX, NULL), 0);
    ck_assert_int_eq(unlink(files_path("groups")), 0);
    ck_assert_int_eq(check(UINT64_MAX, NULL), 0);
    groups_remove();
}
END_TEST

int main(void)
{
    return UNIT_RUN("memory_limit", more_than_the_service_may_use, more_than_the_group_above_may_use,
                    no_group_no_limit);
}
