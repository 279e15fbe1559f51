/* Interface blocks with options that libpcap refuses: reported, and without harm to the packets behind. */
#include "flowtrack/capture_stream.h"

#include "tests/unit/captures.h"
#include "tests/unit/unit.h"

/* Every way in which libpcap refuses options. */
static const struct {
    const char *name;
    size_t length;
    uint8_t options[32];
} bad_options[] = {
    {"cut in the value", 8, {2, 0, 5, 0}},
    {"cut before the value", 4, {9, 0, 1, 0}},
    {"end with a length", 8, {0, 0, 4, 0}},
    {"resolution of length 2", 8, {9, 0, 2, 0, 6}},
    {"resolution twice", 16, {9, 0, 1, 0, 6, 0, 0, 0, 9, 0, 1, 0, 6}},
    {"resolution 2^-64", 8, {9, 0, 1, 0, 0xc0}},
    {"resolution 10^-20", 8, {9, 0, 1, 0, 20}},
    {"offset of length 4", 8, {14, 0, 4, 0}},
    {"offset twice", 24, {14, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 0, 8, 0}},
};

enum { BAD_OPTIONS = sizeof bad_options / sizeof bad_options[0] };

START_TEST(damaged_interface_options_do_no_harm)
{
    static struct octets file;

    for (size_t i = 0; i < BAD_OPTIONS; i++) {
        struct capture *capture = NULL;
        struct error err = {0};
        const char *path;

        file.length = 0;
        ng_plain(&file);
        interface(&file, ETHERNET, bad_options[i].options, bad_options[i].length);
        enhanced(&file, 1, 8000000, 60);
        enhanced(&file, 0, 9000000, 60);
        path = write_file(&file);
        ck_assert_int_eq(capture_open_file(&capture, path, &err), 0);
        const char *words = read_all(capture);
        ck_assert_msg(strcmp(words, "7.999999/61/61 ! 8.000000/60/60 9.000000/60/60") == 0, "%s: %s",
                      bad_options[i].name, words);
        capture_close(capture);
        unlink(path);
    }
}
END_TEST

/* Many times what is read at once, with blocks across the seams. */
START_TEST(long_files)
{
    enum { PACKETS = 4000 };
    static struct octets file;
    static const uint8_t twice[] = {9, 0, 1, 0, 6, 0, 0, 0, 9, 0, 1, 0, 6, 0, 0, 0};
    struct capture *capture = NULL;
    struct capture_packet packet;
    const char *path;

    for (unsigned damaged = 0; damaged < PACKETS; damaged += 333) {
        file.length = 0;
        file.little = true;
        section(&file);
        interface(&file, ETHERNET, NULL, 0);
        for (unsigned i = 0; i < PACKETS; i++) {
            if (i == damaged)
                interface(&file, ETHERNET, twice, sizeof twice);
            enhanced(&file, i > damaged, i, 60 + i % 7);
        }
        path = write_file(&file);
        ck_assert_int_eq(capture_open_file(&capture, path, NULL), 0);
        for (unsigned i = 0; i < PACKETS; i++) {
            if (i == damaged)
                ck_assert_int_eq(capture_next(capture, &packet, NULL), -EBADMSG);
            ck_assert_int_eq(capture_next(capture, &packet, NULL), 1);
            ck_assert_int_eq(packet.time, i);
            ck_assert_uint_eq(packet.captured, 60 + i % 7);
        }
        ck_assert_int_eq(capture_next(capture, &packet, NULL), 0);
        capture_close(capture);
        unlink(path);
    }
}
END_TEST

START_TEST(damaged_options_of_the_first_interface_refuse_the_file)
{
    static struct octets file;

    for (size_t i = 0; i < BAD_OPTIONS; i++) {
        struct capture *capture = NULL;
        const char *path;

        file.length = 0;
        file.little = true;
        section(&file);
        interface(&file, ETHERNET, bad_options[i].options, bad_options[i].length);
        path = write_file(&file);
        ck_assert_int_eq(capture_open_file(&capture, path, NULL), -EBADMSG);
        unlink(path);
    }
}
END_TEST

/* A program that writes to us as it captures: a packet is handed out when it is there, not when many are. */
START_TEST(a_pipe_is_not_waited_for)
{
    static struct octets file;
    struct capture *capture = NULL;
    struct capture_packet packet;
    char path[32];
    int ends[2];

    file.little = true;
    file.length = 0;
    section(&file);
    interface(&file, ETHERNET, NULL, 0);
    alarm(20);
    ck_assert_int_eq(pipe(ends), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    ck_assert_int_eq(write(ends[1], file.bytes, file.length), (ssize_t)file.length);
    for (unsigned i = 0; i < 10; i++) {
        file.length = 0;
        if (i == 5)
            interface(&file, ETHERNET, NULL, 0);
        enhanced(&file, i >= 5, i, 60 + i);
        ck_assert_int_eq(write(ends[1], file.bytes, file.length), (ssize_t)file.length);
        if (i == 0)
            ck_assert_int_eq(capture_open_file(&capture, path, NULL), 0);
        ck_assert_int_eq(capture_next(capture, &packet, NULL), 1);
        ck_assert_uint_eq(packet.captured, 60 + i);
    }
    close(ends[1]);
    ck_assert_int_eq(capture_next(capture, &packet, NULL), 0);
    alarm(0);
    capture_close(capture);
    close(ends[0]);
}
END_TEST

int main(void)
{
    return UNIT_RUN("capture_stream", damaged_interface_options_do_no_harm, long_files,
                    a_pipe_is_not_waited_for, damaged_options_of_the_first_interface_refuse_the_file);
}
