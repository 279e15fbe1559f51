/* unit.h - what every unit test program needs: run a list of Check tests, report, exit. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* Exit status by which meson knows a skipped test. */
enum { UNIT_SKIP = 77 };

/* Run tests as one suite. UNIT_RUN("name", test_a, test_b, ...) is the body of main(). */
#define UNIT_RUN(name, ...)                                                                                  \
    unit_run((name), (const TTest *[]){__VA_ARGS__}, sizeof((const TTest *[]){__VA_ARGS__}) / sizeof(TTest *))

static inline int unit_run(const char *name, const TTest *tests[], size_t n_tests)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 0); /* meson times the whole program */
    for (size_t i = 0; i < n_tests; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Say why a test program cannot run here, and the status to exit with. */
static inline int unit_skip(const char *why)
{
    printf("skipped: %s\n", why);
    return UNIT_SKIP;
}

#endif
