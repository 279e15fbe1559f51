#include "daemon/classifier.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/queue.h"
#include "daemon/scorer.h"

/* How long a failed engine is left alone, microseconds. */
enum { RETRY_AFTER = 60 * 1000000 };

struct classifier {
    struct classifier_config config;
    struct queue *queue;
    pthread_t thread;

    /* The classifier's thread alone: */
    struct scorer *scorer;
    int64_t retry_at; /* CLOCK_MONOTONIC, microseconds: when the engine asked for is tried again */
    bool failing;     /* the last batch got no verdicts */

    /* Between threads, under the lock: */
    pthread_mutex_t lock;
    struct scorer *next;        /* takes over before the next batch; NULL: none */
    bool next_fallen_back;      /* fallen_back of it */
    struct served_model *model; /* of `next`, or else of `scorer` */
    const char *engine;
    bool fallen_back; /* the CPU engine stands in for the one asked for */
    uint64_t batches;
};

/* A scorer on the engine that is asked for, or on the CPU where that fails; said by fallen_back. */
static int scorer_make(const struct classifier *classifier, struct scorer **scorerp,
                       struct served_model *served, bool *fallen_back, struct error *err)
{
    const struct classifier_config *config = &classifier->config;
    int r = scorer_new(scorerp, config->engine, &config->engine_options, served, config->capacity, err);

    *fallen_back = r == -ENODEV && config->engine != &engine_cpu;
    if (*fallen_back)
        r = scorer_new(scorerp, &engine_cpu, &config->engine_options, served, config->capacity, err);
    return r;
}

/* Go on with another scorer, on the classifier's thread. */
static void scorer_take(struct classifier *classifier, struct scorer *scorer, bool fallen_back)
{
    scorer_free(classifier->scorer);
    classifier->scorer = scorer;
    pthread_mutex_lock(&classifier->lock);
    classifier->engine = scorer_engine(scorer);
    classifier->fallen_back = fallen_back;
    pthread_mutex_unlock(&classifier->lock);
}

/* The model that was given last takes over. */
static void next_take(struct classifier *classifier)
{
    struct scorer *next;
    bool fallen_back;

    pthread_mutex_lock(&classifier->lock);
    next = classifier->next;
    fallen_back = classifier->next_fallen_back;
    classifier->next = NULL;
    pthread_mutex_unlock(&classifier->lock);
    if (next != NULL)
        scorer_take(classifier, next, fallen_back);
}

/* The engine failed on this batch: judge it, and those that follow, on the CPU. */
static int fall_back(struct classifier *classifier, struct flow_batch *batch, struct error *err)
{
    const struct classifier_config *config = &classifier->config;
    struct scorer *made;
    int r;

    log_error("engine %s failed, going on with the CPU: %s", scorer_engine(classifier->scorer), err->text);
    classifier->retry_at = clock_monotonic() + RETRY_AFTER;
    r = scorer_new(&made, &engine_cpu, &config->engine_options, scorer_model(classifier->scorer),
                   config->capacity, err);
    if (r < 0)
        return r;
    scorer_take(classifier, made, true);
    return scorer_score(made, batch, err);
}

/* Give the engine that was asked for another chance when it is time. */
static void try_again(struct classifier *classifier)
{
    struct scorer *made;
    bool fallen_back;
    struct error why;

    if (!classifier->fallen_back || clock_monotonic() < classifier->retry_at)
        return;
    classifier->retry_at = clock_monotonic() + RETRY_AFTER;
    if (scorer_make(classifier, &made, scorer_model(classifier->scorer), &fallen_back, &why) < 0)
        return;
    if (!fallen_back)
        log_notice("engine %s works again", scorer_engine(made));
    scorer_take(classifier, made, fallen_back);
}

static void judge(struct classifier *classifier, struct flow_batch *batch)
{
    struct error why;
    int r;

    next_take(classifier);
    try_again(classifier);
    r = scorer_score(classifier->scorer, batch, &why);
    if (r < 0 && !classifier->fallen_back && classifier->config.engine != &engine_cpu)
        r = fall_back(classifier, batch, &why);
    if (r < 0) {
        batch->cause = FLOW_CAUSE_engine;
        if (!classifier->failing)
            log_error("flows are not classified: %s", why.text);
    } else if (classifier->failing) {
        log_notice("flows are classified again");
    }
    classifier->failing = r < 0;
}

static void *run(void *context)
{
    struct classifier *classifier = context;
    struct flow_batch *batch;

    while ((batch = queue_pop(classifier->queue)) != NULL) {
        judge(classifier, batch);
        stats_judged(classifier->config.stats, batch);
        pthread_mutex_lock(&classifier->lock);
        classifier->batches++;
        pthread_mutex_unlock(&classifier->lock);
        writer_take(classifier->config.writer, batch, true);
    }
    return NULL;
}

/* Free what classifier_start() has made so far. */
static void discard(struct classifier *classifier)
{
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
    (void)pthread_mutex_init(&classifier->lock, NULL);
    r = scorer_make(classifier, &classifier->scorer, served, &classifier->fallen_back, err);
    if (r == 0 && queue_new(&classifier->queue, config->queue) < 0)
        r = error_set(err, -ENOMEM, "out of memory");
    if (r == 0) {
        classifier->model = served_model_ref(served);
        classifier->engine = scorer_engine(classifier->scorer);
        r = -pthread_create(&classifier->thread, NULL, run, classifier);
        if (r < 0)
            (void)error_set(err, r, "cannot start the classifier's thread: %s", strerror(-r));
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
    struct scorer *made, *overtaken;
    struct served_model *before;
    bool fallen_back;
    int r = scorer_make(classifier, &made, served, &fallen_back, err);

    if (r < 0)
        return r;
    pthread_mutex_lock(&classifier->lock);
    overtaken = classifier->next;
    before = classifier->model;
    classifier->next = made;
    classifier->model = served_model_ref(served);
    classifier->next_fallen_back = fallen_back;
    pthread_mutex_unlock(&classifier->lock);
    scorer_free(overtaken);
    served_model_unref(before);
    return 0;
}

void classifier_status(struct classifier *classifier, struct classifier_status *status)
{
    pthread_mutex_lock(&classifier->lock);
    *status = (struct classifier_status){
        .engine = classifier->engine,
        .fallen_back = classifier->fallen_back,
        .batches = classifier->batches,
    };
    pthread_mutex_unlock(&classifier->lock);
    status->waiting = queue_length(classifier->queue);
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
