/* fused_columns.h - rows of floats taken apart into columns, each written in the fewest octets that hold its
 * values exactly.
 *
 * Lengths, ids, times and flags are whole numbers: one octet holds those below 256, two those below 65,536.
 * Anything else, the negative zero included, goes as the float it is. Whoever writes says what he expects of
 * a column and hears what it needs: mostly what it needed last time, so that one pass does.
 */
#ifndef CORE_CUDA_FUSED_COLUMNS_H
#define CORE_CUDA_FUSED_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A column as the kernels find it on the device. */
struct fused_column {
    const uint32_t *words; /* of four octets, the last one whole: uint8_t, uint16_t or float, side by side */
    uint32_t octets;       /* of one value: 1, 2, 4 */
};

enum { FUSED_COLUMNS_MAX = 8 }; /* that are written at once */

/* Write columns that stand side by side in rows, each as an array of its own.
 *
 * rows: the first value of the first column; stride: from a row to the next. n: rows.
 * n_columns: at most FUSED_COLUMNS_MAX.
 * octets: (n_columns) of a value of each, 1, 2 or 4: uint8_t, uint16_t, float.
 * to: (n_columns) where their values go, aligned for that.
 * needs: (n_columns) receives the fewest octets that hold all values of each. Where they are more than there
 * are, what has been written of the column is not what it says.
 */
void fused_columns_write(const float *rows, size_t stride, size_t n, size_t n_columns, void *const *to,
                         const uint8_t *octets, uint8_t *needs);

#ifdef __cplusplus
}
#endif

#endif
