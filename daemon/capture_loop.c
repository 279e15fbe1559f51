/* Flows end by two clocks that must not disagree: that of the packets, which the kernel stamps, and that of
 * the timer. A packet may lie in the kernel's ring for a while before it is read (tracker_tick() allows for
 * that), and while packets wait because there are too many, the timer lets nothing end at all: a flow must
 * not end for want of a packet that is there.
 *
 * Between the owner's thread and the loop's there are five words: `wanted` and `ending` tell the loop what to
 * do, `held`, `failed` and `ticks` tell the owner how it is. What a capture is read with, the loop makes and
 * takes down itself.
 */
#include "daemon/capture_loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/thread.h"

enum {
    PACKETS_A_WAKE = 1024,
    TICK = 10000,          /* microseconds between two ticks of the timer */
    COUNT_AFTER = 50,      /* ticks between two looks at the counters of the capture */
    LAST_BLOCK = 50000,    /* microseconds, several times the block time-out of capture_live.c */
    READ_AT_END = 1 << 20, /* packets that are read at most when everything ends */
};

struct capture_loop {
    struct capture_loop_config config;
    struct event_base *base;
    bool own; /* base and thread are the loop's own */
    pthread_t thread;
    bool started; /* the thread is */

    /* The loop's thread alone. */
    struct tracker *tracker;
    struct capture *capture; /* NULL: none */
    struct event *readable;  /* on its descriptor; NULL: it cannot be read */
    struct event *more;      /* there was more to read than one wake-up takes */
    struct event *tick;
    bool behind;                /* packets wait */
    struct capture_drops drops; /* of captures that were let go */

    /* Between threads. */
    _Atomic(struct capture *) wanted;
    _Atomic(struct capture *) held;
    atomic_bool ending;
    atomic_bool failed;
    struct error why; /* of failed; written before it is set */
    atomic_uint_least64_t ticks;
};

static const struct timeval now_at_once = {0, 0};
static const struct timeval every_tick = {0, TICK};

/* ---- reading ---- */

static void on_packet(void *context, const struct capture_packet *packet)
{
    tracker_packet(context, packet->time, packet->captured, packet->wire, packet->bytes);
}

static void reading_stop(struct capture_loop *loop)
{
    if (loop->readable != NULL)
        event_free(loop->readable);
    loop->readable = NULL;
    loop->behind = false;
}

/* Read packets, at most so many. Return: whether there may be more. */
static bool packets_read(struct capture_loop *loop, int most)
{
    int n = capture_dispatch(loop->capture, most, on_packet, loop->tracker, &loop->why);

    if (n < most)
        tracker_flush(loop->tracker);
    if (n < 0) {
        reading_stop(loop);
        atomic_store(&loop->failed, true);
    }
    return n == most;
}

static void on_readable(evutil_socket_t descriptor, short what, void *context)
{
    struct capture_loop *loop = context;

    if (loop->readable == NULL)
        return;
    loop->behind = packets_read(loop, PACKETS_A_WAKE);
    if (loop->behind)
        (void)event_add(loop->more, &now_at_once); /* by way of the loop, so that others come in between */
}

/* What has been lost, over all captures that were read. */
static struct capture_drops drops_now(struct capture_loop *loop)
{
    struct capture_drops drops = {0};

    if (loop->capture != NULL)
        (void)capture_drops(loop->capture, &drops);
    drops.kernel += loop->drops.kernel;
    drops.interface += loop->drops.interface;
    return drops;
}

static void drops_report(struct capture_loop *loop)
{
    struct capture_drops drops = drops_now(loop);

    intake_drops(loop->config.intake, &drops);
}

/* ---- captures come and go ---- */

static void let_go(struct capture_loop *loop)
{
    loop->drops = drops_now(loop);
    reading_stop(loop);
    loop->capture = NULL;
    drops_report(loop);
}

/* Begin to read a capture; it is the loop's to use also if that fails. */
static int take(struct capture_loop *loop, struct capture *capture, struct error *err)
{
    int r = tracker_set_link_type(loop->tracker, capture_link_type(capture));

    loop->capture = capture;
    if (r < 0)
        return error_set(err, r, "%s: packets of link type %d (%s) are not decoded", loop->config.interface,
                         capture_link_type(capture), capture_link_type_name(capture));
    loop->readable =
        event_new(loop->base, capture_descriptor(capture), EV_READ | EV_PERSIST, on_readable, loop);
    if (loop->readable == NULL || event_add(loop->readable, NULL) < 0) {
        reading_stop(loop);
        return error_set(err, -ENOMEM, "out of memory");
    }
    return 0;
}

/* Do what the owner wants. */
static void change(struct capture_loop *loop, struct capture *wanted)
{
    if (loop->capture != NULL)
        let_go(loop);
    if (wanted != NULL && take(loop, wanted, &loop->why) < 0)
        atomic_store(&loop->failed, true);
    atomic_store(&loop->held, wanted);
}

static void on_tick(evutil_socket_t descriptor, short what, void *context)
{
    struct capture_loop *loop = context;
    struct capture *wanted = atomic_load(&loop->wanted);
    uint64_t ticks = atomic_fetch_add(&loop->ticks, 1);

    if (loop->own && atomic_load(&loop->ending))
        (void)event_base_loopbreak(loop->base);
    if (wanted != loop->capture)
        change(loop, wanted);
    /* libpcap wants to be called even if the descriptor says nothing: a block may be due. */
    if (!loop->behind)
        on_readable(-1, 0, loop);
    if (!loop->behind)
        tracker_tick(loop->tracker, clock_wall());
    if (ticks % COUNT_AFTER == 0)
        drops_report(loop);
    intake_poll(loop->config.intake, clock_monotonic() + TICK); /* what the next tick would find overdue */
}

/* The end. A block that is not full comes when the kernel's timer closes it: what was captured last is in
 * there. */
static void read_last(struct capture_loop *loop)
{
    if (loop->readable != NULL) {
        (void)usleep(LAST_BLOCK);
        (void)packets_read(loop, READ_AT_END);
    }
    drops_report(loop);
}

static void *run(void *context)
{
    struct capture_loop *loop = context;

    (void)event_base_dispatch(loop->base);
    read_last(loop);
    return NULL;
}

/* ---- the owner's side ---- */

static int events_make(struct capture_loop *loop, struct error *err)
{
    loop->base = loop->own ? event_base_new() : loop->config.base;
    if (loop->base != NULL) {
        loop->more = event_new(loop->base, -1, 0, on_readable, loop);
        loop->tick = event_new(loop->base, -1, EV_PERSIST, on_tick, loop);
    }
    if (loop->more == NULL || loop->tick == NULL || event_add(loop->tick, &every_tick) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    return take(loop, loop->config.capture, err);
}

/* Let it run on a thread of its own. */
static int loop_run(struct capture_loop *loop, struct error *err)
{
    char name[40];
    int r;

    (void)snprintf(name, sizeof name, "%.12s/%zu", loop->config.interface, loop->config.number);
    r = thread_start(&loop->thread, name, run, loop, err);
    loop->started = r == 0;
    return r;
}

int capture_loop_start(struct capture_loop **loopp, const struct capture_loop_config *config,
                       struct error *err)
{
    struct capture_loop *loop = calloc(1, sizeof *loop);
    int r;

    if (loop == NULL)
        return error_set(err, -ENOMEM, "out of memory");
    loop->config = *config;
    loop->own = config->base == NULL;
    loop->tracker = intake_tracker(config->intake);
    atomic_init(&loop->wanted, config->capture);
    atomic_init(&loop->held, config->capture);
    r = events_make(loop, err);
    if (r == 0 && loop->own)
        r = loop_run(loop, err);
    if (r < 0) {
        loop->capture = NULL;
        reading_stop(loop);
        capture_loop_free(loop);
        return r;
    }
    *loopp = loop;
    return 0;
}

void capture_loop_give(struct capture_loop *loop, struct capture *capture)
{
    if (capture != NULL)
        atomic_store(&loop->failed, false);
    atomic_store(&loop->wanted, capture);
}

bool capture_loop_holds(struct capture_loop *loop)
{
    return atomic_load(&loop->held) != NULL;
}

bool capture_loop_failed(struct capture_loop *loop, struct error *why)
{
    if (!atomic_load(&loop->failed))
        return false;
    *why = loop->why;
    return true;
}

uint64_t capture_loop_ticks(struct capture_loop *loop)
{
    return atomic_load(&loop->ticks);
}

void capture_loop_end(struct capture_loop *loop)
{
    atomic_store(&loop->ending, true);
}

void capture_loop_free(struct capture_loop *loop)
{
    if (loop == NULL)
        return;
    capture_loop_end(loop);
    if (loop->started)
        (void)pthread_join(loop->thread, NULL);
    else
        read_last(loop);
    reading_stop(loop);
    if (loop->more != NULL)
        event_free(loop->more);
    if (loop->tick != NULL)
        event_free(loop->tick);
    if (loop->own && loop->base != NULL)
        event_base_free(loop->base);
    free(loop);
}
