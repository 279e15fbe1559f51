/* tree_build.h - from what a tree file says to a tree that works: sharing, widths, tensors.
 *
 * tree_json.c fills a draft with what stands in the file; tree_build() works out the rest, or refuses.
 */
#ifndef CORE_TREE_TREE_BUILD_H
#define CORE_TREE_TREE_BUILD_H

#include "core/tree/tree.h"
#include "flowtrack/error.h"

enum { TREE_PLACE_MAX = 160 };

/* What a file says about one element and the tree has no place for. */
struct draft_element {
    char place[TREE_PLACE_MAX]; /* where it stands: "root.children[2]" */
    char share[TREE_NAME_MAX];  /* the element it shares, "" if none */
    bool standardise;
};

struct tree_draft {
    const char *file;
    struct error *err;
    struct tree *tree; /* labels, padding, elements with name, children, input, own layers as written */
    struct draft_element elements[TREE_ELEMENTS_MAX];
};

/* Complete draft->tree: share, widths, tensors, constants, paths.
 *
 * Return: 0; -EBADMSG: it cannot work, err names the element and the reason; -ENOMEM.
 */
int tree_build(struct tree_draft *draft);

#endif
