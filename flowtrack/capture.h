/* capture.h - where packets come from: a capture file or an interface, through libpcap.
 *
 * The one place that knows libpcap. Damaged files are read as far as they go: a read error is reported once
 * for each damage and reading goes on behind it (joy-records section 1 says what libpcap makes of each kind).
 * One thing is kept from libpcap: a pcapng interface block whose options are damaged would leave the
 * interface without a time resolution, and the next packet on it would divide by that (section 12, item 26
 * there). Such options are taken out on the way, and the damage is reported here; the interface then counts
 * microseconds.
 *
 * libpcap also takes all interfaces of a pcapng file for the first one. That is had as it is, for what Joy
 * would read, or else mended as far as it goes (capture_interfaces.h): snap lengths may differ; packets of
 * interfaces with another link type are left out, which is said when such an interface comes, and at the end
 * of the file with their number.
 */
#ifndef FLOWTRACK_CAPTURE_H
#define FLOWTRACK_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtrack/error.h"

struct capture;

/* Times beyond this, either way, are cut to it, so that they can be added to and subtracted from. */
#define CAPTURE_TIME_MAX ((int64_t)1 << 61)

struct capture_packet {
    int64_t time; /* microseconds since 1970 UTC; nanoseconds are cut */
    uint32_t captured;
    uint32_t wire;
    const uint8_t *bytes; /* (captured), valid until the next read */
};

/* Open a capture file (pcap, pcapng).
 *
 * path: "-" is standard input.
 * first_interface: let the first interface of a pcapng file speak for all, as libpcap does.
 *
 * Return: 0; -ENOENT, -EACCES, -EISDIR; -EBADMSG (no capture file, or one libpcap refuses), err names file
 * and reason.
 */
int capture_open_file(struct capture **capturep, const char *path, bool first_interface, struct error *err);

struct capture_live_options {
    const char *interface;
    const char *filter;     /* BPF expression, NULL: none */
    uint32_t snap_length;   /* octets */
    uint32_t buffer_octets; /* kernel ring */
    bool promiscuous;
    bool look_through; /* shared captures: tunnels count as what is in them, as rules.look_through says */
};

/* Open an interface, non-blocking.
 *
 * Return: 0; -EACCES; -ENODEV (no such interface); -ENETDOWN (it is down); -EINVAL (filter); -EIO. err says
 * which.
 */
int capture_open_live(struct capture **capturep, const struct capture_live_options *options,
                      struct error *err);

/* Open an interface several times, so that as many threads can read from it: each packet comes to one of the
 * captures, all packets of a flow to the same (fanout.h). Each has a ring of its own; the interface's drops
 * are counted by the first alone.
 *
 * captures: (n)
 *
 * Return: as capture_open_live(); -ENOPROTOOPT and others: this kernel cannot share packets so.
 */
int capture_open_shared(struct capture **captures, size_t n, const struct capture_live_options *options,
                        struct error *err);

void capture_close(struct capture *capture);

/* DLT_ number, for tracker_set_link_type(). */
int capture_link_type(const struct capture *capture);

/* Its name in libpcap, "unknown" if it has none there. */
const char *capture_link_type_name(const struct capture *capture);

/* Read only packets that pass a BPF expression from now on.
 *
 * Return: 0; -EINVAL, err says what is wrong with the expression.
 */
int capture_set_filter(struct capture *capture, const char *filter, struct error *err);

/* Read the next packet.
 *
 * Return: 1 a packet; 0 the end of the file, or live: none at hand; -EBADMSG damage in a file, reading may go
 * on; -EIO the file or interface cannot be read any more; -ENODEV the interface is gone. err says where and
 * why.
 */
int capture_next(struct capture *capture, struct capture_packet *packet, struct error *err);

/* Called for each packet of capture_dispatch().
 *
 * packet: its octets lie in the kernel's ring and are valid during the call only.
 */
typedef void capture_packet_fn(void *context, const struct capture_packet *packet);

/* Live: hand out the packets at hand where they lie. capture_next() copies each one; this is what a loop that
 * has to keep up calls at each wake-up.
 *
 * limit: packets at most, above 0; the rest waits for the next call.
 *
 * Return: packets handed out, 0 if none were at hand; -ENODEV, -EIO as capture_next(); -ENOTSUP for files.
 */
int capture_dispatch(struct capture *capture, int limit, capture_packet_fn *on_packet, void *context,
                     struct error *err);

/* Live: descriptor to wait on, for a few hundredths of a second at most: a packet may be due though the
 * descriptor does not say so. */
int capture_descriptor(const struct capture *capture);

/* Live: whether the interface is up. A capture outlives an interface that goes down and comes back.
 *
 * Return: 1 up (also "any" and other devices that are no interface); 0 down; -ENODEV gone, or another one
 * under its name; -ENOTSUP for files.
 */
int capture_interface_state(const struct capture *capture);

struct capture_drops {
    uint64_t kernel;    /* ring full */
    uint64_t interface; /* as the driver says, for the whole interface: missed and FIFO errors; of shared
                           captures the first one says it */
};

/* Live: losses since the start, counting up. Return: 0, -ENOTSUP for files, -EIO. */
int capture_drops(struct capture *capture, struct capture_drops *drops);

/* Files: octets read so far and size, for progress; 0 where unknown. */
uint64_t capture_position(const struct capture *capture);
uint64_t capture_size(const struct capture *capture);

#endif
