#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/classifier.h"
#include "daemon/clock.h"
#include "daemon/metrics.h"
#include "daemon/paths.h"
#include "daemon/service_state.h"
#include "daemon/stats_json.h"
#include "daemon/writer.h"

enum { FLOWS_DEFAULT = 20, FLOWS_MAX = 1000 };

static void put_model(cJSON *object, const struct model *model)
{
    cJSON *labels;

    (void)cJSON_AddStringToObject(object, "id", model->id);
    (void)cJSON_AddStringToObject(object, "tree", model->tree->name);
    (void)cJSON_AddNumberToObject(object, "parameters", (double)model->tree->n_weights);
    labels = cJSON_AddArrayToObject(object, "labels");
    for (size_t i = 0; i < model->tree->n_labels; i++)
        (void)cJSON_AddItemToArray(labels, cJSON_CreateString(model->tree->labels[i]));
    if (model->parent[0] != '\0')
        (void)cJSON_AddStringToObject(object, "parent", model->parent);
}

static void put_accelerator(cJSON *classifier, const struct classifier_accelerator *accelerator)
{
    cJSON *object;

    if (accelerator->name == NULL)
        return;
    object = cJSON_AddObjectToObject(classifier, "accelerator");
    (void)cJSON_AddStringToObject(object, "engine", accelerator->name);
    (void)cJSON_AddBoolToObject(object, "in_use", accelerator->in_use);
    if (accelerator->in_use) {
        if (accelerator->path[0] != '\0')
            (void)cJSON_AddStringToObject(object, "path", accelerator->path);
        (void)cJSON_AddNumberToObject(object, "difference", accelerator->difference);
        if (accelerator->break_even == BREAK_EVEN_NEVER)
            (void)cJSON_AddNullToObject(object, "break_even");
        else
            (void)cJSON_AddNumberToObject(object, "break_even", (double)accelerator->break_even);
    }
    (void)cJSON_AddNumberToObject(object, "failures", (double)accelerator->failures);
    (void)cJSON_AddNumberToObject(object, "retries", (double)accelerator->retries);
    if (accelerator->failures > 0)
        (void)cJSON_AddStringToObject(object, "last_failure", accelerator->reason);
}

/* The model, the engine, and how the classifier is doing. */
static void put_classifier(cJSON *stats, struct classifier *classifier)
{
    cJSON *object = cJSON_AddObjectToObject(stats, "classifier");
    struct served_model *served = classifier_model(classifier);
    struct classifier_status status;

    classifier_status(classifier, &status);
    (void)cJSON_AddStringToObject(object, "engine", status.engine);
    (void)cJSON_AddBoolToObject(object, "fallen_back", status.fallen_back);
    (void)cJSON_AddNumberToObject(object, "batches", (double)status.batches);
    (void)cJSON_AddNumberToObject(object, "batches_waiting", (double)status.waiting);
    (void)cJSON_AddStringToObject(object, "model", served->model->id);
    put_accelerator(object, &status.accelerator);
    served_model_unref(served);
}

static void put_clients(cJSON *stats, const struct control_stats *control)
{
    cJSON *clients = cJSON_AddObjectToObject(stats, "clients");

    (void)cJSON_AddNumberToObject(clients, "connected", (double)control->clients);
    (void)cJSON_AddNumberToObject(clients, "watching", (double)control->watchers);
    (void)cJSON_AddNumberToObject(clients, "accepted", (double)control->accepted);
    (void)cJSON_AddNumberToObject(clients, "refused", (double)control->refused);
    (void)cJSON_AddNumberToObject(clients, "requests", (double)control->requests);
    (void)cJSON_AddNumberToObject(clients, "failed", (double)control->failed);
    (void)cJSON_AddNumberToObject(clients, "timed_out", (double)control->timed_out);
    (void)cJSON_AddNumberToObject(clients, "overflown", (double)control->overflown);
}

static void put_retrain(cJSON *stats, const struct retrain_status *status)
{
    cJSON *retrain = cJSON_AddObjectToObject(stats, "retrain");

    (void)cJSON_AddBoolToObject(retrain, "training", status->training);
    if (status->training)
        (void)cJSON_AddStringToObject(retrain, "progress", status->progress);
    (void)cJSON_AddNumberToObject(retrain, "runs", (double)status->runs);
    (void)cJSON_AddNumberToObject(retrain, "promoted", (double)status->promoted);
    (void)cJSON_AddNumberToObject(retrain, "refused", (double)status->refused);
    (void)cJSON_AddNumberToObject(retrain, "failed", (double)status->failed);
    (void)cJSON_AddStringToObject(retrain, "last", retrain_outcome_name(status->outcome));
    if (status->outcome != RETRAIN_NEVER) {
        (void)cJSON_AddNumberToObject(retrain, "last_ended", (double)status->ended / 1e6);
        (void)cJSON_AddNumberToObject(retrain, "last_seconds", status->seconds);
        (void)cJSON_AddStringToObject(retrain, "last_text", status->text);
    }
}

cJSON *service_stats(struct service *service)
{
    struct stats_snapshot snapshot;
    cJSON *stats;

    stats_read(pipeline_stats(service->pipeline), &snapshot);
    stats = stats_json(&snapshot);
    (void)cJSON_AddStringToObject(stats, "version", PATHS_VERSION);
    (void)cJSON_AddNumberToObject(stats, "uptime_seconds", (double)(clock_wall() - service->started) / 1e6);
    (void)cJSON_AddNumberToObject(stats, "reloads", (double)service->reloads);
    (void)cJSON_AddNumberToObject(stats, "reloads_failed", (double)service->reloads_failed);
    if (pipeline_classifier(service->pipeline) != NULL)
        put_classifier(stats, pipeline_classifier(service->pipeline));
    if (service->retrain != NULL)
        put_retrain(stats, retrain_status(service->retrain));
    if (service->control != NULL)
        put_clients(stats, control_stats(service->control));
    return stats;
}

/* What metrics are made from. */
struct gathered {
    struct metrics metrics;
    struct stats_snapshot counts;
    struct classifier_status classifier;
    struct served_model *served; /* a reference; NULL without a model */
};

static void gather(struct service *service, struct gathered *gathered)
{
    struct classifier *classifier = pipeline_classifier(service->pipeline);

    gathered->metrics =
        (struct metrics){.counts = &gathered->counts, .started = (double)service->started / 1e6};
    gathered->served = NULL;
    stats_read(pipeline_stats(service->pipeline), &gathered->counts);
    if (classifier == NULL)
        return;
    classifier_status(classifier, &gathered->classifier);
    gathered->served = classifier_model(classifier);
    gathered->metrics.model = gathered->served->model;
    gathered->metrics.classifier = &gathered->classifier;
}

char *service_metrics(struct service *service)
{
    struct gathered gathered;
    char *text;

    gather(service, &gathered);
    text = metrics_text(&gathered.metrics);
    served_model_unref(gathered.served);
    return text;
}

int service_metrics_write(struct service *service, struct error *err)
{
    struct gathered gathered;
    int r;

    gather(service, &gathered);
    r = metrics_write(&gathered.metrics, service->config.control.metrics_file, err);
    served_model_unref(gathered.served);
    return r;
}

static int verb_stats(void *context, const cJSON *arguments, struct control_reply *reply)
{
    reply->message = service_stats(context);
    return 0;
}

static int verb_metrics(void *context, const cJSON *arguments, struct control_reply *reply)
{
    reply->text = service_metrics(context);
    return reply->text != NULL ? 0 : -ENOMEM;
}

static int verb_model(void *context, const cJSON *arguments, struct control_reply *reply)
{
    struct service *service = context;
    struct classifier *classifier = pipeline_classifier(service->pipeline);
    struct served_model *served;

    if (classifier == NULL) {
        (void)snprintf(reply->why, sizeof reply->why, "there is no model: records only");
        return -ENOENT;
    }
    served = classifier_model(classifier);
    reply->message = cJSON_CreateObject();
    put_model(reply->message, served->model);
    if (served->model->training != NULL)
        (void)cJSON_AddItemToObject(reply->message, "training", cJSON_Parse(served->model->training));
    served_model_unref(served);
    return 0;
}

/* Which lines `flows` wants. */
struct filter {
    unsigned limit;
    char label[TREE_NAME_MAX + 16]; /* "\"label\":\"news\"", "": any */
    char source[80];                /* "\"src_ip\":\"192.0.2.1\"", "": any */
    char destination[80];
};

static int filter_take(struct filter *filter, const cJSON *arguments, struct control_reply *reply)
{
    const cJSON *limit = cJSON_GetObjectItemCaseSensitive(arguments, "limit");
    const char *label = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(arguments, "label"));
    const char *host = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(arguments, "host"));

    *filter = (struct filter){.limit = FLOWS_DEFAULT};
    if (limit != NULL) {
        if (!cJSON_IsNumber(limit) || limit->valuedouble < 1 || limit->valuedouble > FLOWS_MAX) {
            (void)snprintf(reply->why, sizeof reply->why, "limit is not a number from 1 to %d", FLOWS_MAX);
            return -EINVAL;
        }
        filter->limit = (unsigned)limit->valuedouble;
    }
    if (label != NULL)
        (void)snprintf(filter->label, sizeof filter->label, "\"label\":\"%.*s\"", TREE_NAME_MAX, label);
    if (host != NULL) {
        (void)snprintf(filter->source, sizeof filter->source, "\"src_ip\":\"%.46s\"", host);
        (void)snprintf(filter->destination, sizeof filter->destination, "\"dest_ip\":\"%.46s\"", host);
    }
    return 0;
}

static bool has(const char *line, size_t length, const char *text)
{
    return memmem(line, length, text, strlen(text)) != NULL;
}

static bool filter_wants(const struct filter *filter, const char *line, size_t length)
{
    if (filter->label[0] != '\0' && !has(line, length, filter->label))
        return false;
    return filter->source[0] == '\0' || has(line, length, filter->source) ||
           has(line, length, filter->destination);
}

/* The latest lines that pass, the newest first. */
static void flows_collect(cJSON *flows, const struct filter *filter, const char *text, size_t size)
{
    unsigned n = 0;

    while (size > 0 && n < filter->limit) {
        const char *newline = memrchr(text, '\n', size - 1);
        const char *line = newline != NULL ? newline + 1 : text;
        size_t length = size - (size_t)(line - text);

        if (filter_wants(filter, line, length)) {
            (void)cJSON_AddItemToArray(flows, cJSON_ParseWithLength(line, length));
            n++;
        }
        size = (size_t)(line - text);
    }
}

static int verb_flows(void *context, const cJSON *arguments, struct control_reply *reply)
{
    struct service *service = context;
    struct filter filter;
    uint64_t position = 0;
    char *text;
    int r = filter_take(&filter, arguments, reply);

    if (r < 0)
        return r;
    text = malloc(RECENT_SIZE);
    if (text == NULL) {
        (void)snprintf(reply->why, sizeof reply->why, "out of memory");
        return -ENOMEM;
    }
    reply->message = cJSON_CreateArray();
    flows_collect(reply->message, &filter, text, recent_read(service->recent, &position, text, RECENT_SIZE));
    free(text);
    return 0;
}

static int verb_watch(void *context, const cJSON *arguments, struct control_reply *reply)
{
    struct service *service = context;

    if (control_stats(service->control)->watchers == 0)
        service->watched = recent_end(service->recent);
    reply->watch = true;
    return 0;
}

static int verb_models(void *context, const cJSON *arguments, struct control_reply *reply)
{
    struct service *service = context;
    struct model_store_entry entries[MODEL_STORE_LIST_MAX];
    struct error err;
    int n;

    if (service->retrain == NULL) {
        (void)snprintf(reply->why, sizeof reply->why,
                       "there is no store of models: retrain.directories is empty");
        return -ENOENT;
    }
    n = model_store_list(&service->store, entries, &err);
    if (n < 0) {
        (void)snprintf(reply->why, sizeof reply->why, "%s", err.text);
        return n;
    }
    reply->message = cJSON_CreateArray();
    for (int i = 0; i < n; i++) {
        cJSON *entry = cJSON_CreateObject();

        (void)cJSON_AddNumberToObject(entry, "serial", entries[i].serial);
        (void)cJSON_AddStringToObject(entry, "id", entries[i].id);
        (void)cJSON_AddBoolToObject(entry, "current", entries[i].current);
        (void)cJSON_AddItemToArray(reply->message, entry);
    }
    return 0;
}

static int verb_rollback(void *context, const cJSON *arguments, struct control_reply *reply)
{
    struct model_store_entry entry;
    struct error err;
    int r = service_rollback(context, &entry, &err);

    if (r < 0)
        (void)snprintf(reply->why, sizeof reply->why, "%s", err.text);
    else
        reply->message = cJSON_CreateString(entry.id);
    return r;
}

static int verb_retrain(void *context, const cJSON *arguments, struct control_reply *reply)
{
    struct service *service = context;
    struct error err;
    int r = service->retrain != NULL
                ? retrain_start(service->retrain, &err)
                : error_set(&err, -ENOENT, "retrain.directories names no archives to learn from");

    if (r < 0)
        (void)snprintf(reply->why, sizeof reply->why, "%s", err.text);
    return r;
}

static int verb_reload(void *context, const cJSON *arguments, struct control_reply *reply)
{
    struct error err;
    int r = service_reload(context, &err);

    if (r < 0)
        (void)snprintf(reply->why, sizeof reply->why, "%s", err.text);
    return r;
}

static int verb_rotate(void *context, const cJSON *arguments, struct control_reply *reply)
{
    struct service *service = context;

    if (pipeline_writer(service->pipeline) != NULL)
        writer_ask(pipeline_writer(service->pipeline), WRITER_ROTATE);
    return 0;
}

static int verb_version(void *context, const cJSON *arguments, struct control_reply *reply)
{
    reply->message = cJSON_CreateString(PATHS_VERSION);
    return 0;
}

const struct control_verb service_verbs[] = {
    {"stats", "counters, classifier, clients", false, verb_stats},
    {"metrics", "the same as OpenMetrics text", false, verb_metrics},
    {"flows", "the latest verdicts; limit, label, host", false, verb_flows},
    {"watch", "verdicts as they are made", false, verb_watch},
    {"model", "the model in use", false, verb_model},
    {"models", "those that are kept, the oldest first", false, verb_models},
    {"rollback", "go back to the model before", true, verb_rollback},
    {"retrain", "learn from the archives now", true, verb_retrain},
    {"reload", "read configuration and model again, as one transaction", true, verb_reload},
    {"rotate", "begin new files", true, verb_rotate},
    {"version", "of the program", false, verb_version},
};

const size_t service_n_verbs = sizeof service_verbs / sizeof service_verbs[0];
