/* tree.h - the element tree: what a model is, as data.
 *
 * Every element of a nested record (packet list, ttl, id list, totals) has its own small network. An element
 * sees the outputs of its children, in order, then its own input, joined on the last axis; its layers turn
 * that into one vector, which is what its parent sees. The root's last layer gives one logit a label.
 *
 * Elements without `each` have one instance for each instance of the element above (one a flow at the top).
 * An element with `each` walks a list: its own input and its children exist once an item, and its layers see
 * a sequence. Dense and embedding layers work item by item, a recurrent layer takes the whole sequence.
 * `flatten` lays the first `first` items side by side instead (zeros where there is none), and the layers see
 * one vector. An empty list counts as one item whose own columns are zeros (after maps and normalisation);
 * its children, too, have an instance for it. So trees nest: an `each` may stand below an `each`.
 *
 * A tree is immutable once it is built. All weights of a model are one block of floats; struct tensor says
 * which part is what. Files: tree_json.h reads the JSON form, model_file.h the trained model.
 */
#ifndef CORE_TREE_TREE_H
#define CORE_TREE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tree/field.h"

enum {
    TREE_ELEMENTS_MAX = 64,
    TREE_DEPTH_MAX = 8,
    TREE_LAYERS_MAX = 16, /* of one element */
    TREE_LABELS_MIN = 2,  /* of one alone there is nothing to tell */
    TREE_LABELS_MAX = 32,
    TREE_WIDTH_MAX = 4096, /* of any vector */
    TREE_WEIGHTS_MAX = 1 << 22,
    TREE_FLOW_VALUES_MAX = 1 << 20, /* of all items of all elements for one flow: 4 MiB */
    TREE_TENSORS_MAX = 1024,        /* with those of the normalisation */
    TREE_NAME_MAX = 48,             /* octets of a name, with its NUL */
    TREE_TENSOR_NAME_MAX = 128,
};

enum tree_padding {
    TREE_PADDING_NONE,  /* a list ends at its own length */
    TREE_PADDING_BATCH, /* zeros after the shorter lists, run through the layers: the notebook's way */
};

enum layer_kind { LAYER_DENSE, LAYER_LSTM, LAYER_GRU, LAYER_EMBEDDING, LAYER_DROPOUT, LAYER_KINDS };

enum activation {
    ACTIVATION_LINEAR,
    ACTIVATION_RELU,
    ACTIVATION_TANH,
    ACTIVATION_SIGMOID,
    ACTIVATION_SOFTMAX,
    ACTIVATIONS
};

enum { TENSOR_RANK_MAX = 2, LAYER_TENSORS_MAX = 8 };

/* A named part of the weight block (or of the constant block). Shared elements name the tensors of the
 * element they share. */
struct tensor {
    char name[TREE_TENSOR_NAME_MAX]; /* "pkt/lstm/Wx" */
    unsigned rank;
    size_t shape[TENSOR_RANK_MAX]; /* row-major, last index fastest */
    size_t size;                   /* product of shape */
    size_t offset;                 /* floats from the start of the block */
};

/* One layer. Tensors are indices into tree.tensors; a shared element's layers hold the same indices as the
 * original's.
 *
 * kind        tensors, in order                                        shapes
 * dense       W, b                                                     (units, in), (units)
 * lstm        Wx, Wh, bx, bh; gate rows i, f, c, o                     (4u, in), (4u, u), (4u), (4u)
 * gru         Wx, Wh, bx, bh; gate rows r, z, n (reset after)          (3u, in), (3u, u), (3u), (3u)
 * embedding   W                                                        (rows, units)
 * dropout     none
 *
 * Bidirectional: the four of the forward direction, then the four of the backward one; output 2u wide,
 * forward half first. The backward direction walks the list from its end; what it gives at a step is its
 * state after that step's item, and as the result of the whole list its state after the first item (as in
 * Keras). With TREE_PADDING_BATCH the padded items are part of the list in both directions.
 *
 * Tensor names are "element/layer/tensor". Layer: "dense0", "dense1", ... always numbered; "lstm", "gru",
 * "embedding" numbered ("lstm0", "lstm1") only where an element has several of the kind; a bidirectional
 * layer has two parts: "pkt/lstm/forward/Wx", "pkt/lstm/backward/Wx". Normalisation constants:
 * "element/normalise/mean" and "element/normalise/scale".
 *
 * An embedding is the first layer of an element whose whole input is one column; it takes the row whose
 * index is the value, cut to a whole number and limited to 0..rows-1.
 */
struct layer {
    enum layer_kind kind;
    enum activation activation; /* dense only */
    bool bidirectional;         /* lstm, gru */
    bool sequence_out; /* lstm, gru: every step's state goes on (a further recurrent layer follows); else the
                          last one's */
    size_t in;         /* width it sees */
    size_t units;
    size_t out;  /* width it gives */
    size_t rows; /* embedding: size of the table */
    float rate;  /* dropout: share of values set to 0 in training */
    unsigned n_tensors;
    size_t tensors[LAYER_TENSORS_MAX];
};

struct element {
    char name[TREE_NAME_MAX]; /* unique in the tree */
    char *path;               /* "root/pkt", for messages */
    size_t parent;            /* index; the root's is its own */
    size_t n_children;
    size_t *children; /* (n_children) indices, all smaller than this element's own */
    size_t share;     /* index of the element whose weights it uses (never one that shares itself); its own
                         when it has its own */

    /* Input. */
    bool is_list;           /* it has `each` */
    enum field_list list;   /* which list, if is_list */
    enum field_scope scope; /* of its columns and its children */
    size_t first;           /* lists: at most so many items; without `first` as many as a record can hold */
    bool flatten;           /* the items side by side as one vector of first * item width */
    size_t n_columns;       /* own columns of one item (or of the instance) */
    struct column *columns; /* (n_columns) what to select and how to map it, field.h */
    size_t normalise;       /* index into tree.constants of mean (n_columns), scale follows: columns become
                               (x - mean) / scale; SIZE_MAX: none */
    float normalise_clip;   /* after it, limit to -clip..clip; INFINITY: no limit */

    /* Widths. */
    size_t item_width; /* children's outputs, then own columns: what one item is */
    size_t in_width;   /* what the first layer sees: item_width, or first * item_width if flattened */
    size_t out_width;  /* what the parent sees */

    size_t n_layers;
    struct layer *layers; /* (n_layers); none: the element passes its input on. The root's last is dense,
                             softmax, n_labels wide; no other layer is softmax */
};

struct tree {
    char name[TREE_NAME_MAX];
    enum tree_padding padding;
    size_t n_labels;
    char labels[TREE_LABELS_MAX][TREE_NAME_MAX];
    bool labels_named; /* the file named them; else they come from the archive folders */
    size_t n_elements;
    struct element *elements; /* (n_elements) children before parents, the root last */
    size_t n_tensors;
    struct tensor *tensors; /* (n_tensors) trainable, in order of first use */
    size_t n_weights;       /* floats of the weight block */
    size_t n_constants;
    struct tensor *constants; /* (n_constants) normalisation: not trained by gradient */
    size_t n_constant_values; /* floats of the constant block */
    char *json; /* the text it was made from, with the labels filled in: goes into the model file */
};

/* What verdicts call a flow of no label; no label may be called so. */
#define TREE_LABEL_UNKNOWN "unknown"

/* Free a tree. NULL is fine. */
void tree_free(struct tree *tree);

/* The root element. */
static inline const struct element *tree_root(const struct tree *tree)
{
    return &tree->elements[tree->n_elements - 1];
}

/* Whether the layers of an element see a sequence (a list that is not flattened). */
static inline bool element_is_sequence(const struct element *element)
{
    return element->is_list && !element->flatten;
}

/* Index of the element with a name. Return: it, SIZE_MAX if there is none. */
size_t tree_element(const struct tree *tree, const char *name);

/* Find a tensor by name among the trainable ones.
 *
 * Return: it, NULL if there is none.
 */
const struct tensor *tree_tensor(const struct tree *tree, const char *name);

/* "dense", "lstm", ...; "linear", "relu", ... */
const char *layer_kind_name(enum layer_kind kind);
const char *activation_name(enum activation activation);

#endif
