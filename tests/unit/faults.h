/* faults.h - the engine of tests/engine_faulty, and what it is told. A test includes it once. */
#ifndef TESTS_UNIT_FAULTS_H
#define TESTS_UNIT_FAULTS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static char fault_path[] = "/tmp/test_faults.XXXXXX";

/* Tell the engine: "none", "gone 3". The file is replaced as a whole. */
static inline void fault(const char *what)
{
    char fresh[sizeof fault_path + 4];
    FILE *file;

    (void)snprintf(fresh, sizeof fresh, "%s.new", fault_path);
    file = fopen(fresh, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_gt(fprintf(file, "%s\n", what), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(rename(fresh, fault_path), 0);
}

/* Return: false: there is no room for the file. */
static inline bool faults_init(void)
{
    int descriptor = mkstemp(fault_path);

    return descriptor >= 0 && close(descriptor) == 0 && setenv("FLOWCLASSD_FAULT", fault_path, 1) == 0;
}

static inline void faults_deinit(void)
{
    (void)unlink(fault_path);
}

#endif
