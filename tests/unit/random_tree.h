/* random_tree.h - trees and values drawn at random, for tests that hold for every tree. */
#ifndef TESTS_UNIT_RANDOM_TREE_H
#define TESTS_UNIT_RANDOM_TREE_H

#include "core/batch.h"
#include "core/random.h"
#include "core/random_record.h"
#include "core/tree/tree.h"

/* A tree file that works: lists in lists, flattened ones, several and bidirectional recurrent layers,
 * embeddings, dropout, shared elements, maps, standardised columns. Return: its text, to free(). */
char *random_tree_text(struct random *random);

/* The same as a tree. */
struct tree *random_tree(struct random *random);

/* Put values of moderate size into a batch in place of the encoded ones (rows of an embedding's table where
 * it needs them). */
void random_values(struct random *random, struct batch *batch);

#endif
