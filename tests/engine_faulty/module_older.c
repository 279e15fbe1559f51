/* module_older.c - a module whose engine was built for another version of the program. */
#include "core/engine.h"

extern const struct engine_ops engine_cuda;

const struct engine_ops engine_cuda = {.interface = ENGINE_INTERFACE - 1, .name = "cuda"};
