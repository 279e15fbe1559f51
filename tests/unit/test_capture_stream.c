/* Interface blocks with options that libpcap refuses: reported, and without harm to the packets behind. And
 * interfaces that differ from the first one. */
#include "flowtrack/capture_stream.h"

#include "flowtrack/capture_interfaces.h"
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
        ck_assert_int_eq(capture_open_file(&capture, path, false, &err), 0);
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
        ck_assert_int_eq(capture_open_file(&capture, path, false, NULL), 0);
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
        ck_assert_int_eq(capture_open_file(&capture, path, false, NULL), -EBADMSG);
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
            ck_assert_int_eq(capture_open_file(&capture, path, false, NULL), 0);
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

static void of_snap(struct octets *file, uint32_t snap, const void *options, size_t length)
{
    size_t at = file->length;

    interface(file, ETHERNET, options, length);
    octets_set(file, at + 12, snap, 4);
}

static const uint8_t nanoseconds[] = {9, 0, 1, 0, 9, 0, 0, 0};

/* As a merge of three captures is. */
static void several_snap_lengths(struct octets *file)
{
    section(file);
    of_snap(file, 96, NULL, 0);
    of_snap(file, 65535, nanoseconds, file->little ? sizeof nanoseconds : 0);
    of_snap(file, 0, NULL, 0);
    enhanced(file, 0, 1000000, 60);
    enhanced(file, 1, file->little ? 2000000000 : 2000000, 1500);
    enhanced(file, 2, 3000000, 97);
    enhanced(file, 3, 4000000, 60); /* no such interface */
}

/* Interfaces with other link types keep their number, and their packets are left out. */
static void several_link_types(struct octets *file)
{
    size_t at;

    section(file);
    interface(file, ETHERNET, NULL, 0);
    interface(file, RAW, NULL, 0);
    interface(file, ETHERNET, nanoseconds, file->little ? sizeof nanoseconds : 0);
    interface(file, RAW, NULL, 0);
    enhanced(file, 3, 1000000, 60);
    enhanced(file, 2, file->little ? 2000000000 : 2000000, 61);
    enhanced(file, 1, 3000000, 60);
    enhanced(file, 0, 4000000, 62);
    at = block_begin(file, 2);
    octets_u16(file, 1);
    octets_u16(file, 0);
    octets_fill(file, 0, 8);
    octets_u32(file, 4);
    octets_u32(file, 4);
    octets_fill(file, 0, 4);
    block_end(file, at);
}

/* In a further section numbers start anew; the first interface of the file still speaks. */
static void several_sections(struct octets *file)
{
    size_t at;

    several_link_types(file);
    section(file);
    interface(file, ETHERNET, NULL, 0);
    interface(file, ETHERNET, NULL, 0);
    enhanced(file, 1, 5000000, 63);
    section(file);
    interface(file, RAW, NULL, 0);
    enhanced(file, 0, 6000000, 60);
    at = block_begin(file, 3);
    octets_u32(file, 60);
    octets_fill(file, 0, 60);
    block_end(file, at);
}

/* What libpcap does not take gets no number. */
static void damaged_blocks(struct octets *file)
{
    section(file);
    interface(file, ETHERNET, NULL, 0);
    interface(file, RAW, NULL, 0);
    octets_set(file, file->length - 4, 8, 4);
    interface(file, RAW, NULL, 0);
    section(file);
    octets_set(file, file->length - 4, 8, 4);
    enhanced(file, 1, 1000000, 60);
    enhanced(file, 0, 2000000, 60);
}

START_TEST(interfaces_are_joined)
{
    static const struct {
        void (*make)(struct octets *file);
        const char *first; /* speaks for all */
        const char *joined;
    } cases[] = {
        {several_snap_lengths, "! ! 1.000000/60/60 ! ! !",
         "1.000000/60/60 2.000000/1500/1500 3.000000/97/97 !"},
        {several_link_types, NULL, "! 2.000000/61/61 4.000000/62/62 !"},
        {several_sections, NULL, "! 2.000000/61/61 4.000000/62/62 5.000000/63/63 ! !"},
        {damaged_blocks, NULL, "! ! ! 2.000000/60/60 !"},
    };
    static struct octets file;

    for (size_t i = 0; i < 4 * (sizeof cases / sizeof cases[0]); i++) {
        bool first = i / 2 % 2;
        const char *want = first ? cases[i / 4].first : cases[i / 4].joined;
        struct capture *capture = NULL;
        const char *path;
        const char *words;

        if (!want)
            continue;
        file.length = 0;
        file.little = i % 2 == 0;
        cases[i / 4].make(&file);
        path = write_file(&file);
        ck_assert_int_eq(capture_open_file(&capture, path, first, NULL), 0);
        words = read_all(capture);
        ck_assert_msg(strcmp(words, want) == 0, "case %zu: %s", i, words);
        capture_close(capture);
        unlink(path);
    }
}
END_TEST

START_TEST(more_interfaces_than_are_told_apart)
{
    enum { MANY = CAPTURE_INTERFACES_MAX + 76 };
    static struct octets file;
    struct capture *capture = NULL;
    const char *path;

    file.length = 0;
    file.little = true;
    section(&file);
    for (unsigned i = 0; i < MANY; i++)
        interface(&file, i % 2 == 0 ? ETHERNET : RAW, NULL, 0);
    enhanced(&file, CAPTURE_INTERFACES_MAX - 2, 1000000, 60);
    enhanced(&file, CAPTURE_INTERFACES_MAX - 1, 2000000, 60);
    path = write_file(&file);
    ck_assert_int_eq(capture_open_file(&capture, path, false, NULL), 0);
    ck_assert_ptr_nonnull(strstr(read_all(capture), " 1.000000/60/60 !"));
    capture_close(capture);
    unlink(path);
}
END_TEST

int main(void)
{
    return UNIT_RUN("capture_stream", damaged_interface_options_do_no_harm, long_files,
                    a_pipe_is_not_waited_for, interfaces_are_joined, more_interfaces_than_are_told_apart,
                    damaged_options_of_the_first_interface_refuse_the_file);
}
