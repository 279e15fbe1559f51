/* encode_map.h - the maps of a column as loops over a block of rows. */
#ifndef CORE_ENCODE_MAP_H
#define CORE_ENCODE_MAP_H

#include "core/tree/field_values.h"

/* What a map may look at besides the values. */
struct encode_map_context {
    const float *direction; /* (n) 1 out, -1 in; packet scope */
    const uint32_t
        *first_row; /* (n_lists + 1) where lists begin in the block, from 0; not in the record scope */
    size_t n_lists;
};

/* to = map(from), value by value.
 *
 * from, to: (n), aligned to 64 octets, room up to FIELD_BLOCK; may be the same.
 */
void encode_map(const struct map *map, const struct encode_map_context *context, const float *from, float *to,
                size_t n);

/* to = (from - mean) / scale, limited to -clip..clip.
 *
 * from, to: (n); may be the same.
 */
void encode_normalise(const float *from, float *to, size_t n, float mean, float scale, float clip);

#endif
