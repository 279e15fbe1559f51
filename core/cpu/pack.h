/* pack.h - weights in the order in which the kernels read them.
 *
 * Each weight is read once a step and multiplied with a whole vector, so its order is that of the loops:
 * groups of rows that are summed side by side, for each input the weights of the whole group. The sigmoid is
 * 1 / (1 + 2^-(x log2 e)) and tanh likewise with 2 x, so the rows of gates are stored already multiplied.
 */
#ifndef CORE_CPU_PACK_H
#define CORE_CPU_PACK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/tree/tree.h"

enum { PACK_GROUP = 4 }; /* rows of a group */

/* A matrix and a bias: for each group of rows, (4) biases, then (in, 4) weights; missing rows are zero. */
struct dense_pack {
    size_t in, out;
    float *values;
};

/* One direction of an LSTM or GRU.
 *
 * gates: for each unit (4) biases, then (in + units, n_gates) weights, inputs before states. Biases are i, f,
 * c, o, or r, z, n of the input, n of the state. back_states and back_inputs: from the gradients of the gates
 * to those of the states and inputs, columns in the order in which the backward kernels give them.
 */
struct recurrent_pack {
    enum layer_kind kind; /* lstm or gru */
    size_t in, units;
    float *gates;
    struct dense_pack back_states;
    struct dense_pack back_inputs;
};

/* Allocate. Return: 0, -ENOMEM (nothing is held). */
int dense_pack_init(struct dense_pack *pack, size_t in, size_t out);
int recurrent_pack_init(struct recurrent_pack *pack, enum layer_kind kind, size_t in, size_t units);

/* Free what init allocated; fine on zeros. */
void dense_pack_deinit(struct dense_pack *pack);
void recurrent_pack_deinit(struct recurrent_pack *pack);

/* Pack W (out, in) and b (out); b NULL: zeros. */
void dense_pack_fill(struct dense_pack *pack, const float *weights, const float *bias);

/* Pack the transpose: weights (in, out) as a layer keeps them, no bias. */
void dense_pack_fill_transposed(struct dense_pack *pack, const float *weights);

/* Pack one direction from its four tensors (tree.h). */
void recurrent_pack_fill(struct recurrent_pack *pack, const float *wx, const float *wh, const float *bx,
                         const float *bh);

#endif
