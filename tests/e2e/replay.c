/* replay.c - sends the frames of a capture out of an interface, at the capture's own pace, faster, or at a
 * given rate.
 *
 *     replay [-r PACKETS-PER-SECOND | -x SPEED-UP] [-l LOOPS] INTERFACE FILE
 *
 * Without -r and -x as fast as it goes. Frames that the capture's snap length cut are filled up to their
 * length on the wire with zeros; longer ones than the interface takes end the program. All frames lie ready
 * in memory before the first is sent, and leave in batches (sendmmsg) past the queueing discipline. The last
 * line says what was offered: packets, octets, seconds, rate.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64 };

static const int64_t SECOND = 1000000000; /* all times in nanoseconds */

struct frame {
    uint8_t *bytes; /* (length) */
    size_t length;
    int64_t due; /* from the first frame on, in the capture's time */
};

struct replay {
    int socket;
    struct frame *frames; /* (n_frames) */
    size_t n_frames;
    double rate;     /* packets per second, 0: not limited */
    double speed_up; /* of the capture's own pace, 0: not followed */
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "replay: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void *allocate(void *old, size_t size)
{
    void *block = realloc(old, size);

    if (!block)
        fail("memory", strerror(errno));
    return block;
}

static int64_t now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static void wait_until(int64_t when)
{
    struct timespec time = {.tv_sec = when / SECOND, .tv_nsec = when % SECOND};

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void read_capture(struct replay *replay, const char *name)
{
    char reason[PCAP_ERRBUF_SIZE];
    pcap_t *capture = pcap_open_offline_with_tstamp_precision(name, PCAP_TSTAMP_PRECISION_NANO, reason);
    struct pcap_pkthdr *header;
    const u_char *bytes;
    int64_t begin = 0;
    size_t room = 0;
    int status;

    if (!capture)
        fail(name, reason);
    if (pcap_datalink(capture) != DLT_EN10MB)
        fail(name, "not a capture of Ethernet frames");
    while ((status = pcap_next_ex(capture, &header, &bytes)) == 1) {
        int64_t time = header->ts.tv_sec * SECOND + header->ts.tv_usec;
        size_t length = header->len < header->caplen ? header->caplen : header->len;
        struct frame *frame;

        if (replay->n_frames == room) {
            room = room ? 2 * room : 1024;
            replay->frames = allocate(replay->frames, room * sizeof *replay->frames);
        }
        if (replay->n_frames == 0)
            begin = time;
        frame = &replay->frames[replay->n_frames++];
        *frame = (struct frame){.bytes = allocate(NULL, length), .length = length, .due = time - begin};
        memcpy(frame->bytes, bytes, header->caplen);
        memset(frame->bytes + header->caplen, 0, length - header->caplen);
    }
    if (status == PCAP_ERROR)
        fail(name, pcap_geterr(capture));
    if (replay->n_frames == 0)
        fail(name, "no frames");
    pcap_close(capture);
}

static void open_interface(struct replay *replay, const char *name)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name)};
    int yes = 1;

    /* Protocol 0: nothing is received. */
    replay->socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (replay->socket < 0 || address.sll_ifindex == 0 ||
        bind(replay->socket, (struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(replay->socket, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) < 0)
        fail(name, strerror(errno));
}

static void send_frames(const struct replay *replay, const struct frame *frames, size_t n_frames)
{
    struct mmsghdr messages[BATCH] = {0};
    struct iovec parts[BATCH];
    size_t sent = 0;

    for (size_t i = 0; i < n_frames; i++) {
        parts[i] = (struct iovec){.iov_base = frames[i].bytes, .iov_len = frames[i].length};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    while (sent < n_frames) {
        int n = sendmmsg(replay->socket, messages + sent, (unsigned)(n_frames - sent), 0);

        if (n > 0)
            sent += (size_t)n;
        else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
            fail("send", strerror(errno));
    }
}

/* How many frames, from `first` on, may leave together, and when: those that are due within the same
 * millisecond. */
static size_t next_batch(const struct replay *replay, size_t first, size_t n_sent, int64_t begin,
                         int64_t *whenp)
{
    size_t n = replay->n_frames - first < BATCH ? replay->n_frames - first : BATCH;
    int64_t due = (int64_t)(replay->speed_up ? (double)replay->frames[first].due / replay->speed_up : 0);

    if (replay->rate)
        due = (int64_t)((double)n_sent / replay->rate * (double)SECOND);
    *whenp = begin + due;
    if (!replay->speed_up)
        return n;
    for (size_t i = 1; i < n; i++)
        if ((double)replay->frames[first + i].due / replay->speed_up > (double)due + (double)SECOND / 1000)
            return i;
    return n;
}

static size_t send_once(const struct replay *replay, size_t n_sent, int64_t begin, uint64_t *octetsp)
{
    for (size_t i = 0; i < replay->n_frames;) {
        int64_t when;
        size_t n = next_batch(replay, i, n_sent, begin, &when);

        if (replay->rate || replay->speed_up)
            wait_until(when);
        send_frames(replay, &replay->frames[i], n);
        for (size_t j = i; j < i + n; j++)
            *octetsp += replay->frames[j].length;
        i += n;
        n_sent += n;
    }
    return n_sent;
}

int main(int argc, char **argv)
{
    struct replay replay = {0};
    unsigned long n_loops = 1;
    uint64_t octets = 0;
    size_t n_sent = 0;
    int64_t begin;
    double seconds;
    int option;

    while ((option = getopt(argc, argv, "l:r:x:")) != -1) {
        if (option == 'l')
            n_loops = strtoul(optarg, NULL, 10);
        else if (option == 'r')
            replay.rate = strtod(optarg, NULL);
        else if (option == 'x')
            replay.speed_up = strtod(optarg, NULL);
        else
            return EXIT_FAILURE;
    }
    if (argc - optind != 2)
        fail("usage", "replay [-r PACKETS-PER-SECOND | -x SPEED-UP] [-l LOOPS] INTERFACE FILE");
    read_capture(&replay, argv[optind + 1]);
    open_interface(&replay, argv[optind]);

    begin = now();
    for (unsigned long i = 0; i < n_loops; i++)
        n_sent = send_once(&replay, n_sent, replay.speed_up ? now() : begin, &octets);
    seconds = (double)(now() - begin) / (double)SECOND;
    printf("%zu packets, %llu octets, %.3f seconds, %.0f packets/s\n", n_sent, (unsigned long long)octets,
           seconds, (double)n_sent / seconds);

    for (size_t i = 0; i < replay.n_frames; i++)
        free(replay.frames[i].bytes);
    free(replay.frames);
    (void)close(replay.socket);
    return EXIT_SUCCESS;
}
