/* Flows end by two clocks that must not disagree: that of the packets, which the kernel stamps, and that of
 * the timer. A packet may lie in the kernel's ring for a while before it is read (tracker_tick() allows for
 * that), and while packets wait because there are too many, the timer lets nothing end at all: a flow must
 * not end for want of a packet that is there.
 */
#include "daemon/live.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/log.h"

enum {
    PACKETS_A_WAKE = 1024,
    TICK = 10000,          /* microseconds between two ticks of the timer */
    LOOK_AFTER = 50,       /* ticks between two looks at the interface and its counters */
    LAST_BLOCK = 50000,    /* microseconds, several times the block time-out of capture_live.c */
    READ_AT_END = 1 << 20, /* packets that are read at most when everything ends */
};

struct live {
    struct live_config config;
    struct tracker *tracker;
    struct capture *capture; /* NULL: the interface is gone */
    struct event *readable;  /* on its descriptor */
    struct event *more;      /* there was more to read than one wake-up takes */
    struct event *tick;
    unsigned ticks;
    bool behind;                /* packets wait */
    bool down;                  /* said already */
    struct capture_drops drops; /* of captures that were closed */
};

static const struct timeval now_at_once = {0, 0};
static const struct timeval every_tick = {0, TICK};

static void on_readable(evutil_socket_t descriptor, short what, void *context);

static int capture_start(struct live *live, struct error *err)
{
    struct capture *capture;
    int r = capture_open_live(&capture, &live->config.capture, err);

    if (r < 0)
        return r;
    r = tracker_set_link_type(live->tracker, capture_link_type(capture));
    if (r < 0) {
        (void)error_set(err, r, "%s: packets of link type %d (%s) are not decoded",
                        live->config.capture.interface, capture_link_type(capture),
                        capture_link_type_name(capture));
        capture_close(capture);
        return r;
    }
    live->readable =
        event_new(live->config.base, capture_descriptor(capture), EV_READ | EV_PERSIST, on_readable, live);
    if (live->readable == NULL || event_add(live->readable, NULL) < 0) {
        capture_close(capture);
        return error_set(err, -ENOMEM, "out of memory");
    }
    live->capture = capture;
    return 0;
}

/* What has been lost, over all captures of this interface. */
static struct capture_drops drops_now(struct live *live)
{
    struct capture_drops drops = {0};

    if (live->capture != NULL)
        (void)capture_drops(live->capture, &drops);
    drops.kernel += live->drops.kernel;
    drops.interface += live->drops.interface;
    return drops;
}

static void capture_stop(struct live *live)
{
    live->drops = drops_now(live);
    if (live->readable != NULL)
        event_free(live->readable);
    live->readable = NULL;
    capture_close(live->capture);
    live->capture = NULL;
}

/* The capture has come to its end by itself: the timer looks whether it can begin again. */
static void capture_lost(struct live *live, const struct error *why)
{
    const struct log_fields about = {.interface = live->config.capture.interface, .reason = why->text};

    log_event(LOG_EVENT_interface_gone, &about, "%s; waiting for it", why->text);
    capture_stop(live);
}

static void on_packet(void *context, const struct capture_packet *packet)
{
    tracker_packet(context, packet->time, packet->captured, packet->wire, packet->bytes);
}

/* Read packets, at most so many. Return: whether there may be more. */
static bool packets_read(struct live *live, int most)
{
    struct error why;
    int n = capture_dispatch(live->capture, most, on_packet, live->tracker, &why);

    if (n < most)
        tracker_flush(live->tracker);
    if (n < 0) {
        capture_lost(live, &why);
    }
    return n == most;
}

static void on_readable(evutil_socket_t descriptor, short what, void *context)
{
    struct live *live = context;

    if (live->capture == NULL)
        return;
    live->behind = packets_read(live, PACKETS_A_WAKE);
    if (live->behind)
        (void)event_add(live->more, &now_at_once); /* by way of the loop, so that others come in between */
}

/* Say when the interface goes down and when it is back; open it again when it had gone. */
static void interface_watch(struct live *live)
{
    const char *name = live->config.capture.interface;
    const struct log_fields about = {.interface = name};
    struct error why;
    int state;

    if (live->capture == NULL) {
        if (capture_start(live, &why) == 0)
            log_event(LOG_EVENT_interface_back, &about, "%s: capturing again", name);
        return;
    }
    state = capture_interface_state(live->capture);
    if (state == -ENODEV) {
        (void)error_set(&why, -ENODEV, "%s: the interface is gone", name);
        capture_lost(live, &why);
    } else if (state == 0 && !live->down) {
        log_event(LOG_EVENT_interface_down, &about, "%s: the interface is down", name);
    } else if (state == 1 && live->down) {
        log_event(LOG_EVENT_interface_up, &about, "%s: the interface is up", name);
    }
    live->down = state == 0;
}

static void on_tick(evutil_socket_t descriptor, short what, void *context)
{
    struct live *live = context;
    struct capture_drops drops;

    /* libpcap wants to be called even if the descriptor says nothing: a block may be due. */
    if (live->capture != NULL && !live->behind)
        on_readable(-1, 0, live);
    if (!live->behind)
        tracker_tick(live->tracker, clock_wall());
    if (++live->ticks % LOOK_AFTER == 0) {
        interface_watch(live);
        drops = drops_now(live);
        intake_drops(live->config.intake, &drops);
    }
    intake_poll(live->config.intake, clock_monotonic() + TICK); /* what the next tick would find overdue */
}

int live_open(struct live **livep, const struct live_config *config, struct error *err)
{
    struct live *live = calloc(1, sizeof *live);
    int r;

    if (live == NULL)
        return error_set(err, -ENOMEM, "out of memory");
    live->config = *config;
    live->tracker = intake_tracker(config->intake);
    live->more = event_new(config->base, -1, 0, on_readable, live);
    live->tick = event_new(config->base, -1, EV_PERSIST, on_tick, live);
    r = live->more != NULL && live->tick != NULL && event_add(live->tick, &every_tick) == 0
            ? capture_start(live, err)
            : error_set(err, -ENOMEM, "out of memory");
    if (r < 0) {
        live_close(live);
        return r;
    }
    *livep = live;
    return 0;
}

void live_close(struct live *live)
{
    struct capture_drops drops;

    if (live == NULL)
        return;
    /* A block that is not full comes when the kernel's timer closes it: what was captured last is in there.
     */
    if (live->capture != NULL)
        (void)usleep(LAST_BLOCK);
    if (live->capture != NULL)
        (void)packets_read(live, READ_AT_END);
    drops = drops_now(live);
    intake_drops(live->config.intake, &drops);
    if (live->capture != NULL)
        capture_stop(live);
    if (live->more != NULL)
        event_free(live->more);
    if (live->tick != NULL)
        event_free(live->tick);
    free(live);
}
