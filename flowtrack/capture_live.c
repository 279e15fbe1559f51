/* capture_live.c - packets from an interface.
 *
 * libpcap maps a kernel ring (TPACKET_V3) and hands out its blocks when they are full or older than the
 * time-out. It lives through an interface going down by itself, if it is called now and then, and gives an
 * error only when the interface is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "flowtrack/capture.h"
#include "flowtrack/capture_internal.h"
#include "flowtrack/fanout.h"

enum {
    BLOCK_TIMEOUT_MS = 10,  /* how long a packet may lie in a block that does not fill */
    SHARED_TRUST = 1000000, /* microseconds within which packets from before they were dealt out are read */
};

/* ---- losses ---- */

/* Counters stay open, since a sandbox may forbid to open them later. */
static void open_loss_files(struct capture *capture)
{
    static const char *const names[CAPTURE_LOSS_FILES] = {"rx_missed_errors", "rx_fifo_errors"};
    char path[PATH_MAX];

    for (size_t i = 0; i < CAPTURE_LOSS_FILES; i++)
        if (snprintf(path, sizeof path, "/sys/class/net/%s/statistics/%s", capture->name, names[i]) <
            (int)sizeof path)
            capture->loss_files[i] = open(path, O_RDONLY | O_CLOEXEC);
}

/* What the driver lost; 0 when the interface is gone. */
static uint64_t losses(const struct capture *capture)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < CAPTURE_LOSS_FILES; i++) {
        char text[32];
        ssize_t length = pread(capture->loss_files[i], text, sizeof text - 1, 0);

        if (length > 0) {
            text[length] = '\0';
            sum += strtoull(text, NULL, 10);
        }
    }
    return sum;
}

void capture_live_close(struct capture *capture)
{
    for (size_t i = 0; i < CAPTURE_LOSS_FILES; i++) {
        if (capture->loss_files[i] >= 0)
            (void)close(capture->loss_files[i]);
        capture->loss_files[i] = -1;
    }
}

int capture_drops(struct capture *capture, struct capture_drops *drops)
{
    struct pcap_stat status;
    uint64_t lost;

    if (capture->stream)
        return -ENOTSUP;
    if (pcap_stats(capture->pcap, &status) < 0)
        return -EIO;
    capture->dropped += (uint32_t)(status.ps_drop - capture->last_drop);
    capture->last_drop = status.ps_drop;
    lost = losses(capture);
    if (lost > capture->losses_at_start + capture->interface_lost)
        capture->interface_lost = lost - capture->losses_at_start;
    drops->kernel = capture->dropped;
    drops->interface = capture->interface_lost;
    return 0;
}

/* ---- opening ---- */

static int settings(struct capture *capture, const struct capture_live_options *options)
{
    int buffer = options->buffer_octets > INT_MAX ? INT_MAX : (int)options->buffer_octets;
    int snap = options->snap_length > INT_MAX ? INT_MAX : (int)options->snap_length;

    if (pcap_set_snaplen(capture->pcap, snap) != 0 ||
        pcap_set_promisc(capture->pcap, options->promiscuous) != 0 ||
        pcap_set_timeout(capture->pcap, BLOCK_TIMEOUT_MS) != 0)
        return -EINVAL;
    return buffer == 0 || pcap_set_buffer_size(capture->pcap, buffer) == 0 ? 0 : -EINVAL;
}

static int activate(struct capture *capture, struct error *err)
{
    static const struct {
        int status;
        int code;
    } codes[] = {
        {PCAP_ERROR_NO_SUCH_DEVICE, -ENODEV},
        {PCAP_ERROR_PERM_DENIED, -EACCES},
        {PCAP_ERROR_PROMISC_PERM_DENIED, -EACCES},
        {PCAP_ERROR_IFACE_NOT_UP, -ENETDOWN},
    };
    int status = pcap_activate(capture->pcap);
    int code = -EIO;
    const char *reason = pcap_statustostr(status);
    const char *detail = pcap_geterr(capture->pcap);

    if (status >= 0)
        return 0;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].status == status)
            code = codes[i].code;
    if (strcmp(detail, reason) == 0)
        detail = "";
    return error_set(err, code, "%s: %s%s%s", capture->name, reason, *detail ? ": " : "", detail);
}

/* The index of the interface that has the name now, 0 if there is none. Asked through the socket we have,
 * since a sandbox may forbid new ones. */
static int interface_index(const struct capture *capture)
{
    struct ifreq request = {0};

    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", capture->name);
    return ioctl(pcap_fileno(capture->pcap), SIOCGIFINDEX, &request) < 0 ? 0 : request.ifr_ifindex;
}

static int start(struct capture *capture, const struct capture_live_options *options, struct error *err)
{
    char reason[PCAP_ERRBUF_SIZE] = "";
    int result;

    capture->pcap = pcap_create(options->interface, reason);
    if (!capture->pcap)
        return error_set(err, -ENOMEM, "%s: %s", capture->name, reason);
    if (settings(capture, options) < 0)
        return error_set(err, -EINVAL, "%s: snap length or buffer size out of range", capture->name);
    result = activate(capture, err);
    if (result < 0)
        return result;
    if (pcap_setnonblock(capture->pcap, 1, reason) < 0)
        return error_set(err, -EIO, "%s: %s", capture->name, reason);
    if (options->filter) {
        result = capture_set_filter(capture, options->filter, err);
        if (result < 0)
            return result;
    }
    capture->index = interface_index(capture);
    open_loss_files(capture);
    capture->losses_at_start = losses(capture);
    return 0;
}

int capture_open_live(struct capture **capturep, const struct capture_live_options *options,
                      struct error *err)
{
    struct capture *capture = calloc(1, sizeof *capture);
    int result;

    if (capture)
        capture->name = strdup(options->interface);
    if (!capture || !capture->name) {
        free(capture);
        return error_set(err, -ENOMEM, "%s: no memory", options->interface);
    }
    capture->shared = INT64_MIN;
    capture->loss_files[0] = capture->loss_files[1] = -1;
    result = start(capture, options, err);
    if (result < 0) {
        capture_close(capture);
        return result;
    }
    *capturep = capture;
    return 0;
}

/* ---- sharing ---- */

static int option_set(const struct capture *capture, int option, const void *value, socklen_t size,
                      struct error *err)
{
    if (setsockopt(pcap_fileno(capture->pcap), SOL_PACKET, option, value, size) == 0)
        return 0;
    return error_set(err, -errno, "%s: packets cannot be shared out (PACKET_FANOUT): %s", capture->name,
                     strerror(errno));
}

/* Make a group with a number that nobody has, and tell the kernel how its packets are dealt out.
 *
 * argument: for those who join.
 */
static int group_make(const struct capture *capture, const struct capture_live_options *options,
                      uint32_t *argument, struct error *err)
{
    static const uint32_t new_group = (uint32_t)(PACKET_FANOUT_CBPF | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
    struct fanout_options fanout = {
        .ethernet = capture_link_type(capture) == DLT_EN10MB,
        .look_through = options->look_through,
    };
    struct sock_filter instructions[BPF_MAXINSNS];
    struct sock_fprog program = {.filter = instructions};
    socklen_t size = sizeof *argument;
    int n;

    if (getrandom(fanout.secret, sizeof fanout.secret, GRND_NONBLOCK) != (ssize_t)sizeof fanout.secret)
        memset(fanout.secret, 0, sizeof fanout.secret);
    n = fanout_program(instructions, &fanout);
    if (n < 0)
        return error_set(err, n, "%s: out of memory", capture->name);
    program.len = (unsigned short)n;
    n = option_set(capture, PACKET_FANOUT, &new_group, sizeof new_group, err);
    if (n == 0)
        n = option_set(capture, PACKET_FANOUT_DATA, &program, sizeof program, err);
    if (n == 0 && getsockopt(pcap_fileno(capture->pcap), SOL_PACKET, PACKET_FANOUT, argument, &size) < 0)
        n = error_set(err, -errno, "%s: PACKET_FANOUT: %s", capture->name, strerror(errno));
    return n;
}

static int64_t now(clockid_t clock)
{
    struct timespec time;

    (void)clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Until the last one has joined, packets come to several captures: they are passed over. */
static int share(struct capture **captures, size_t n, const struct capture_live_options *options,
                 struct error *err)
{
    uint32_t argument;
    int r = group_make(captures[0], options, &argument, err);

    for (size_t i = 1; r == 0 && i < n; i++) {
        capture_live_close(captures[i]); /* the first one counts what the interface loses */
        r = option_set(captures[i], PACKET_FANOUT, &argument, sizeof argument, err);
    }
    for (size_t i = 0; i < n; i++) {
        captures[i]->shared = now(CLOCK_REALTIME);
        captures[i]->shared_trust = now(CLOCK_MONOTONIC) + SHARED_TRUST;
    }
    return r;
}

int capture_open_shared(struct capture **captures, size_t n, const struct capture_live_options *options,
                        struct error *err)
{
    size_t opened = 0;
    int r = 0;

    while (r == 0 && opened < n) {
        r = capture_open_live(&captures[opened], options, err);
        opened += r == 0;
    }
    if (r == 0 && n > 1)
        r = share(captures, n, options, err);
    for (size_t i = 0; r < 0 && i < opened; i++)
        capture_close(captures[i]);
    return r;
}

/* ---- waiting and failing ---- */

int capture_interface_state(const struct capture *capture)
{
    struct ifreq request = {0};

    if (capture->stream)
        return -ENOTSUP;
    if (capture->index == 0)
        return 1;
    if (interface_index(capture) != capture->index)
        return -ENODEV;
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", capture->name);
    if (ioctl(pcap_fileno(capture->pcap), SIOCGIFFLAGS, &request) < 0)
        return -ENODEV;
    return (request.ifr_flags & IFF_UP) && (request.ifr_flags & IFF_RUNNING);
}

int capture_live_failed(struct capture *capture, struct error *err)
{
    int code = capture_interface_state(capture) == -ENODEV ? -ENODEV : -EIO;

    return error_set(err, code, "%s: %s", capture->name, pcap_geterr(capture->pcap));
}

/* ---- reading ---- */

/* The ring is in order, so behind the first packet that was dealt out there is none from before. Nor is there
 * one when the ring has been read for a while: should the clock be set back in that time, every packet would
 * look like one. */
bool capture_came_to_everyone(struct capture *capture, int64_t time)
{
    if (__builtin_expect(capture->shared == INT64_MIN, 1))
        return false;
    if (time < capture->shared && now(CLOCK_MONOTONIC) < capture->shared_trust)
        return true;
    capture->shared = INT64_MIN;
    return false;
}

struct dispatch {
    struct capture *capture;
    capture_packet_fn *on_packet;
    void *context;
};

static void on_frame(u_char *context, const struct pcap_pkthdr *header, const u_char *bytes)
{
    const struct dispatch *dispatch = (const struct dispatch *)(const void *)context;
    struct capture_packet packet = {
        .time = capture_time_of(&header->ts),
        .captured = header->caplen,
        .wire = header->len,
        .bytes = bytes,
    };

    if (!capture_came_to_everyone(dispatch->capture, packet.time))
        dispatch->on_packet(dispatch->context, &packet);
}

int capture_dispatch(struct capture *capture, int limit, capture_packet_fn *on_packet, void *context,
                     struct error *err)
{
    struct dispatch dispatch = {.capture = capture, .on_packet = on_packet, .context = context};
    int n;

    if (capture->stream)
        return -ENOTSUP;
    n = pcap_dispatch(capture->pcap, limit, on_frame, (u_char *)&dispatch);
    return n >= 0 ? n : capture_live_failed(capture, err);
}

int capture_descriptor(const struct capture *capture)
{
    return pcap_get_selectable_fd(capture->pcap);
}
