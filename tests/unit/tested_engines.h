/* tested_engines.h - every engine that there is to test here, with every choice that changes how it computes:
 * the CPU engine with each instruction set, on one thread and on several; the CUDA engine on the fake device,
 * and on a real one where there is one.
 */
#ifndef TESTS_UNIT_TESTED_ENGINES_H
#define TESTS_UNIT_TESTED_ENGINES_H

#include "core/engine.h"

enum { ENGINES_MAX = 16 };

struct tested_engine {
    char name[48];
    const struct engine_ops *ops;
    struct engine_options options;
};

/* List them, and print what is not tested and why. Return: how many. */
size_t tested_engines(struct tested_engine engines[ENGINES_MAX]);

#endif
