/* vector.h - loops over many values, compiled once for each level of the CPU.
 */
#ifndef CORE_VECTOR_H
#define CORE_VECTOR_H

#include <stddef.h>

enum { VECTOR_LANES = 16 };

/* A function with this attribute is compiled for each level; the loader picks at start, before the thread
 * sanitizer is ready for it. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VECTOR_CLONES
#endif

/* y = log(1 + max(x, 0)), natural, within 1 ulp of the true value; NaN counts as 0.
 *
 * x, y: (n), aligned to 64 octets; may be the same. Reads and writes up to the next multiple of VECTOR_LANES.
 *
 * Source: s_log1pf of FreeBSD's libm (Sun Microsystems, 1993): the reduction and the polynomial.
 */
void vector_log1p(const float *x, float *y, size_t n);

enum { VECTOR_COLUMNS = 4 };

/* Put columns side by side: rows[i * stride + c] = columns[c][i].
 *
 * columns: (VECTOR_COLUMNS), each (n), aligned to 64 octets.
 * rows: (n) rows, `stride` floats from one to the next, at least VECTOR_COLUMNS.
 */
void vector_interleave(const float *const *columns, float *rows, size_t stride, size_t n);

#endif
