/* Model files. One that is taken is written again and says the same; its numbers are finite. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/tree/model_file.h"
#include "tests/fuzz/fuzz.h"

static void check_again(const struct model *model)
{
    struct model *again;
    struct error err = {0};
    uint8_t *bytes;
    size_t size;

    if (model_print(model, &bytes, &size) < 0)
        return;
    if (model_parse(&again, "again", bytes, size, &err) == 0) {
        assert(strcmp(again->tree->json, model->tree->json) == 0);
        assert(memcmp(again->weights, model->weights, model->tree->n_weights * sizeof(float)) == 0);
        assert(memcmp(again->thresholds, model->thresholds, sizeof model->thresholds) == 0);
        model_free(again);
    } else {
        assert(err.code == -ENOMEM);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct model *model;
    struct error err = {0};

    if (model_parse(&model, "input", bytes, size, &err) < 0) {
        assert(err.code < 0 && strncmp(err.text, "input", 5) == 0);
        return 0;
    }
    for (size_t i = 0; i < model->tree->n_weights; i++)
        assert(isfinite(model->weights[i]));
    assert(strlen(model->id) == MODEL_ID_LENGTH && model->temperature > 0);
    check_again(model);
    model_free(model);
    return 0;
}
