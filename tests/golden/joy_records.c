/* joy_records.c - golden test: under the joy rules our records are those that Joy wrote, in the same order.
 *
 * usage: joy_records FOLDER...
 *
 * Every capture of a folder that has an archive beside it (NAME.pcap and NAME.json.gz) goes through capture
 * and tracker; each record is written as JSON and read back, and compared with the next one of the archive.
 * Lines of an archive that are no JSON (one of Joy's faults) stand for a record of ours that is not compared.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtrack/archive.h"
#include "flowtrack/capture.h"
#include "flowtrack/record_json.h"
#include "flowtrack/tracker.h"

enum { SKIP = 77, PATH_OCTETS = 4096, SHOWN_MAX = 3 };

struct comparison {
    const char *name;
    struct archive_reader *expected;
    unsigned n_records;
    unsigned n_wrong;
};

static void show(const char *whose, const struct record *record)
{
    char line[RECORD_JSON_MAX];
    size_t n = record_json_write(line, record);

    printf("    %s %.*s\n", whose, (int)n - 1, line);
}

static void wrong(struct comparison *comparison, const char *what, const struct record *expected,
                  const struct record *ours)
{
    if (comparison->n_wrong++ >= SHOWN_MAX)
        return;
    printf("%s: record %u: %s\n", comparison->name, comparison->n_records, what);
    if (expected)
        show("expected", expected);
    if (ours)
        show("ours    ", ours);
}

/* What a reader of our archive gets. */
static int read_back(struct record *back, const struct record *record)
{
    char line[RECORD_JSON_MAX];
    size_t n = record_json_write(line, record);
    unsigned cut;

    return record_json_read(back, line, n - 1, &cut, NULL);
}

static void compare(void *context, const struct record *record)
{
    static struct record expected;
    static struct record ours;
    struct comparison *comparison = context;
    struct error err;
    int r = archive_reader_next(comparison->expected, &expected, &err);

    comparison->n_records++;
    if (r == -EBADMSG)
        return;
    if (read_back(&ours, record) != RECORD_JSON_RECORD)
        wrong(comparison, "our line cannot be read back", NULL, record);
    else if (r != 1)
        wrong(comparison, "not in the archive", NULL, &ours);
    else if (!record_equal(&ours, &expected))
        wrong(comparison, "differs", &expected, &ours);
}

static void read_capture(struct capture *capture, struct tracker *tracker)
{
    struct capture_packet packet;
    int r;

    (void)tracker_set_link_type(tracker, capture_link_type(capture));
    while ((r = capture_next(capture, &packet, NULL)) == 1 || r == -EBADMSG) {
        if (r == 1)
            tracker_packet(tracker, packet.time, packet.captured, packet.wire, packet.bytes);
        else
            tracker_read_error(tracker);
    }
    tracker_finish(tracker);
}

static void check_sums(struct comparison *comparison, const struct tracker_stats *stats)
{
    uint64_t packets = stats->decoded;
    uint64_t flows = stats->flows_active;

#define SUM_IGNORED(name, text) packets += stats->ignored.name;
#define SUM_DROPPED(name, text) packets += stats->dropped.name;
    TRACKER_IGNORED(SUM_IGNORED)
    TRACKER_DROPPED(SUM_DROPPED)
    for (int i = 0; i < RECORD_REASONS; i++)
        flows += stats->flows_finished[i];
    if (packets != stats->packets || flows != stats->flows_created || flows != comparison->n_records) {
        printf("%s: the sums of packets or flows do not balance\n", comparison->name);
        comparison->n_wrong++;
    }
}

/* Return: 0, or the reason why the capture could not be compared. */
static int compare_capture(struct comparison *comparison, const char *path, const char *archive,
                           struct error *err)
{
    const struct tracker_config config = {
        .rules = &rules_joy,
        .idle_timeout = 10000000,
        .active_timeout = 30000000,
        .side_packets = RECORD_SIDE_PACKETS_MAX,
        .side_ids = RECORD_IDS_MAX,
        .max_flows = 100000,
        .max_memory = 256 << 20,
        .on_record = compare,
        .context = comparison,
    };
    struct tracker *tracker = NULL;
    struct capture *capture = NULL;
    static struct record rest;
    int r = archive_reader_open(&comparison->expected, archive, err);

    if (r < 0)
        return r;
    r = capture_open_file(&capture, path, config.rules->first_interface, err);
    if (r == 0)
        r = tracker_new(&tracker, &config, err);
    if (r == 0) {
        read_capture(capture, tracker);
        check_sums(comparison, tracker_stats(tracker));
        while (archive_reader_next(comparison->expected, &rest, NULL) == 1)
            wrong(comparison, "missing", &rest, NULL);
    }
    tracker_free(tracker);
    capture_close(capture);
    archive_reader_close(comparison->expected);
    return r;
}

static int is_capture(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot && (strcmp(dot, ".pcap") == 0 || strcmp(dot, ".pcapng") == 0 || strcmp(dot, ".cap") == 0);
}

/* Return: number of captures that differ, -1 if the folder cannot be read. */
static int compare_folder(const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_capture, alphasort);
    unsigned n_records = 0;
    int n_wrong = 0;

    if (n < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        int stem = (int)(strrchr(name, '.') - name);
        struct comparison comparison = {.name = name};
        char capture[PATH_OCTETS];
        char archive[PATH_OCTETS];
        struct error err;

        (void)snprintf(capture, sizeof(capture), "%s/%s", folder, name);
        (void)snprintf(archive, sizeof(archive), "%s/%.*s.json.gz", folder, stem, name);
        if (compare_capture(&comparison, capture, archive, &err) < 0) {
            printf("%s: %s\n", name, err.text);
            comparison.n_wrong++;
        }
        n_records += comparison.n_records;
        n_wrong += comparison.n_wrong > 0;
        free(entries[i]);
    }
    free(entries);
    printf("%s: %d captures, %u records, %d captures differ\n", folder, n, n_records, n_wrong);
    return n_wrong;
}

int main(int argc, char **argv)
{
    int n_wrong = 0;

    for (int i = 1; i < argc; i++) {
        int r = compare_folder(argv[i]);

        if (r < 0) {
            printf("skipped: %s: %s\n", argv[i], strerror(errno));
            return SKIP;
        }
        n_wrong += r;
    }
    return n_wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
