#include "core/learn/gate.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_build.h"
#include "core/learn/metrics.h"
#include "core/learn/predict.h"

/* Logits of a model for the flows held out. logits: (held_out->n, n_labels) of the model. */
static int logits_of(float *logits, const struct model *model, const struct dataset *dataset,
                     const struct subset *held_out, const struct engine_ops *ops,
                     const struct engine_options *options, struct error *err)
{
    struct engine *engine;
    int result = engine_open(&engine, ops, options, err);

    if (result < 0)
        return result;
    result = engine->ops->load(engine, model, err);
    if (result == 0)
        result = predictions_logits(dataset, model, held_out, engine, logits, err);
    engine_close(engine);
    return result;
}

/* Index among the labels of the data set of what a model says, or n_labels, which is never right. */
static size_t winner(const struct dataset *dataset, const struct tree *tree, const float *logits)
{
    size_t best = 0;
    size_t l = 0;

    for (size_t i = 1; i < tree->n_labels; i++)
        if (logits[i] > logits[best])
            best = i;
    while (l < dataset->n_labels && strcmp(dataset->labels[l], tree->labels[best]) != 0)
        l++;
    return l;
}

static int judge_side(struct gate_side *side, const struct model *model, const struct dataset *dataset,
                      const struct subset *held_out, const struct engine_ops *ops,
                      const struct engine_options *options, struct error *err)
{
    uint64_t confusion[(TREE_LABELS_MAX + 1) * (TREE_LABELS_MAX + 1)] = {0};
    const struct tree *tree = model->tree;
    size_t width = dataset->n_labels + 1;
    float *logits = calloc(held_out->n, tree->n_labels * sizeof *logits);

    if (logits == NULL)
        return error_set(err, -ENOMEM, "no memory to compare the models");
    int result = logits_of(logits, model, dataset, held_out, ops, options, err);
    for (size_t i = 0; result == 0 && i < held_out->n; i++) {
        size_t truth = dataset->label[held_out->index[i]];

        confusion[truth * width + winner(dataset, tree, &logits[i * tree->n_labels])]++;
    }
    free(logits);
    if (result == 0)
        *side = (struct gate_side){metrics_accuracy(confusion, width), metrics_macro_f1(confusion, width)};
    return result;
}

static void decide(struct gate *gate, bool has_current)
{
    if (gate->flows < GATE_FLOWS_MIN) {
        (void)snprintf(gate->why, sizeof gate->why, "only %llu flows held out, %d are needed to tell",
                       (unsigned long long)gate->flows, GATE_FLOWS_MIN);
        return;
    }
    gate->better = !has_current || gate->candidate.macro_f1 > gate->current.macro_f1 ||
                   (gate->candidate.macro_f1 == gate->current.macro_f1 &&
                    gate->candidate.accuracy > gate->current.accuracy);
    if (has_current)
        (void)snprintf(gate->why, sizeof gate->why,
                       "macro-F1 %.3f against %.3f, accuracy %.3f against %.3f, on %llu flows held out",
                       gate->candidate.macro_f1, gate->current.macro_f1, gate->candidate.accuracy,
                       gate->current.accuracy, (unsigned long long)gate->flows);
    else
        (void)snprintf(gate->why, sizeof gate->why,
                       "macro-F1 %.3f on %llu flows held out, nothing to compare with",
                       gate->candidate.macro_f1, (unsigned long long)gate->flows);
}

int gate_judge(struct gate *gate, const struct model *candidate, const struct model *current,
               const struct dataset *dataset, const struct subset *held_out, const struct engine_ops *engine,
               const struct engine_options *engine_options, struct error *err)
{
    struct gate judged = {.flows = held_out->n, .current = {NAN, NAN}, .candidate = {NAN, NAN}};
    int result = 0;

    if (held_out->n > 0)
        result = judge_side(&judged.candidate, candidate, dataset, held_out, engine, engine_options, err);
    if (result == 0 && held_out->n > 0 && current != NULL)
        result = judge_side(&judged.current, current, dataset, held_out, engine, engine_options, err);
    if (result < 0)
        return result;
    if (current != NULL)
        memcpy(judged.current_id, current->id, sizeof judged.current_id);
    decide(&judged, current != NULL);
    *gate = judged;
    return 0;
}

static void side_add(struct json_build *build, cJSON *object, const char *name, const struct gate_side *side)
{
    cJSON *json = json_build_object(build, object, name);

    json_build_number(build, json, "accuracy", side->accuracy);
    json_build_number(build, json, "macro_f1", side->macro_f1);
}

cJSON *gate_json(const struct gate *gate)
{
    struct json_build build = {false};
    cJSON *object = cJSON_CreateObject();

    json_build_bool(&build, object, "better", gate->better);
    json_build_text(&build, object, "why", gate->why);
    json_build_text(&build, object, "current_id", gate->current_id);
    json_build_number(&build, object, "flows", (double)gate->flows);
    side_add(&build, object, "candidate", &gate->candidate);
    side_add(&build, object, "current", &gate->current);
    return json_build_end(&build, object);
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(number) ? number->valuedouble : NAN;
}

static struct gate_side side_read(const cJSON *object, const char *name)
{
    const cJSON *json = cJSON_GetObjectItemCaseSensitive(object, name);

    return (struct gate_side){number_of(json, "accuracy"), number_of(json, "macro_f1")};
}

int gate_read(struct gate *gate, const char *training, struct error *err)
{
    cJSON *whole = training == NULL ? NULL : cJSON_Parse(training);
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(whole, "gate");
    const cJSON *better = cJSON_GetObjectItemCaseSensitive(object, "better");
    const char *why = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "why"));
    const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "current_id"));
    double flows = number_of(object, "flows");

    if (!cJSON_IsBool(better) || why == NULL || id == NULL || !(flows >= 0 && flows < 1e15)) {
        cJSON_Delete(whole);
        return error_set(err, -EBADMSG, "the training record of the candidate has no answer of the gate");
    }
    struct gate read = {.flows = (uint64_t)flows,
                        .candidate = side_read(object, "candidate"),
                        .current = side_read(object, "current"),
                        .better = cJSON_IsTrue(better)};
    (void)snprintf(read.current_id, sizeof read.current_id, "%s", id);
    (void)snprintf(read.why, sizeof read.why, "%s", why);
    cJSON_Delete(whole);
    *gate = read;
    return 0;
}
