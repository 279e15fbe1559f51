#include "daemon/scorer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/encode.h"

struct scorer {
    struct served_model *served;
    struct engine *cpu;
    struct batch *inputs;
    float *logits; /* (capacity, n_labels) */
};

int scorer_new(struct scorer **scorerp, const struct engine_options *options, struct served_model *served,
               size_t capacity, struct error *err)
{
    const struct tree *tree = served->model->tree;
    struct scorer *scorer = calloc(1, sizeof *scorer);
    int r;

    if (scorer == NULL)
        return error_set(err, -ENOMEM, "out of memory");
    scorer->served = served_model_ref(served);
    r = engine_open(&scorer->cpu, &engine_cpu, options, err);
    if (r == 0)
        r = scorer->cpu->ops->load(scorer->cpu, served->model, err);
    if (r == 0 && batch_new(&scorer->inputs, tree) < 0)
        r = error_set(err, -ENOMEM, "out of memory");
    if (r == 0) {
        scorer->logits = calloc(capacity * tree->n_labels, sizeof scorer->logits[0]);
        if (scorer->logits == NULL)
            r = error_set(err, -ENOMEM, "out of memory");
    }
    if (r < 0) {
        scorer_free(scorer);
        return r;
    }
    *scorerp = scorer;
    return 0;
}

void scorer_free(struct scorer *scorer)
{
    if (scorer == NULL)
        return;
    free(scorer->logits);
    batch_free(scorer->inputs);
    engine_close(scorer->cpu);
    served_model_unref(scorer->served);
    free(scorer);
}

/* Logits of flows begin..begin+n-1 of a batch. */
static int score_portion(struct scorer *scorer, struct engine *engine, const struct flow_batch *batch,
                         size_t begin, size_t n, struct error *err)
{
    const struct model *model = scorer->served->model;
    int r = encode_records(scorer->inputs, model, batch->record + begin, n, ENCODE_SERVING);

    if (r < 0)
        return error_set(err, r, "out of memory");
    return engine->ops->forward(engine, scorer->inputs, scorer->logits + begin * model->tree->n_labels, err);
}

static bool all_finite(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i]))
            return false;
    }
    return true;
}

int scorer_score(struct scorer *scorer, struct engine *engine, struct flow_batch *batch, struct error *err)
{
    const struct model *model = scorer->served->model;
    const struct verdict_rule rule = verdict_rule_of(model);
    size_t portion = engine->portion > 0 ? engine->portion : batch->n;

    for (size_t begin = 0; begin < batch->n; begin += portion) {
        size_t left = batch->n - begin;
        int r = score_portion(scorer, engine, batch, begin, left < portion ? left : portion, err);

        if (r < 0)
            return r;
    }
    if (engine != scorer->cpu && !all_finite(scorer->logits, batch->n * model->tree->n_labels))
        return error_set(err, -EBADMSG, "a score is not finite");
    for (size_t i = 0; i < batch->n; i++)
        verdict_decide(&batch->verdict[i], &rule, scorer->logits + i * model->tree->n_labels);
    batch->classified = true;
    batch->model = served_model_ref(scorer->served);
    batch->engine = engine->ops->name;
    return 0;
}

const struct model *scorer_model(const struct scorer *scorer)
{
    return scorer->served->model;
}

struct engine *scorer_cpu(const struct scorer *scorer)
{
    return scorer->cpu;
}
