/* encode_plan.h - how a batch is filled: what encode.c works out once for a tree, and its working memory. */
#ifndef CORE_ENCODE_PLAN_H
#define CORE_ENCODE_PLAN_H

#include "core/tree/field_values.h"
#include "core/tree/tree.h"
#include "core/vector.h"

enum { ENCODE_CHUNK = 128 }; /* flows that go through all elements together, so that they stay in the cache */

/* The rows of one element in the chunk at hand. Elements without `each` look at those of the element above.
 */
struct encode_rows {
    uint32_t n;
    uint32_t n_lists;    /* 0 in the record scope */
    uint32_t *first_row; /* (n_lists + 1) where each list begins; NULL in the record scope */
    uint32_t n_absent;
    uint32_t *absent;              /* (n_absent) rows that stand for an empty list, ascending */
    struct field_rows of;          /* what they are */
    size_t max;                    /* rows that a chunk can have at most */
    const struct record **records; /* (max) behind `of`; as the scope needs them */
    uint8_t *incoming;
    struct record_packet *packets;
    uint16_t *ids;
};

struct encode_element {
    unsigned groups; /* of fields that its columns need */
    struct encode_rows *rows;
};

struct encode_plan {
    const struct tree *tree;
    struct encode_rows flows;        /* the chunk itself, record scope */
    struct encode_rows *lists;       /* (n_elements) own rows of those with `each` */
    struct encode_element *elements; /* (n_elements) */
    field_plane *planes;             /* (FIELDS) */
    field_plane *work;               /* (VECTOR_COLUMNS) columns at hand */
};

/* Make a plan. tree: must outlive it. Return: 0, -ENOMEM. */
int encode_plan_new(struct encode_plan **planp, const struct tree *tree);

/* Free it. NULL is fine. */
void encode_plan_free(struct encode_plan *plan);

#endif
