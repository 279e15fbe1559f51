/* random_tree.h - trees drawn at random, for tests that hold for every tree. */
#ifndef TESTS_UNIT_RANDOM_TREE_H
#define TESTS_UNIT_RANDOM_TREE_H

#include "core/random.h"
#include "core/random_record.h"
#include "core/tree/tree.h"

/* A tree file that works: lists in lists, flattened ones, several and bidirectional recurrent layers,
 * embeddings, dropout, shared elements, maps, standardised columns. Return: its text, to free(). */
char *random_tree_text(struct random *random);

/* The same as a tree. */
struct tree *random_tree(struct random *random);

#endif
