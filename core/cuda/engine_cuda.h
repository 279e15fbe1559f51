/* engine_cuda.h - the CUDA engine, which stands in a module of its own: the one name that the module gives.
 */
#ifndef CORE_CUDA_ENGINE_CUDA_H
#define CORE_CUDA_ENGINE_CUDA_H

#include "core/engine.h"

extern const struct engine_ops engine_cuda __attribute__((visibility("default")));

#endif
