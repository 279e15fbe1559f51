#include "daemon/journal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/journal_peer.h"
#include "tests/unit/unit.h"

static struct journal_entry entry;

START_TEST(fields_are_lines_and_lines_are_counted)
{
    static const char wanted[] = "MESSAGE=hello\nTEXT\n\7\0\0\0\0\0\0\0one\ntwo\nEMPTY=\n";

    entry.size = 0;
    ck_assert(journal_put_text(&entry, "MESSAGE", "hello"));
    ck_assert(journal_put_text(&entry, "TEXT", "one\ntwo"));
    ck_assert(journal_put_text(&entry, "EMPTY", ""));
    ck_assert_uint_eq(entry.size, sizeof wanted - 1);
    ck_assert_mem_eq(entry.text, wanted, sizeof wanted - 1);
}
END_TEST

START_TEST(what_does_not_fit_is_left_out)
{
    static char large[JOURNAL_ENTRY_MAX];
    size_t size;

    entry.size = 0;
    ck_assert(!journal_put(&entry, "A", large, sizeof large));
    ck_assert_uint_eq(entry.size, 0);
    for (size = sizeof large; !journal_put(&entry, "A", large, size); size--)
        ;
    ck_assert_uint_ge(size, JOURNAL_ENTRY_MAX - 16);
    ck_assert_uint_le(entry.size, JOURNAL_ENTRY_MAX);
    size = entry.size;
    ck_assert(!journal_put_text(&entry, "MESSAGE", "one more, too long for what is left"));
    ck_assert_uint_eq(entry.size, size);
}
END_TEST

START_TEST(an_entry_arrives_whole)
{
    int peer = journal_peer_open();
    struct journal journal;
    size_t size;

    ck_assert_int_eq(journal_open(&journal, journal_peer_path, NULL), 0);
    entry.size = 0;
    ck_assert(journal_put_text(&entry, "MESSAGE", "hello"));
    ck_assert_int_eq(journal_send(&journal, &entry), 0);
    ck_assert_str_eq(journal_peer_take(peer, &size), "MESSAGE=hello\n");
    ck_assert_uint_eq(size, entry.size);
    journal_close(&journal);
    (void)close(peer);
}
END_TEST

/* Nothing here waits: a sender that blocked would never come to the end of this test. */
START_TEST(a_full_queue_is_said_and_room_is_seen)
{
    int peer = journal_peer_open();
    struct journal journal;
    unsigned n = 0;
    int r;

    ck_assert_int_eq(journal_open(&journal, journal_peer_path, NULL), 0);
    entry.size = 0;
    ck_assert(journal_put_text(&entry, "MESSAGE", "hello"));
    while ((r = journal_send(&journal, &entry)) == 0)
        n++;
    ck_assert_int_eq(r, -EAGAIN);
    ck_assert_uint_gt(n, 0);
    journal_wait(&journal, 1); /* in vain */
    ck_assert_int_eq(journal_send(&journal, &entry), -EAGAIN);
    ck_assert_uint_eq(journal_peer_drain(peer), n);
    journal_wait(&journal, -1);
    ck_assert_int_eq(journal_send(&journal, &entry), 0);
    journal_close(&journal);
    (void)close(peer);
}
END_TEST

START_TEST(a_journal_that_went_is_found_again)
{
    int peer = journal_peer_open();
    struct journal journal;

    ck_assert_int_eq(journal_open(&journal, journal_peer_path, NULL), 0);
    entry.size = 0;
    ck_assert(journal_put_text(&entry, "MESSAGE", "hello"));
    (void)close(peer);
    ck_assert_int_eq(journal_send(&journal, &entry), -ENODEV); /* nobody listens */
    ck_assert_int_eq(unlink(journal_peer_path), 0);
    ck_assert_int_eq(journal_send(&journal, &entry), -ENODEV); /* no socket */
    peer = journal_peer_open();
    ck_assert_int_eq(journal_send(&journal, &entry), 0);
    (void)close(peer);
    peer = journal_peer_open(); /* started anew between two entries: nothing is lost */
    ck_assert_int_eq(journal_send(&journal, &entry), 0);
    ck_assert_uint_eq(journal_peer_drain(peer), 1);
    journal_close(&journal);
    (void)close(peer);
}
END_TEST

START_TEST(without_a_journal_there_is_none_to_open)
{
    struct journal journal;
    struct error err;
    char path[200];

    ck_assert_int_eq(journal_open(&journal, "/nonexistent/socket", &err), -ENODEV);
    ck_assert_str_eq(err.text, "/nonexistent/socket: no journal listens there: No such file or directory");
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(journal_open(&journal, path, &err), -EIO);
}
END_TEST

START_TEST(a_stream_is_known_by_its_inode)
{
    int file = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct stat status;
    char stream[64];

    ck_assert_int_eq(fstat(file, &status), 0);
    (void)snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    ck_assert(journal_is_stream(file, stream));
    ck_assert(!journal_is_stream(file, NULL));
    ck_assert(!journal_is_stream(-1, stream));
    strcat(stream, "0");
    ck_assert(!journal_is_stream(file, stream)); /* another inode: the descriptor was exchanged */
    ck_assert(!journal_is_stream(file, ""));
    ck_assert(!journal_is_stream(file, "8"));
    ck_assert(!journal_is_stream(file, "8:x"));
    (void)close(file);
}
END_TEST

int main(void)
{
    int status;

    if (!journal_peer_begin())
        return EXIT_FAILURE;
    status = UNIT_RUN("journal", fields_are_lines_and_lines_are_counted, what_does_not_fit_is_left_out,
                      an_entry_arrives_whole, a_full_queue_is_said_and_room_is_seen,
                      a_journal_that_went_is_found_again, without_a_journal_there_is_none_to_open,
                      a_stream_is_known_by_its_inode);
    journal_peer_end();
    return status;
}
