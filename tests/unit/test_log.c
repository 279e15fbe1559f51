/* Standard error of a child is a file or pipe here, and JOURNAL_STREAM says that it is the journal's. */
#include "daemon/log.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/journal_peer.h"
#include "tests/unit/unit.h"

static char said[65536]; /* on standard error */

/* Call a function with standard error in a pipe. stream: whether JOURNAL_STREAM names that pipe. */
static void with_pipe(bool stream, void (*speak)(void))
{
    size_t size = 0;
    int ends[2], status;
    ssize_t n;
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct stat inode;
        char name[64];

        (void)dup2(ends[1], STDERR_FILENO);
        (void)fstat(STDERR_FILENO, &inode);
        (void)snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)inode.st_dev,
                       (uintmax_t)inode.st_ino + (stream ? 0 : 1));
        (void)setenv("JOURNAL_STREAM", name, 1);
        log_open(journal_peer_path);
        speak();
        _exit(0);
    }
    (void)close(ends[1]);
    while ((n = read(ends[0], said + size, sizeof said - 1 - size)) > 0)
        size += (size_t)n;
    said[size] = '\0';
    (void)close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

static void tell(void)
{
    log_event(LOG_EVENT_interface_gone, &(struct log_fields){.interface = "eth0", .reason = "two\nlines"},
              "%s: %s", "eth0", "gone");
}

static void tell_and_say(void)
{
    tell();
    log_error("number %d", 7);
    log_info("nobody asked");
}

START_TEST(in_the_journal_an_event_is_an_entry_with_fields)
{
    int peer = journal_peer_open();
    const char *entry;

    with_pipe(true, tell_and_say);
    ck_assert_str_eq(said, "<3>number 7\n");
    entry = journal_peer_take(peer, NULL);
    ck_assert_ptr_nonnull(entry);
    ck_assert(journal_peer_has(entry, "MESSAGE=eth0: gone"));
    ck_assert(journal_peer_has(entry, "MESSAGE_ID=794be5e8cae643189fab4cea1fd24276"));
    ck_assert(journal_peer_has(entry, "PRIORITY=3"));
    ck_assert(journal_peer_has(entry, "FLOWCLASSD_EVENT=interface_gone"));
    ck_assert(journal_peer_has(entry, "FLOWCLASSD_INTERFACE=eth0"));
    ck_assert_ptr_nonnull(strstr(entry, "SYSLOG_IDENTIFIER=test_log\n"));
    ck_assert_ptr_nonnull(strstr(entry, "FLOWCLASSD_REASON\n\t"));
    ck_assert_ptr_null(strstr(entry, "FLOWCLASSD_MODEL"));
    ck_assert_ptr_null(journal_peer_take(peer, NULL));
    (void)close(peer);
}
END_TEST

START_TEST(elsewhere_everything_is_a_line_of_text)
{
    int peer = journal_peer_open();

    with_pipe(false, tell_and_say); /* the service manager connected another descriptor */
    ck_assert_str_eq(said, "test_log: eth0: gone\ntest_log: number 7\n");
    ck_assert_ptr_null(journal_peer_take(peer, NULL));
    (void)close(peer);
}
END_TEST

static void tell_much(void)
{
    for (int i = 0; i < 1000; i++)
        tell();
}

/* The peer does not read: what it has no room for is on standard error, and the sum is right. */
START_TEST(an_event_that_the_journal_does_not_take_is_a_line)
{
    int peer = journal_peer_open();
    unsigned lines = 0, entries;

    with_pipe(true, tell_much);
    for (const char *at = said; (at = strstr(at, "<3>eth0: gone\n")) != NULL; at++)
        lines++;
    entries = journal_peer_drain(peer);
    ck_assert_uint_gt(entries, 0);
    ck_assert_uint_gt(lines, 0);
    ck_assert_uint_eq(entries + lines, 1000);
    (void)close(peer);

    with_pipe(true, tell); /* gone altogether */
    ck_assert_str_eq(said, "<3>eth0: gone\n");
}
END_TEST

static void say_long(void)
{
    static char text[40000];

    memset(text, 'x', sizeof text - 1);
    log_error("%s", text);
}

START_TEST(a_long_line_is_cut)
{
    with_pipe(false, say_long);
    ck_assert_uint_gt(strlen(said), 30000);
    ck_assert_uint_lt(strlen(said), 40000);
    ck_assert_int_eq(said[strlen(said) - 1], '\n');
}
END_TEST

int main(void)
{
    int status;

    if (!journal_peer_begin())
        return EXIT_FAILURE;
    status = UNIT_RUN("log", in_the_journal_an_event_is_an_entry_with_fields,
                      elsewhere_everything_is_a_line_of_text,
                      an_event_that_the_journal_does_not_take_is_a_line, a_long_line_is_cut);
    journal_peer_end();
    return status;
}
