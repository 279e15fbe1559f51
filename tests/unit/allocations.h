/* allocations.h - allocation failure where a test wants it.
 *
 * The linker sends every malloc, calloc, realloc, aligned_alloc, strdup and asprintf of our code (not of
 * shared libraries) through here. A test repeats what it tests with the first, the second, ... allocation
 * failing, until all of them were made:
 *
 *     for (unsigned long n = 0; allocations_fail_at(n), !work_succeeds(); n++)
 *         expect that nothing is lost;
 */
#ifndef TESTS_UNIT_ALLOCATIONS_H
#define TESTS_UNIT_ALLOCATIONS_H

/* Let n allocations succeed and the one after them fail; those behind it succeed again. */
void allocations_fail_at(unsigned long n);

/* Let all succeed. Return: allocations since the last call of allocations_fail_at(). */
unsigned long allocations_fail_none(void);

#endif
