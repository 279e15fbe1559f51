/* fused_pack.h - weights in the order in which the fused kernels hold them.
 *
 * A recurrent layer becomes four sums a unit (fused_kernels.h), already multiplied for the powers of two of
 * its cell (fused_walk.cuh), the two biases added up. For the lanes that is one float4 for each input and
 * unit; for the tensor cores the registers of each lane, each weight as a sum of parts (fused_tensor.cu).
 */
#ifndef CORE_CUDA_FUSED_PACK_H
#define CORE_CUDA_FUSED_PACK_H

#include <stdbool.h>

#include "core/cuda/fused_plan.h"

/* Fill the packed block of a plan.
 *
 * weights: (tree->n_weights). packed: (plan->octets), aligned as from malloc.
 *
 * Return: whether all recurrent weights are small enough for a half, without which the tensor cores do not
 * serve.
 */
bool fused_pack(const struct fused_plan *plan, const float *weights, void *packed);

#endif
