/* flow_speed.c - what making records costs, as a multiple of reading the same file with libpcap.
 *
 * usage: flow_speed [-n RUNS] CAPTURE...
 *
 * For each capture: CPU time (user and system) of a libpcap loop that does nothing, and of the whole path to
 * records that nobody keeps, under both rule sets, each in a process of its own; the least of RUNS (default
 * 3) counts. Memory is the growth of the process and what the table says itself, by the most flows open at
 * once.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flowtrack/capture.h"
#include "flowtrack/tracker.h"

struct result {
    bool done;
    double seconds; /* CPU */
    uint64_t packets;
    uint64_t records;
    uint64_t flows_most; /* open at once */
    uint64_t memory;     /* octets, as the tracker counts */
    uint64_t resident;   /* octets that the process grew by */
};

static double cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static uint64_t resident_most(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

static void no_op(uint8_t *user, const struct pcap_pkthdr *header, const uint8_t *bytes)
{
    (void)header;
    (void)bytes;
    ++*(uint64_t *)user;
}

static void run_floor(const char *path, const struct rules *rules, struct result *result)
{
    char err[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_open_offline(path, err);

    (void)rules;
    if (!pcap) {
        fprintf(stderr, "flow_speed: %s\n", err);
        return;
    }
    result->done = pcap_loop(pcap, -1, no_op, (uint8_t *)&result->packets) == 0;
    pcap_close(pcap);
}

static void count_record(void *context, const struct record *record)
{
    ++*(uint64_t *)context;
    (void)record;
}

static void run_tracker(const char *path, const struct rules *rules, struct result *result)
{
    const struct tracker_config config = {
        .rules = rules,
        .idle_timeout = 10000000,
        .active_timeout = 30000000,
        .side_packets = RECORD_SIDE_PACKETS_MAX,
        .side_ids = RECORD_IDS_MAX,
        .max_flows = 4 << 20,
        .max_memory = UINT64_C(8) << 30,
        .on_record = count_record,
        .context = &result->records,
    };
    uint64_t before = resident_most();
    struct capture_packet packet;
    struct capture *capture;
    struct tracker *tracker;
    struct error err;
    int r;

    if (capture_open_file(&capture, path, config.rules->first_interface, &err) < 0 ||
        tracker_new(&tracker, &config, &err) < 0) {
        fprintf(stderr, "flow_speed: %s\n", err.text);
        return;
    }
    (void)tracker_set_link_type(tracker, capture_link_type(capture));
    while ((r = capture_next(capture, &packet, &err)) == 1 || r == -EBADMSG)
        if (r == 1)
            tracker_packet(tracker, packet.time, packet.captured, packet.wire, packet.bytes);
    result->flows_most = tracker_stats(tracker)->flows_active;
    tracker_finish(tracker);
    result->packets = tracker_stats(tracker)->packets;
    result->memory = tracker_stats(tracker)->memory_peak;
    result->resident = resident_most() - before;
    result->done = true;
    tracker_free(tracker);
    capture_close(capture);
}

typedef void run_fn(const char *path, const struct rules *rules, struct result *result);

/* Run once in a process of its own; the result comes back through shared memory. */
static struct result run_apart(run_fn *run, const char *path, const struct rules *rules)
{
    struct result *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct result result = {.done = false};
    pid_t child;

    if (shared == MAP_FAILED)
        return result;
    child = fork();
    if (child == 0) {
        double before = cpu_seconds();

        run(path, rules, shared);
        shared->seconds = cpu_seconds() - before;
        _exit(0);
    }
    if (child > 0 && waitpid(child, NULL, 0) == child)
        result = *shared;
    (void)munmap(shared, sizeof(*shared));
    return result;
}

static struct result best_of(int runs, run_fn *run, const char *path, const struct rules *rules)
{
    struct result best = run_apart(run, path, rules);

    for (int i = 1; i < runs; i++) {
        struct result result = run_apart(run, path, rules);

        if (result.done && result.seconds < best.seconds)
            best = result;
    }
    return best;
}

static void print_row(const char *path, const char *name, const struct result *result,
                      const struct result *floor)
{
    const char *base = strrchr(path, '/');

    printf("%-12s %-11s %9.3f %8.2f %8.1f", base ? base + 1 : path, name, result->seconds,
           result->seconds / floor->seconds, result->seconds * 1e9 / (double)result->packets);
    if (result->flows_most > 0)
        printf(" %9lu %9lu %8.0f %8.0f", result->records, result->flows_most,
               (double)result->memory / (double)result->flows_most,
               (double)result->resident / (double)result->flows_most);
    printf("\n");
    (void)fflush(stdout);
}

static bool measure(int runs, const char *path)
{
    static const struct rules *const sets[] = {&rules_joy, &rules_flowclassd};
    struct result floor = best_of(runs, run_floor, path, NULL);

    if (!floor.done || floor.packets == 0)
        return false;
    print_row(path, "(libpcap)", &floor, &floor);
    for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
        struct result result = best_of(runs, run_tracker, path, sets[i]);

        if (!result.done)
            return false;
        print_row(path, sets[i]->name, &result, &floor);
    }
    return true;
}

int main(int argc, char **argv)
{
    int status = EXIT_SUCCESS;
    int runs = 3;
    int option;

    while ((option = getopt(argc, argv, "n:")) != -1)
        if (option == 'n')
            runs = atoi(optarg);
    if (optind == argc || runs < 1) {
        fprintf(stderr, "usage: flow_speed [-n RUNS] CAPTURE...\n");
        return 64;
    }
    printf("%-12s %-11s %9s %8s %8s %9s %9s %8s %8s\n", "capture", "rules", "CPU s", "x floor", "ns/pkt",
           "records", "open", "B/flow", "RSS/flow");
    for (int i = optind; i < argc; i++)
        if (!measure(runs, argv[i]))
            status = EXIT_FAILURE;
    return status;
}
