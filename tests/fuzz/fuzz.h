/* fuzz.h - what a fuzz target defines: one call for one input. Survival is the least it checks; where the
 * code promises more (what is read back equals what was written, sums balance), the target asserts it.
 * Return: 0. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* bytes: (size) in a block of exactly that size; NULL never. The name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
