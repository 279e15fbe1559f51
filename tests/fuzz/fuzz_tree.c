/* Tree files. One that is taken says the same when its own text is read again, and can be encoded for. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/encode.h"
#include "core/tree/tree_json.h"
#include "tests/fuzz/fuzz.h"

enum { SMALL = 1 << 16 }; /* weights; larger trees are not tried out */

static void try_out(struct tree *tree)
{
    static const struct record record = {.out = {.present = true, .has_ip = true, .ttl = 9, .n_ids = 2},
                                         .n_packets = 2};
    const struct record *records[] = {&record, &record};
    struct model *model;
    struct batch *batch;

    if (model_new(&model, tree, 1) < 0) {
        tree_free(tree);
        return;
    }
    if (batch_new(&batch, tree) == 0) {
        int r = encode_records(batch, model, records, 2, ENCODE_SERVING);

        assert(r < 0 || batch->inputs[tree->n_elements - 1].n_instances == 2);
        batch_free(batch);
    }
    model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct tree *tree, *again;
    struct error err = {0};

    if (tree_parse(&tree, "input", (const char *)bytes, size, NULL, 0, &err) < 0) {
        assert(err.code < 0 && strncmp(err.text, "input", 5) == 0);
        return 0;
    }
    if (tree_parse(&again, "text", tree->json, strlen(tree->json), NULL, 0, &err) == 0) {
        assert(again->n_weights == tree->n_weights && again->n_elements == tree->n_elements);
        assert(strcmp(again->json, tree->json) == 0);
        tree_free(again);
    } else {
        assert(err.code == -ENOMEM);
    }
    if (tree->n_weights <= SMALL)
        try_out(tree);
    else
        tree_free(tree);
    return 0;
}
