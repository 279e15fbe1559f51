/* capture.h - where packets come from: a capture file or an interface, through libpcap.
 *
 * The one place that knows libpcap. Damaged files are read as far as they go: a read error is reported once
 * for each damage and reading goes on behind it (joy-records section 1 says what libpcap makes of each kind).
 */
#ifndef FLOWTRACK_CAPTURE_H
#define FLOWTRACK_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/error.h"

struct capture;

struct capture_packet {
    int64_t time; /* microseconds since 1970 UTC; nanoseconds are cut */
    uint32_t captured;
    uint32_t wire;
    const uint8_t *bytes; /* (captured), valid until the next read */
};

/* Open a capture file (pcap, pcapng).
 *
 * path: "-" is standard input.
 *
 * Return: 0; -ENOENT, -EACCES, -EISDIR; -EBADMSG (no capture file, or one libpcap refuses), err names file
 * and reason.
 */
int capture_open_file(struct capture **capturep, const char *path, struct error *err);

struct capture_live_options {
    const char *interface;
    const char *filter;     /* BPF expression, NULL: none */
    uint32_t snap_length;   /* octets */
    uint32_t buffer_octets; /* kernel ring */
    bool promiscuous;
    int fanout_group; /* PACKET_FANOUT by symmetric hash, -1: none */
};

/* Open an interface, non-blocking.
 *
 * Return: 0; -EACCES, -ENODEV (no such interface), -EINVAL (filter), err says which.
 */
int capture_open_live(struct capture **capturep, const struct capture_live_options *options,
                      struct error *err);

void capture_close(struct capture *capture);

/* LINKTYPE_/DLT_ number. */
int capture_link_type(const struct capture *capture);

/* Read the next packet.
 *
 * Return: 1 a packet; 0 the end of the file, or live: none at hand; -EBADMSG damage in a file, reading may go
 * on; -ENODEV the interface is gone, -EIO.
 */
int capture_next(struct capture *capture, struct capture_packet *packet, struct error *err);

/* Live: descriptor to wait on, and the longest time to wait in microseconds (0: none required). */
int capture_descriptor(const struct capture *capture);
int64_t capture_required_timeout(const struct capture *capture);

struct capture_drops {
    uint64_t kernel;    /* ring full */
    uint64_t interface; /* as the driver says */
};

/* Live: losses since the start, counting up. Return: 0, -ENOTSUP for files, -EIO. */
int capture_drops(struct capture *capture, struct capture_drops *drops);

/* Files: octets read so far and size, for progress; 0 where unknown. */
uint64_t capture_position(const struct capture *capture);
uint64_t capture_size(const struct capture *capture);

#endif
