#include "daemon/classifier.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/queue.h"
#include "daemon/scorer.h"
#include "daemon/thread.h"

struct classifier {
    struct classifier_config config;
    struct queue *queue;
    pthread_t thread;

    /* The classifier's thread alone: */
    struct scorer *scorer;
    struct accelerator accelerator;
    int64_t retry_at; /* CLOCK_MONOTONIC, microseconds: when the accelerator is tried again */
    bool failing;     /* the last batch got no verdicts */

    /* Between threads, under the lock: */
    pthread_mutex_t lock;
    struct scorer *next;        /* takes over before the next batch; NULL: none */
    struct served_model *model; /* of `next`, or else of `scorer` */
    struct classifier_accelerator status;
    uint64_t batches;
};

/* What others may see of the accelerator. reason: of a failure; NULL: all is well. */
static void accelerator_report(struct classifier *classifier, const char *reason)
{
    const struct accelerator *accelerator = &classifier->accelerator;
    struct classifier_accelerator *status = &classifier->status;

    pthread_mutex_lock(&classifier->lock);
    status->in_use = accelerator->engine != NULL;
    status->difference = accelerator->difference;
    status->break_even = accelerator->break_even;
    memcpy(status->path, accelerator->path, sizeof status->path);
    if (reason != NULL) {
        status->failures++;
        (void)snprintf(status->reason, sizeof status->reason, "%s", reason);
    }
    pthread_mutex_unlock(&classifier->lock);
}

/* Take the accelerator into use with the model of the scorer, or go on with that model. */
static int accelerator_try(struct classifier *classifier, struct error *err)
{
    int r = accelerator_load(&classifier->accelerator, scorer_model(classifier->scorer),
                             scorer_cpu(classifier->scorer), err);

    /* A tree that it does not run will not be run later either. */
    classifier->retry_at = r == -ENOTSUP ? INT64_MAX : clock_monotonic() + classifier->config.retry;
    accelerator_report(classifier, r < 0 ? err->text : NULL);
    return r;
}

/* The CPU stands in for the accelerator.
 *
 * was_in_use: a device that has failed by then is lost to this process: CUDA answers every later call with
 * the same error, until the process has ended (CUDA Runtime API, cudaErrorLaunchFailure and others).
 */
static void accelerator_tell_failed(const struct classifier *classifier, const struct error *why,
                                    bool was_in_use)
{
    const char *name = classifier->accelerator.ops->name;
    const struct log_fields about = {
        .engine = name, .model = scorer_model(classifier->scorer)->id, .reason = why->text};

    log_event(LOG_EVENT_engine_failed, &about, "engine %s is not used, the CPU goes on: %s%s", name,
              why->text, was_in_use && why->code == -ENODEV ? "; restart the service to use it again" : "");
}

/* It does no longer. */
static void accelerator_tell_works(const struct classifier *classifier)
{
    const char *name = classifier->accelerator.ops->name;
    char text[ACCELERATOR_TEXT_MAX];
    const struct log_fields about = {
        .engine = name, .model = scorer_model(classifier->scorer)->id, .reason = text};

    accelerator_describe(&classifier->accelerator, text);
    log_event(LOG_EVENT_engine_works, &about, "engine %s works: %s", name, text);
}

/* The accelerator is there or not when the program starts: say which. */
static int accelerator_begin(struct classifier *classifier, struct error *err)
{
    const char *name = classifier->accelerator.ops->name;
    struct error why;

    if (accelerator_try(classifier, &why) == 0)
        accelerator_tell_works(classifier);
    else if (classifier->config.demanded)
        return error_set(err, -ENODEV, "engine %s cannot be used: %s", name, why.text);
    else
        accelerator_tell_failed(classifier, &why, false);
    return 0;
}

/* There is something new to try it with: say so if it is used now and was not, or the other way round. */
static void accelerator_follow(struct classifier *classifier, bool in_use)
{
    struct error why;
    int r = accelerator_try(classifier, &why);

    if (r < 0 && in_use)
        accelerator_tell_failed(classifier, &why, true);
    else if (r == 0 && !in_use)
        accelerator_tell_works(classifier);
}

/* Give an accelerator that has failed another chance, when it is time. Batches wait meanwhile: for a driver
 * that brings up a device, seconds. */
static void accelerator_again(struct classifier *classifier)
{
    if (classifier->accelerator.ops == NULL || classifier->accelerator.engine != NULL ||
        clock_monotonic() < classifier->retry_at)
        return;
    pthread_mutex_lock(&classifier->lock);
    classifier->status.retries++;
    pthread_mutex_unlock(&classifier->lock);
    accelerator_follow(classifier, false);
}

/* It failed under way: the CPU goes on. */
static void accelerator_lost(struct classifier *classifier, const struct error *why)
{
    accelerator_tell_failed(classifier, why, true);
    accelerator_close(&classifier->accelerator);
    classifier->retry_at = clock_monotonic() + classifier->config.retry;
    accelerator_report(classifier, why->text);
}

/* The model that was given last takes over. */
static void next_take(struct classifier *classifier)
{
    struct scorer *next, *before = classifier->scorer;
    bool in_use = classifier->accelerator.engine != NULL;

    pthread_mutex_lock(&classifier->lock);
    next = classifier->next;
    classifier->next = NULL;
    pthread_mutex_unlock(&classifier->lock);
    if (next == NULL)
        return;
    classifier->scorer = next;
    if (classifier->accelerator.ops != NULL)
        accelerator_follow(classifier, in_use);
    scorer_free(before); /* now that no engine needs its tree any more */
}

static int score(struct classifier *classifier, struct flow_batch *batch, struct error *err)
{
    struct scorer *scorer = classifier->scorer;

    if (accelerator_takes(&classifier->accelerator, batch->n)) {
        if (scorer_score(scorer, classifier->accelerator.engine, batch, err) == 0)
            return 0;
        accelerator_lost(classifier, err);
    }
    return scorer_score(scorer, scorer_cpu(scorer), batch, err);
}

static void judge(struct classifier *classifier, struct flow_batch *batch)
{
    struct error why;
    int r;

    next_take(classifier);
    accelerator_again(classifier);
    r = score(classifier, batch, &why);
    if (r < 0) {
        batch->cause = FLOW_CAUSE_engine;
        if (!classifier->failing)
            log_event(LOG_EVENT_judging_failed, &(struct log_fields){.reason = why.text},
                      "flows are not classified: %s", why.text);
    } else if (classifier->failing) {
        log_event(LOG_EVENT_judging_works, NULL, "flows are classified again");
    }
    classifier->failing = r < 0;
}

static void *run(void *context)
{
    struct classifier *classifier = context;
    int64_t begun = clock_monotonic();
    struct flow_batch *batch;

    while ((batch = queue_pop(classifier->queue)) != NULL) {
        int64_t came = clock_monotonic(), judged, handed;

        judge(classifier, batch);
        stats_judged(classifier->config.stats, batch);
        pthread_mutex_lock(&classifier->lock);
        classifier->batches++;
        pthread_mutex_unlock(&classifier->lock);
        judged = clock_monotonic();
        writer_take(classifier->config.writer, batch, true);
        handed = clock_monotonic();
        stats_spend(classifier->config.stats,
                    &(struct stats_spent){came - begun, judged - came, handed - judged});
        begun = handed;
    }
    return NULL;
}

/* Free what classifier_start() has made so far. */
static void discard(struct classifier *classifier)
{
    accelerator_deinit(&classifier->accelerator);
    scorer_free(classifier->next);
    scorer_free(classifier->scorer);
    served_model_unref(classifier->model);
    queue_free(classifier->queue);
    (void)pthread_mutex_destroy(&classifier->lock);
    free(classifier);
}

int classifier_start(struct classifier **classifierp, const struct classifier_config *config,
                     struct served_model *served, struct error *err)
{
    struct classifier *classifier = calloc(1, sizeof *classifier);
    int r;

    if (classifier == NULL)
        return error_set(err, -ENOMEM, "out of memory");
    classifier->config = *config;
    classifier->accelerator = (struct accelerator){.ops = config->accelerator,
                                                   .options = config->engine_options,
                                                   .always = config->demanded,
                                                   .capacity = config->capacity};
    classifier->model = served_model_ref(served);
    (void)pthread_mutex_init(&classifier->lock, NULL);
    r = scorer_new(&classifier->scorer, &config->engine_options, served, config->capacity, err);
    if (r == 0 && config->accelerator != NULL)
        r = accelerator_begin(classifier, err);
    if (r == 0 && queue_new(&classifier->queue, config->queue) < 0)
        r = error_set(err, -ENOMEM, "out of memory");
    if (r == 0) {
        r = thread_start(&classifier->thread, "classifier", run, classifier, err);
    }
    if (r < 0) {
        discard(classifier);
        return r;
    }
    *classifierp = classifier;
    return 0;
}

int classifier_serve(struct classifier *classifier, struct served_model *served, struct error *err)
{
    const struct classifier_config *config = &classifier->config;
    struct scorer *made, *overtaken;
    struct served_model *before;
    int r = scorer_new(&made, &config->engine_options, served, config->capacity, err);

    if (r < 0)
        return r;
    pthread_mutex_lock(&classifier->lock);
    overtaken = classifier->next;
    before = classifier->model;
    classifier->next = made;
    classifier->model = served_model_ref(served);
    pthread_mutex_unlock(&classifier->lock);
    scorer_free(overtaken);
    served_model_unref(before);
    return 0;
}

void classifier_status(struct classifier *classifier, struct classifier_status *status)
{
    const struct engine_ops *ops = classifier->config.accelerator;
    struct classifier_accelerator *accelerator = &status->accelerator;
    bool takes;

    *status = (struct classifier_status){.waiting = queue_length(classifier->queue)};
    pthread_mutex_lock(&classifier->lock);
    status->batches = classifier->batches;
    *accelerator = classifier->status;
    pthread_mutex_unlock(&classifier->lock);
    accelerator->name = ops != NULL ? ops->name : NULL;
    takes = accelerator->in_use && accelerator->break_even <= classifier->config.capacity;
    status->engine = takes ? ops->name : engine_cpu.name;
    status->fallen_back = ops != NULL && !accelerator->in_use;
}

struct served_model *classifier_model(struct classifier *classifier)
{
    struct served_model *model;

    pthread_mutex_lock(&classifier->lock);
    model = served_model_ref(classifier->model);
    pthread_mutex_unlock(&classifier->lock);
    return model;
}

bool classifier_take(struct classifier *classifier, struct flow_batch *batch, bool wait)
{
    return wait ? queue_push(classifier->queue, batch) : queue_try_push(classifier->queue, batch);
}

void classifier_stop(struct classifier *classifier)
{
    if (classifier == NULL)
        return;
    queue_close(classifier->queue);
    (void)pthread_join(classifier->thread, NULL);
    discard(classifier);
}
