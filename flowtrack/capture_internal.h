/* capture_internal.h - what capture.c (reading, files) and capture_live.c (interfaces) share. */
#ifndef FLOWTRACK_CAPTURE_INTERNAL_H
#define FLOWTRACK_CAPTURE_INTERNAL_H

#include <net/if.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/capture.h"

struct capture_stream;

enum { CAPTURE_LOSS_FILES = 2 };

struct capture {
    pcap_t *pcap;
    char *name; /* of the file or interface */

    /* Files. */
    struct capture_stream *stream; /* NULL: live */
    uint64_t size;
    bool has_waiting; /* a packet read together with damage, which is reported first */
    struct capture_packet waiting;

    /* Interfaces. */
    int index;      /* of the interface when it was opened; 0: "any" and other devices without one */
    int64_t shared; /* from this time on packets are dealt out; those before came to everyone; microseconds.
                       INT64_MIN: none of those is left */
    int64_t shared_trust; /* CLOCK_MONOTONIC, microseconds: until when there may be some */
    uint32_t last_drop;   /* libpcap's counter, which wraps */
    uint64_t dropped;
    int loss_files[CAPTURE_LOSS_FILES]; /* the interface's counters, open since the start; -1: none */
    uint64_t losses_at_start;
    uint64_t interface_lost; /* since then */
};

int64_t capture_time_of(const struct timeval *time);

/* Whether a packet of this time came before packets were dealt out. */
bool capture_came_to_everyone(struct capture *capture, int64_t time);

/* Give back what an interface needed besides libpcap. */
void capture_live_close(struct capture *capture);

/* Why an interface gave nothing: the result of capture_next(). */
int capture_live_failed(struct capture *capture, struct error *err);

#endif
