/* The set of one instruction set as a table. */
#include "core/cpu/lanes.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

extern const struct kernels KERNEL(set);

const struct kernels KERNEL(set) = {
    .name = TEXT(INSTRUCTION),
    .lanes = LANES,
    .load = KERNEL(load),
    .store = KERNEL(store),
    .dense = KERNEL(dense),
    .activate = KERNEL(activate),
    .activate_backward = KERNEL(activate_backward),
    .outer = KERNEL(outer),
    .sum = KERNEL(sum),
    .dropout = KERNEL(dropout),
    .lstm = KERNEL(lstm),
    .lstm_backward = KERNEL(lstm_backward),
    .gru = KERNEL(gru),
    .gru_backward = KERNEL(gru_backward),
};
