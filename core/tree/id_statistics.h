/* id_statistics.h - how the IP identification values of one side run, in a few numbers.
 *
 * A list without ids counts as the one id 0, a list without steps as the one step 0.
 *
 * Source: the tree "v1" of the reference data (its features of ip_out and ip_in).
 */
#ifndef CORE_TREE_ID_STATISTICS_H
#define CORE_TREE_ID_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

struct id_statistics {
    float zeros; /* share of ids that are 0 */
    float ones;  /* share of steps, modulo 65536, that are 1 */
    float step;  /* median step; of an even number the mean of the two in the middle */
    float few;   /* 1 if there are fewer than two ids */
};

/* ids: (n), at most RECORD_IDS_MAX. */
void id_statistics(struct id_statistics *statistics, const uint16_t *ids, size_t n);

#endif
