/* fake_cudnn.h - what the descriptors of the fake cuDNN hold, and the arithmetic behind its calls. */
#ifndef TESTS_CUDA_FAKE_FAKE_CUDNN_H
#define TESTS_CUDA_FAKE_FAKE_CUDNN_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/cuda/fake/cudnn.h"

enum { FAKE_RANK_MAX = 4, FAKE_GATES_MAX = 4 };

struct fake_cudnn {
    cudaStream_t stream;
};

struct fake_tensor {
    int rank, dims[FAKE_RANK_MAX], strides[FAKE_RANK_MAX];
};

struct fake_dropout {
    float rate;
};

struct fake_rnn {
    bool set;
    cudnnRNNAlgo_t algorithm;
    cudnnRNNMode_t cell;
    size_t directions, gates, in, units;
    bool padded_io;
};

struct fake_rnn_data {
    bool packed;
    size_t steps, batch, vector, positions;
    int *lengths; /* (batch) */
};

/* Where a gate's matrix and bias stand in the weights, in floats. direction: 0, 1. id: gates of the input,
 * then of the state. Every gate has its bias first, and unused numbers after it; the order depends on the
 * algorithm. */
struct fake_gate {
    size_t matrix, bias, columns;
};
struct fake_gate fake_rnn_gate(const struct fake_rnn *rnn, size_t direction, size_t id);
size_t fake_rnn_weights(const struct fake_rnn *rnn);

/* Floats of what forward leaves for backward. */
size_t fake_rnn_reserve(const struct fake_rnn *rnn, const struct fake_rnn_data *data);

/* One call's work, for the stream. Pointers may be NULL where cuDNN allows it. */
struct fake_rnn_work {
    struct fake_rnn rnn;
    struct fake_rnn_data data; /* lengths: its own copy */
    bool training;
    const int *lengths; /* on the device; must equal data.lengths */
    const float *x, *dy, *weights, *hx, *cx, *dhy, *dcy;
    float *y, *dx, *dweights, *hy, *cy, *dhx, *dcx, *reserve;
    unsigned char *work;
    size_t work_size;
};
void fake_rnn_forward(struct fake_rnn_work *work);
void fake_rnn_backward_data(struct fake_rnn_work *work);
void fake_rnn_backward_weights(struct fake_rnn_work *work);

#endif
