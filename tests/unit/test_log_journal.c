#include "daemon/log_journal.h"

#include <sys/wait.h>
#include <time.h>

#include "daemon/journal.h"
#include "tests/unit/journal_peer.h"
#include "tests/unit/unit.h"

static const char classified[] =
    "{\"timestamp\":\"2026-11-23T05:29:10.353857+00:00\",\"event_type\":\"flowclass\",\"flow_id\":34,"
    "\"in_iface\":\"eth0\",\"src_ip\":\"2001:db8:1::10\",\"src_port\":42580,\"dest_ip\":\"198.51.100.2\","
    "\"dest_port\":443,\"proto\":\"TCP\",\"community_id\":\"1:UBR4RuCehdJgQ+T2OoQBbHbs4GI=\","
    "\"flow\":{\"pkts_toserver\":28,\"pkts_toclient\":29,\"bytes_toserver\":781,\"bytes_toclient\":7490,"
    "\"reason\":\"active\"},\"flowclass\":{\"state\":\"classified\",\"label\":\"so\\\"cial\","
    "\"confidence\":0.763821,\"scores\":{\"so\\\"cial\":0.763821,\"news\":0.236179},"
    "\"model\":\"3e94b958aa34\",\"engine\":\"cpu\"}}\n";
static const char without_ports[] =
    "{\"event_type\":\"flowclass\",\"src_ip\":\"192.0.2.1\",\"dest_ip\":\"192.0.2.2\",\"proto\":\"ESP\","
    "\"flow\":{\"pkts_toserver\":1,\"pkts_toclient\":0,\"bytes_toserver\":9,\"bytes_toclient\":0},"
    "\"flowclass\":{\"state\":\"not_classified\",\"label\":\"unknown\",\"cause\":\"overload\"}}\n";

static struct log_sink *sink_open(void)
{
    struct log_sink *sink;
    struct error err;

    ck_assert_msg(log_journal_open(&sink, journal_peer_path, &err) == 0, "%s", err.text);
    return sink;
}

START_TEST(a_verdict_is_an_entry_with_the_fields_of_its_line)
{
    static const char *const fields[] = {
        "MESSAGE=so\"cial 0.76: TCP [2001:db8:1::10]:42580 > 198.51.100.2:443, 57 packets, 8271 octets",
        "PRIORITY=6",
        "FLOWCLASSD_EVENT=verdict",
        "FLOWCLASS_TIMESTAMP=2026-11-23T05:29:10.353857+00:00",
        "FLOWCLASS_EVENT_TYPE=flowclass",
        "FLOWCLASS_FLOW_ID=34",
        "FLOWCLASS_IN_IFACE=eth0",
        "FLOWCLASS_SRC_IP=2001:db8:1::10",
        "FLOWCLASS_SRC_PORT=42580",
        "FLOWCLASS_DEST_IP=198.51.100.2",
        "FLOWCLASS_DEST_PORT=443",
        "FLOWCLASS_PROTO=TCP",
        "FLOWCLASS_COMMUNITY_ID=1:UBR4RuCehdJgQ+T2OoQBbHbs4GI=",
        "FLOWCLASS_PKTS_TOSERVER=28",
        "FLOWCLASS_BYTES_TOCLIENT=7490",
        "FLOWCLASS_REASON=active",
        "FLOWCLASS_STATE=classified",
        "FLOWCLASS_LABEL=so\"cial",
        "FLOWCLASS_CONFIDENCE=0.763821",
        "FLOWCLASS_SCORES={\"so\\\"cial\":0.763821,\"news\":0.236179}",
        "FLOWCLASS_MODEL=3e94b958aa34",
        "FLOWCLASS_ENGINE=cpu",
    };
    int peer = journal_peer_open();
    struct log_sink *sink = sink_open();
    struct stats_output counts = {0};
    const char *entry;

    log_sink_put(sink, classified, sizeof classified - 1, 0);
    entry = journal_peer_take(peer, NULL);
    ck_assert_ptr_nonnull(entry);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        ck_assert_msg(journal_peer_has(entry, fields[i]), "%s is not in\n%s", fields[i], entry);

    log_sink_put(sink, without_ports, sizeof without_ports - 1, 0);
    entry = journal_peer_take(peer, NULL);
    ck_assert(journal_peer_has(
        entry, "MESSAGE=not classified (overload): ESP 192.0.2.1 > 192.0.2.2, 1 packets, 9 octets"));
    ck_assert(journal_peer_has(entry, "FLOWCLASS_CAUSE=overload"));
    ck_assert_ptr_null(strstr(entry, "FLOWCLASS_SRC_PORT"));
    ck_assert_ptr_null(strstr(entry, "FLOWCLASS_CONFIDENCE"));

    ck_assert_int_eq(log_sink_flush(sink, 0, &counts, NULL), 0);
    ck_assert_uint_eq(counts.written, 2);
    ck_assert_uint_eq(stats_lost(&counts), 0);
    ck_assert_int_eq(log_sink_close(sink, NULL), 0);
    (void)close(peer);
}
END_TEST

START_TEST(other_lines_are_messages)
{
    static const char *const lines[] = {"{\"event_type\":\"stats\",\"stats\":{\"packets\":7}}\n",
                                        "no JSON\n"};
    int peer = journal_peer_open();
    struct log_sink *sink = sink_open();

    for (size_t i = 0; i < 2; i++) {
        const char *entry;
        char message[80];

        log_sink_put(sink, lines[i], strlen(lines[i]), 0);
        entry = journal_peer_take(peer, NULL);
        (void)snprintf(message, sizeof message, "MESSAGE=%.*s", (int)strlen(lines[i]) - 1, lines[i]);
        ck_assert(journal_peer_has(entry, message));
        ck_assert(journal_peer_has(entry, "FLOWCLASSD_EVENT=stats"));
    }
    ck_assert_int_eq(log_sink_close(sink, NULL), 0);
    (void)close(peer);
}
END_TEST

static double now_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The peer does not read: lines are lost with their cause, and next to no time is spent on them. */
START_TEST(a_journal_that_stalls_costs_lines_and_no_time)
{
    enum { LINES = 20000 };
    int peer = journal_peer_open();
    struct log_sink *sink = sink_open();
    struct stats_output counts = {0};
    double began = now_seconds();
    struct error err;

    for (int i = 0; i < LINES; i++)
        log_sink_put(sink, without_ports, sizeof without_ports - 1, 0);
    ck_assert_double_lt(now_seconds() - began,
                        5); /* it takes 0.2 s; to wait 20 ms for each would take 400 s */
    ck_assert_int_eq(log_sink_flush(sink, 0, &counts, &err), -EAGAIN);
    ck_assert_ptr_nonnull(strstr(err.text, "the journal cannot keep up"));
    ck_assert_uint_gt(counts.written, 0);
    ck_assert_uint_gt(counts.lost[STATS_LOSS_journal_full], 0);
    ck_assert_uint_eq(counts.written + stats_lost(&counts), LINES);
    ck_assert_uint_eq(journal_peer_drain(peer), counts.written);

    log_sink_put(sink, without_ports, sizeof without_ports - 1, 0);
    counts = (struct stats_output){0};
    ck_assert_int_eq(log_sink_flush(sink, 0, &counts, &err), 0);
    ck_assert_uint_eq(counts.written, 1);
    ck_assert_int_eq(log_sink_close(sink, NULL), 0);
    (void)close(peer);
}
END_TEST

/* Send many lines at once to a peer that begins to read 5 ms later. Return: entries that arrived. */
static unsigned burst(unsigned lines)
{
    int peer = journal_peer_open();
    struct log_sink *sink = sink_open();
    struct stats_output counts = {0};
    unsigned n = 0;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        for (unsigned i = 0; i < lines; i++)
            log_sink_put(sink, without_ports, sizeof without_ports - 1, 0);
        (void)log_sink_flush(sink, 0, &counts, NULL);
        _exit(counts.written + stats_lost(&counts) == lines ? 0 : 1);
    }
    (void)usleep(5000);
    while (waitpid(child, NULL, WNOHANG) == 0)
        n += journal_peer_drain(peer);
    n += journal_peer_drain(peer);
    ck_assert_int_eq(log_sink_close(sink, NULL), 0);
    (void)close(peer);
    return n;
}

/* Entries that wait at a peer which does not read. */
static unsigned room(void)
{
    static struct journal_entry entry;
    int peer = journal_peer_open();
    struct journal journal;
    unsigned n = 0;

    ck_assert_int_eq(journal_open(&journal, journal_peer_path, NULL), 0);
    ck_assert(journal_put_text(&entry, "MESSAGE", "hello"));
    while (journal_send(&journal, &entry) == 0)
        n++;
    journal_close(&journal);
    (void)close(peer);
    return n;
}

/* One that is a little late gets more than there is room for at once. That this test itself is late by more
 * may happen, but not every time. */
START_TEST(a_journal_that_is_a_little_slow_is_waited_for)
{
    enum { TRIES = 50 };
    unsigned lines = room() + 1, tries = 0;

    while (tries < TRIES && burst(lines) < lines)
        tries++;
    ck_assert_uint_lt(tries, TRIES);
}
END_TEST

START_TEST(a_journal_that_goes_is_counted_and_found_again)
{
    int peer = journal_peer_open();
    struct log_sink *sink = sink_open();
    struct stats_output counts = {0};
    struct error err;

    (void)close(peer);
    for (int i = 0; i < 5; i++)
        log_sink_put(sink, classified, sizeof classified - 1, 0);
    ck_assert_int_eq(log_sink_flush(sink, 0, &counts, &err), -ENODEV);
    ck_assert_ptr_nonnull(strstr(err.text, journal_peer_path));
    ck_assert_uint_eq(counts.lost[STATS_LOSS_journal_gone], 5);
    peer = journal_peer_open();
    log_sink_put(sink, classified, sizeof classified - 1, 0);
    ck_assert_int_eq(log_sink_flush(sink, 0, &counts, &err), 0);
    ck_assert_uint_eq(counts.written, 1);
    ck_assert_uint_eq(journal_peer_drain(peer), 1);
    ck_assert_int_eq(log_sink_rotate(sink, 0, &err), 0);
    ck_assert_int_eq(log_sink_reopen(sink, 0, &err), 0);
    ck_assert_int_eq(log_sink_close(sink, NULL), 0);
    (void)close(peer);
}
END_TEST

START_TEST(without_a_journal_it_does_not_open)
{
    struct log_sink *sink;
    struct error err;

    ck_assert_int_eq(log_journal_open(&sink, "/nonexistent/socket", &err), -ENODEV);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/socket: no journal listens there"));
}
END_TEST

int main(void)
{
    int status;

    if (!journal_peer_begin())
        return EXIT_FAILURE;
    status =
        UNIT_RUN("log_journal", a_verdict_is_an_entry_with_the_fields_of_its_line, other_lines_are_messages,
                 a_journal_that_stalls_costs_lines_and_no_time, a_journal_that_is_a_little_slow_is_waited_for,
                 a_journal_that_goes_is_counted_and_found_again, without_a_journal_it_does_not_open);
    journal_peer_end();
    return status;
}
