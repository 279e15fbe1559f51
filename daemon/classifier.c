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
    struct scorer *scorer;
    bool fallen_back; /* the CPU engine stands in for the one asked for */
    int64_t retry_at; /* CLOCK_MONOTONIC, microseconds: when that one is tried again */
    bool failing;     /* the last batch got no verdicts */
};

/* A scorer for the model in use, on another engine. */
static int scorer_exchange(struct classifier *classifier, const struct engine_ops *ops, struct error *err)
{
    const struct classifier_config *config = &classifier->config;
    struct scorer *made;
    int r = scorer_new(&made, ops, &config->engine_options, scorer_model(classifier->scorer),
                       config->capacity, err);

    if (r < 0)
        return r;
    scorer_free(classifier->scorer);
    classifier->scorer = made;
    return 0;
}

/* The engine failed on this batch: judge it, and those that follow, on the CPU. */
static int fall_back(struct classifier *classifier, struct flow_batch *batch, struct error *err)
{
    log_error("engine %s failed, going on with the CPU: %s", scorer_engine(classifier->scorer), err->text);
    classifier->retry_at = clock_monotonic() + RETRY_AFTER;
    classifier->fallen_back = true;
    if (scorer_exchange(classifier, &engine_cpu, err) < 0)
        return err->code;
    return scorer_score(classifier->scorer, batch, err);
}

/* Give the engine that was asked for another chance when it is time. */
static void try_again(struct classifier *classifier)
{
    struct error why;

    if (!classifier->fallen_back || clock_monotonic() < classifier->retry_at)
        return;
    if (scorer_exchange(classifier, classifier->config.engine, &why) == 0) {
        log_notice("engine %s works again", scorer_engine(classifier->scorer));
        classifier->fallen_back = false;
    } else {
        classifier->retry_at = clock_monotonic() + RETRY_AFTER;
    }
}

static void judge(struct classifier *classifier, struct flow_batch *batch)
{
    struct error why;
    int r;

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
        writer_take(classifier->config.writer, batch, true);
    }
    return NULL;
}

int classifier_start(struct classifier **classifierp, const struct classifier_config *config,
                     struct served_model *served, struct error *err)
{
    struct classifier *classifier = calloc(1, sizeof *classifier);
    int r;

    if (classifier == NULL)
        return error_set(err, -ENOMEM, "out of memory");
    classifier->config = *config;
    r = scorer_new(&classifier->scorer, config->engine, &config->engine_options, served, config->capacity,
                   err);
    if (r == 0 && queue_new(&classifier->queue, config->queue) < 0)
        r = error_set(err, -ENOMEM, "out of memory");
    if (r == 0) {
        r = -pthread_create(&classifier->thread, NULL, run, classifier);
        if (r < 0)
            (void)error_set(err, r, "cannot start the classifier's thread: %s", strerror(-r));
    }
    if (r < 0) {
        queue_free(classifier->queue);
        scorer_free(classifier->scorer);
        free(classifier);
        return r;
    }
    *classifierp = classifier;
    return 0;
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
    queue_free(classifier->queue);
    scorer_free(classifier->scorer);
    free(classifier);
}
