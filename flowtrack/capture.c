#include "flowtrack/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flowtrack/capture_internal.h"
#include "flowtrack/capture_stream.h"

/* ---- opening a file ---- */

/* Return: the descriptor, or why there is none. */
static int open_descriptor(const char *path, struct error *err)
{
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (fd < 0)
        return error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        (void)close(fd);
        return error_set(err, -EISDIR, "%s: %s", path, strerror(EISDIR));
    }
    return fd;
}

/* Let libpcap read the head of the file. The stream is the capture's then. */
static int open_stream(struct capture *capture, int fd, bool first_interface, struct error *err)
{
    char reason[PCAP_ERRBUF_SIZE] = "";
    struct capture_stream *stream;
    struct stat status;

    if (capture_stream_new(&stream, fd, !first_interface) < 0) {
        (void)close(fd);
        return error_set(err, -ENOMEM, "%s: no memory", capture->name);
    }
    capture->pcap = pcap_fopen_offline(capture_stream_file(stream), reason);
    if (!capture->pcap) {
        bool unreadable = ferror(capture_stream_file(stream));

        (void)fclose(capture_stream_file(stream));
        capture_stream_free(stream);
        return error_set(err, unreadable ? -EIO : -EBADMSG, "%s: %s", capture->name, reason);
    }
    capture->stream = stream;
    capture_stream_mend(stream);
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        capture->size = (uint64_t)status.st_size;
    return 0;
}

int capture_open_file(struct capture **capturep, const char *path, bool first_interface, struct error *err)
{
    struct capture *capture;
    int fd = open_descriptor(path, err);
    int result;

    if (fd < 0)
        return fd;
    capture = calloc(1, sizeof *capture);
    if (capture) {
        capture->name = strdup(path);
        capture->shared = INT64_MIN;
        capture->loss_files[0] = capture->loss_files[1] = -1;
    }
    if (!capture || !capture->name) {
        free(capture);
        (void)close(fd);
        return error_set(err, -ENOMEM, "%s: no memory", path);
    }
    result = open_stream(capture, fd, first_interface, err);
    if (result < 0) {
        capture_close(capture);
        return result;
    }
    *capturep = capture;
    return 0;
}

void capture_close(struct capture *capture)
{
    if (!capture)
        return;
    if (capture->pcap)
        pcap_close(capture->pcap);
    if (!capture->stream)
        capture_live_close(capture);
    capture_stream_free(capture->stream);
    free(capture->name);
    free(capture);
}

/* ---- reading ---- */

/* Seconds of pcapng files have 64 bits, and fractions need not be below one. */
int64_t capture_time_of(const struct timeval *time)
{
    int64_t microseconds;

    if (__builtin_mul_overflow((int64_t)time->tv_sec, (int64_t)1000000, &microseconds) ||
        __builtin_add_overflow(microseconds, (int64_t)time->tv_usec, &microseconds))
        return time->tv_sec < 0 ? -CAPTURE_TIME_MAX : CAPTURE_TIME_MAX;
    if (microseconds > CAPTURE_TIME_MAX)
        return CAPTURE_TIME_MAX;
    return microseconds < -CAPTURE_TIME_MAX ? -CAPTURE_TIME_MAX : microseconds;
}

static int file_failed(struct capture *capture, int result, struct error *err)
{
    bool unreadable = ferror(capture_stream_file(capture->stream));
    const char *damage;
    uint64_t left_out;

    if (result == PCAP_ERROR || unreadable)
        return error_set(err, unreadable ? -EIO : -EBADMSG, "%s: %s", capture->name,
                         pcap_geterr(capture->pcap));
    damage = capture_stream_damage(capture->stream);
    if (damage)
        return error_set(err, -EBADMSG, "%s: interface block: %s", capture->name, damage);
    left_out = capture_stream_left_out(capture->stream);
    if (left_out > 0)
        return error_set(
            err, -EBADMSG,
            "%s: %llu packets left out: their interfaces have another link type than the first one",
            capture->name, (unsigned long long)left_out);
    return 0;
}

/* A packet was read from a file behind damage that libpcap did not see: give the damage, keep the packet. */
static int report_damage(struct capture *capture, const struct capture_packet *packet, const char *damage,
                         struct error *err)
{
    capture->waiting = *packet;
    capture->has_waiting = true;
    return error_set(err, -EBADMSG, "%s: interface block: %s", capture->name, damage);
}

int capture_next(struct capture *capture, struct capture_packet *packet, struct error *err)
{
    struct capture_packet next;
    struct pcap_pkthdr *header;
    const char *damage;
    int result;

    if (__builtin_expect(capture->has_waiting, 0)) {
        capture->has_waiting = false;
        *packet = capture->waiting;
        return 1;
    }
    do {
        result = pcap_next_ex(capture->pcap, &header, &next.bytes);
        if (__builtin_expect(result != 1, 0))
            return capture->stream ? file_failed(capture, result, err)
                   : result == 0   ? 0
                                   : capture_live_failed(capture, err);
        next.time = capture_time_of(&header->ts);
    } while (capture_came_to_everyone(capture, next.time));
    next.captured = header->caplen;
    next.wire = header->len;
    if (capture->stream && (damage = capture_stream_damage(capture->stream)) != NULL)
        return report_damage(capture, &next, damage, err);
    *packet = next;
    return 1;
}

int capture_set_filter(struct capture *capture, const char *filter, struct error *err)
{
    struct bpf_program program;
    int result;

    if (pcap_compile(capture->pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
        return error_set(err, -EINVAL, "%s: filter \"%s\": %s", capture->name, filter,
                         pcap_geterr(capture->pcap));
    result = pcap_setfilter(capture->pcap, &program);
    pcap_freecode(&program);
    if (result < 0)
        return error_set(err, -EINVAL, "%s: filter \"%s\": %s", capture->name, filter,
                         pcap_geterr(capture->pcap));
    return 0;
}

/* ---- what is known of it ---- */

int capture_link_type(const struct capture *capture)
{
    return pcap_datalink(capture->pcap);
}

const char *capture_link_type_name(const struct capture *capture)
{
    const char *name = pcap_datalink_val_to_name(pcap_datalink(capture->pcap));

    return name ? name : "unknown";
}

uint64_t capture_position(const struct capture *capture)
{
    return capture->stream ? capture_stream_position(capture->stream) : 0;
}

uint64_t capture_size(const struct capture *capture)
{
    return capture->size;
}
