#include "daemon/retrain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "core/tree/model_file.h"
#include "daemon/child.h"
#include "daemon/log.h"

/* Words of the child's command line besides its settings. */
enum { ARGUMENTS_MAX = RETRAIN_DIRECTORIES_MAX + 16 };

struct retrain {
    struct retrain_config config;
    struct retrain_status status;
    struct event *timer;
    struct child *child; /* NULL: idle */
    char candidate[MODEL_STORE_PATH_MAX];
};

static int64_t now_microseconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

const char *retrain_outcome_name(enum retrain_outcome outcome)
{
    static const char *const names[] = {"never", "promoted", "refused", "failed"};

    return names[outcome];
}

/* The run has come to its end. text: why, in status->text already. */
static void conclude(struct retrain *retrain, enum retrain_outcome outcome)
{
    struct retrain_status *status = &retrain->status;
    char path[MODEL_STORE_PATH_MAX] = "";

    (void)remove(retrain->candidate);
    status->training = false;
    status->outcome = outcome;
    status->ended = now_microseconds();
    status->seconds = (double)(status->ended - status->started) / 1e6;
    status->started = 0;
    status->promoted += outcome == RETRAIN_PROMOTED;
    status->refused += outcome == RETRAIN_REFUSED;
    status->failed += outcome == RETRAIN_FAILED;
    if (outcome == RETRAIN_PROMOTED && model_store_current(retrain->config.store, path, NULL) < 0)
        path[0] = '\0';
    retrain->config.on_end(retrain->config.context, status, path);
}

static void __attribute__((format(printf, 2, 3))) say(struct retrain *retrain, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(retrain->status.text, sizeof retrain->status.text, format, arguments);
    va_end(arguments);
}

/* Flows that the candidate learnt from, 0 where it does not say. */
static double learnt_flows(const struct model *model)
{
    cJSON *training = model->training == NULL ? NULL : cJSON_Parse(model->training);
    const cJSON *split = cJSON_GetObjectItemCaseSensitive(training, "split");
    const cJSON *learnt = cJSON_GetObjectItemCaseSensitive(split, "learnt");
    double flows = cJSON_IsNumber(learnt) ? learnt->valuedouble : 0;

    cJSON_Delete(training);
    return flows;
}

/* What to do with the candidate that the child left: ask the gate. */
static enum retrain_outcome weigh(struct retrain *retrain, const struct model *candidate)
{
    struct retrain_status *status = &retrain->status;
    double learnt = learnt_flows(candidate);
    struct error err = {0};

    if (learnt < retrain->config.min_flows) {
        say(retrain, "refused: it learnt from %.0f flows, %" PRIu32 " are wanted", learnt,
            retrain->config.min_flows);
        return RETRAIN_REFUSED;
    }
    if (gate_read(&status->gate, candidate->training, &err) < 0) {
        say(retrain, "%s", err.text);
        return RETRAIN_FAILED;
    }
    status->has_gate = true;
    if (!status->gate.better) {
        say(retrain, "refused: %s", status->gate.why);
        return RETRAIN_REFUSED;
    }
    struct model_store_entry entry;
    if (model_store_promote(retrain->config.store, retrain->candidate, &entry, &err) < 0) {
        say(retrain, "%s", err.text);
        return RETRAIN_FAILED;
    }
    say(retrain, "model %s is current: %s", entry.id, status->gate.why);
    return RETRAIN_PROMOTED;
}

static void on_end(void *context, int status)
{
    struct retrain *retrain = context;
    enum retrain_outcome outcome = RETRAIN_FAILED;
    struct error err = {0};
    struct model *candidate;

    retrain->child = NULL;
    if (WIFSIGNALED(status)) {
        say(retrain, "training was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        say(retrain, "training ended with status %d: %s", WEXITSTATUS(status), retrain->status.progress);
    } else if (model_load(&candidate, retrain->candidate, &err) < 0) {
        say(retrain, "%s", err.text);
    } else {
        strcpy(retrain->status.model, candidate->id);
        outcome = weigh(retrain, candidate);
        model_free(candidate);
    }
    conclude(retrain, outcome);
}

static void on_line(void *context, const char *text)
{
    struct retrain *retrain = context;

    (void)snprintf(retrain->status.progress, sizeof retrain->status.progress, "%s", text);
}

/* The command line of the child. */
static void arguments_make(const struct retrain *retrain, const char *current, char *holdout,
                           const char **arguments)
{
    const struct retrain_config *config = &retrain->config;
    size_t n = 0;

    arguments[n++] = config->program;
    arguments[n++] = "--train";
    for (size_t i = 0; config->directories[i] != NULL; i++)
        arguments[n++] = config->directories[i];
    if (config->configuration != NULL) {
        arguments[n++] = "--config";
        arguments[n++] = config->configuration;
    }
    for (size_t i = 0; i < config->n_settings; i++) {
        arguments[n++] = "--set";
        arguments[n++] = config->settings[i];
    }
    arguments[n++] = "--tree";
    arguments[n++] = config->tree;
    arguments[n++] = "--holdout";
    arguments[n++] = holdout;
    arguments[n++] = "--output";
    arguments[n++] = retrain->candidate;
    if (current[0] != '\0') {
        arguments[n++] = "--against";
        arguments[n++] = current;
    }
    arguments[n] = NULL;
}

int retrain_start(struct retrain *retrain, struct error *err)
{
    const struct child_events events = {on_line, on_end, retrain};
    char current[MODEL_STORE_PATH_MAX] = "";
    const char **arguments;
    char holdout[32];
    int result;

    if (retrain->child != NULL)
        return error_set(err, -EALREADY, "training is under way");
    if (retrain->config.directories[0] == NULL)
        return error_set(err, -ENOENT, "retrain.directories names no archives to learn from");
    if (model_store_current(retrain->config.store, current, NULL) < 0 && retrain->config.fallback != NULL)
        (void)snprintf(current, sizeof current, "%s", retrain->config.fallback);
    (void)snprintf(holdout, sizeof holdout, "%g", retrain->config.holdout);
    arguments = calloc(ARGUMENTS_MAX + 2 * retrain->config.n_settings, sizeof *arguments);
    if (arguments == NULL)
        return error_set(err, -ENOMEM, "no memory for retraining");
    arguments_make(retrain, current, holdout, arguments);
    result = child_start(&retrain->child, retrain->config.base, (char *const *)arguments, &events, err);
    free(arguments);
    if (result < 0)
        return result;
    retrain->status.runs++;
    retrain->status.training = true;
    retrain->status.has_gate = false;
    retrain->status.started = now_microseconds();
    retrain->status.progress[0] = '\0';
    retrain->status.model[0] = '\0';
    log_event(LOG_EVENT_retrain_started, NULL, "retraining: learning begins, to be compared with %s",
              current[0] != '\0' ? current : "no model");
    return 0;
}

/* The interval is over. A run that cannot start counts as one that failed. */
static void on_timer(evutil_socket_t fd, short what, void *argument)
{
    struct retrain *retrain = argument;
    struct error err = {0};
    int result = retrain_start(retrain, &err);

    (void)fd;
    (void)what;
    if (result == 0 || result == -EALREADY)
        return;
    retrain->status.runs++;
    retrain->status.started = now_microseconds();
    say(retrain, "%s", err.text);
    conclude(retrain, RETRAIN_FAILED);
}

int retrain_new(struct retrain **retrainp, const struct retrain_config *config, struct error *err)
{
    const struct timeval interval = {.tv_sec = (time_t)(config->interval / 1000000),
                                     .tv_usec = (suseconds_t)(config->interval % 1000000)};
    struct retrain *retrain = calloc(1, sizeof *retrain);

    if (retrain == NULL)
        return error_set(err, -ENOMEM, "no memory for retraining");
    retrain->config = *config;
    model_store_candidate(config->store, retrain->candidate);
    retrain->timer = event_new(config->base, -1, EV_PERSIST, on_timer, retrain);
    if (retrain->timer == NULL || (config->interval > 0 && event_add(retrain->timer, &interval) < 0)) {
        retrain_free(retrain);
        return error_set(err, -ENOMEM, "no memory for retraining");
    }
    *retrainp = retrain;
    return 0;
}

void retrain_free(struct retrain *retrain)
{
    if (retrain == NULL)
        return;
    child_kill(retrain->child);
    if (retrain->timer != NULL)
        event_free(retrain->timer);
    free(retrain);
}

const struct retrain_status *retrain_status(const struct retrain *retrain)
{
    return &retrain->status;
}
