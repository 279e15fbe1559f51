/* The captures of all workers are opened and closed together, here, since they share one interface: a group
 * that lost a member would deal its packets out anew. So when one of them fails, the others are taken back
 * too:
 *
 *     reading -> (gone, or a loop has failed: said) -> leaving -> (all loops have let go) -> closed
 *        ^                                                                                      |
 *        '------------------------- (it can be opened: said) <----------------------------------'
 */
#include "daemon/live.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/capture_loop.h"
#include "daemon/log.h"

enum { LOOK_EVERY = 500000 }; /* microseconds between two looks at the interface */

enum phase { CLOSED, READING, LEAVING };

struct live {
    struct live_config config;
    enum phase phase;
    bool down;           /* said already */
    struct event *watch; /* timer */
    struct worker {
        struct capture_loop *loop;
        struct capture *capture; /* not when closed */
        uint64_t ticks;          /* of the loop, when live_progressed() looked */
    } workers[LIVE_WORKERS_MAX];
};

static int captures_open(struct live *live, struct error *err)
{
    struct capture *captures[LIVE_WORKERS_MAX];
    int r = capture_open_shared(captures, live->config.n_workers, &live->config.capture, err);

    for (size_t i = 0; r == 0 && i < live->config.n_workers; i++)
        live->workers[i].capture = captures[i];
    return r;
}

static void captures_close(struct live *live)
{
    for (size_t i = 0; i < live->config.n_workers; i++) {
        capture_close(live->workers[i].capture);
        live->workers[i].capture = NULL;
    }
    live->phase = CLOSED;
}

/* Give each loop its capture, or take it back. */
static void captures_give(struct live *live, enum phase phase)
{
    for (size_t i = 0; i < live->config.n_workers; i++)
        capture_loop_give(live->workers[i].loop, phase == READING ? live->workers[i].capture : NULL);
    live->phase = phase;
}

static bool any_holds(const struct live *live)
{
    bool holds = false;

    for (size_t i = 0; i < live->config.n_workers; i++)
        holds |= capture_loop_holds(live->workers[i].loop);
    return holds;
}

static bool any_failed(const struct live *live, struct error *why)
{
    for (size_t i = 0; i < live->config.n_workers; i++)
        if (capture_loop_failed(live->workers[i].loop, why))
            return true;
    return false;
}

/* The captures have come to their end by themselves: the timer looks whether they can begin again. */
static void captures_lost(struct live *live, const struct error *why)
{
    const struct log_fields about = {.interface = live->config.capture.interface, .reason = why->text};

    log_event(LOG_EVENT_interface_gone, &about, "%s; waiting for it", why->text);
    captures_give(live, LEAVING);
}

/* Say when the interface goes down and when it is back. */
static void look(struct live *live)
{
    const char *name = live->config.capture.interface;
    const struct log_fields about = {.interface = name};
    int state = capture_interface_state(live->workers[0].capture);
    struct error why;

    if (state == -ENODEV) {
        (void)error_set(&why, -ENODEV, "%s: the interface is gone", name);
        captures_lost(live, &why);
    } else if (any_failed(live, &why)) {
        captures_lost(live, &why);
    } else if (state == 0 && !live->down) {
        log_event(LOG_EVENT_interface_down, &about, "%s: the interface is down", name);
    } else if (state == 1 && live->down) {
        log_event(LOG_EVENT_interface_up, &about, "%s: the interface is up", name);
    }
    live->down = state == 0;
}

static void captures_again(struct live *live)
{
    const struct log_fields about = {.interface = live->config.capture.interface};
    struct error why;

    if (captures_open(live, &why) < 0)
        return;
    captures_give(live, READING);
    log_event(LOG_EVENT_interface_back, &about, "%s: capturing again", about.interface);
}

static void on_watch(evutil_socket_t descriptor, short what, void *context)
{
    struct live *live = context;

    switch (live->phase) {
    case READING:
        look(live);
        break;
    case LEAVING:
        if (!any_holds(live))
            captures_close(live);
        break;
    case CLOSED:
        captures_again(live);
        break;
    }
}

static int loops_start(struct live *live, struct error *err)
{
    size_t n = live->config.n_workers;
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        struct capture_loop_config loop = {
            .base = n == 1 ? live->config.base : NULL,
            .intake = live->config.intakes[i],
            .interface = live->config.capture.interface,
            .number = i,
            .capture = live->workers[i].capture,
        };

        r = capture_loop_start(&live->workers[i].loop, &loop, err);
    }
    return r;
}

int live_open(struct live **livep, const struct live_config *config, struct error *err)
{
    static const struct timeval every_look = {0, LOOK_EVERY};
    struct live *live = calloc(1, sizeof *live);
    int r;

    if (live == NULL)
        return error_set(err, -ENOMEM, "out of memory");
    live->config = *config;
    live->phase = READING;
    r = captures_open(live, err);
    if (r == 0)
        r = loops_start(live, err);
    if (r == 0) {
        live->watch = event_new(config->base, -1, EV_PERSIST, on_watch, live);
        if (live->watch == NULL || event_add(live->watch, &every_look) < 0)
            r = error_set(err, -ENOMEM, "out of memory");
    }
    if (r < 0) {
        live_close(live);
        return r;
    }
    *livep = live;
    return 0;
}

bool live_progressed(struct live *live)
{
    bool all = true;

    for (size_t i = 0; i < live->config.n_workers; i++) {
        uint64_t ticks = capture_loop_ticks(live->workers[i].loop);

        all &= ticks != live->workers[i].ticks;
        live->workers[i].ticks = ticks;
    }
    return all;
}

void live_close(struct live *live)
{
    if (live == NULL)
        return;
    for (size_t i = 0; i < live->config.n_workers; i++)
        if (live->workers[i].loop != NULL)
            capture_loop_end(live->workers[i].loop);
    for (size_t i = 0; i < live->config.n_workers; i++)
        capture_loop_free(live->workers[i].loop);
    captures_close(live);
    if (live->watch != NULL)
        event_free(live->watch);
    free(live);
}
