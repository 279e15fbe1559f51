/* describe.h - the elements of a tree as a table, as --describe prints it. */
#ifndef CORE_TREE_DESCRIBE_H
#define CORE_TREE_DESCRIBE_H

#include <stdio.h>

#include "core/tree/tree.h"

/* Print every element (root first, children indented) with its input, layers, output shapes, parameters and
 * sharing, then the totals.
 *
 * Return: 0, -EIO (writing failed), -ENOMEM.
 */
int describe_tree(FILE *file, const struct tree *tree);

#endif
