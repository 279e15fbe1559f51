/* Capture files made field by field, sound and damaged: what is read, what is reported, and that reading goes
 * on.
 */
#include "flowtrack/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/allocations.h"
#include "tests/unit/captures.h"
#include "tests/unit/unit.h"

/* ---- pcap ---- */

static void pcap_head(struct octets *file, uint32_t magic, uint16_t major, uint16_t minor, uint32_t snap)
{
    octets_u32(file, magic);
    octets_u16(file, major);
    octets_u16(file, minor);
    octets_u32(file, 0);
    octets_u32(file, 0);
    octets_u32(file, snap);
    octets_u32(file, ETHERNET);
}

static void pcap_record(struct octets *file, uint32_t seconds, uint32_t fraction, uint32_t captured,
                        uint32_t wire)
{
    octets_u32(file, seconds);
    octets_u32(file, fraction);
    octets_u32(file, captured);
    octets_u32(file, wire);
}

static void pcap_packet(struct octets *file, uint32_t seconds, uint32_t fraction, uint32_t captured)
{
    pcap_record(file, seconds, fraction, captured, captured);
    octets_fill(file, 0x55, captured);
}

static void pcap_little(struct octets *file)
{
    file->little = true;
    pcap_head(file, 0xa1b2c3d4, 2, 4, SNAP);
    pcap_packet(file, 7, 999999, 60);
    pcap_packet(file, 0x80000000, 1, 61);
}

static void pcap_big(struct octets *file)
{
    pcap_head(file, 0xa1b2c3d4, 2, 4, SNAP);
    pcap_packet(file, 7, 999999, 60);
    pcap_packet(file, 0x80000000, 1, 61);
}

static void pcap_nanoseconds(struct octets *file)
{
    file->little = true;
    pcap_head(file, 0xa1b23c4d, 2, 4, SNAP);
    pcap_packet(file, 7, 999999999, 60);
}

static void pcap_cut(struct octets *file)
{
    pcap_little(file);
    file->length--;
}

static void pcap_cut_in_head(struct octets *file)
{
    pcap_little(file);
    file->length -= 61 + 5;
}

static void pcap_oversized(struct octets *file)
{
    file->little = true;
    pcap_head(file, 0xa1b2c3d4, 2, 4, SNAP);
    pcap_packet(file, 1, 0, 60);
    pcap_record(file, 2, 0, 262145, 262145);
    pcap_packet(file, 3, 0, 62); /* read as the record that follows the 16 octets */
}

static void pcap_above_snap(struct octets *file)
{
    file->little = true;
    pcap_head(file, 0xa1b2c3d4, 2, 4, SNAP);
    pcap_packet(file, 1, 0, SNAP + 5000);
    pcap_packet(file, 2, 0, 60);
}

static void pcap_snap_0(struct octets *file)
{
    file->little = true;
    pcap_head(file, 0xa1b2c3d4, 2, 4, 0);
    pcap_packet(file, 1, 0, 262144);
}

static void pcap_version_2_3(struct octets *file)
{
    file->little = true;
    pcap_head(file, 0xa1b2c3d4, 2, 3, SNAP);
    pcap_record(file, 1, 0, 70, 60); /* the greater of the two is the length on the wire */
    octets_fill(file, 0, 60);
}

static void pcap_version_2_5(struct octets *file)
{
    pcap_head(file, 0xa1b2c3d4, 2, 5, SNAP);
}

static void pcap_patched(struct octets *file)
{
    file->little = true;
    pcap_head(file, 0xa1b2cd34, 2, 4, SNAP);
    pcap_record(file, 1, 0, 60, 60);
    octets_fill(file, 0, 8 + 60);
}

static void pcap_seconds_out_of_range(struct octets *file)
{
    file->little = true;
    pcap_head(file, 0xa1b2c3d4, 2, 4, SNAP);
    pcap_packet(file, 10, 3000000, 60);
}

/* ---- pcapng ---- */

static void ng_big(struct octets *file)
{
    section(file);
    interface(file, ETHERNET, NULL, 0);
    enhanced(file, 0, 7999999, 61);
}

static void ng_cut(struct octets *file)
{
    ng_plain(file);
    enhanced(file, 0, 8000000, 60);
    file->length -= 3;
}

static void ng_resolution(struct octets *file)
{
    static const uint8_t milliseconds[] = {9, 0, 1, 0, 3, 0, 0, 0};
    static const uint8_t nanoseconds_and_offset[] = {9, 0, 1,   0, 9, 0, 0, 0, 14, 0,
                                                     8, 0, 100, 0, 0, 0, 0, 0, 0,  0};
    static const uint8_t binary[] = {9, 0, 1, 0, 0x81, 0, 0, 0}; /* half seconds */

    file->little = true;
    section(file);
    interface(file, ETHERNET, milliseconds, sizeof milliseconds);
    interface(file, ETHERNET, nanoseconds_and_offset, sizeof nanoseconds_and_offset);
    interface(file, ETHERNET, binary, sizeof binary);
    enhanced(file, 0, 1234, 60);
    enhanced(file, 1, 2123456999, 60);
    enhanced(file, 2, 3, 60);
}

static void ng_offset_beyond_all_times(struct octets *file)
{
    static const uint8_t offset[] = {14, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x40};

    file->little = true;
    section(file);
    interface(file, ETHERNET, offset, sizeof offset);
    enhanced(file, 0, 0, 60);
}

static void ng_time_beyond_all_times(struct octets *file)
{
    static const uint8_t seconds[] = {9, 0, 1, 0, 0, 0, 0, 0};

    file->little = true;
    section(file);
    interface(file, ETHERNET, seconds, sizeof seconds);
    enhanced(file, 0, INT64_MAX, 60);
    enhanced(file, 0, (uint64_t)INT64_MIN, 60);
    enhanced(file, 0, 4000000000000, 60);
    enhanced(file, 0, (uint64_t)-4000000000000, 60);
}

static void ng_other_link(struct octets *file)
{
    file->little = true;
    section(file);
    interface(file, ETHERNET, NULL, 0);
    interface(file, RAW, NULL, 0); /* gets no number */
    interface(file, ETHERNET, NULL, 0);
    enhanced(file, 1, 1000000, 60);
    enhanced(file, 2, 2000000, 60); /* no such interface */
    enhanced(file, 0, 3000000, 60);
}

static void ng_simple_and_obsolete(struct octets *file)
{
    size_t at;

    file->little = true;
    section(file);
    interface(file, ETHERNET, NULL, 0);
    at = block_begin(file, 3);
    octets_u32(file, 60);
    octets_fill(file, 0, 60);
    block_end(file, at);
    at = block_begin(file, 2);
    octets_u16(file, 0);
    octets_u16(file, 0);
    octets_u32(file, 0);
    octets_u32(file, 5000000);
    octets_u32(file, 60);
    octets_u32(file, 64);
    octets_fill(file, 0, 60);
    block_end(file, at);
}

static void ng_above_snap(struct octets *file)
{
    file->little = true;
    section(file);
    interface(file, ETHERNET, NULL, 0);
    enhanced(file, 0, 1000000, SNAP + 1);
    enhanced(file, 0, 2000000, 60);
}

static void ng_lengths_differ(struct octets *file)
{
    ng_plain(file);
    octets_set(file, file->length - 4, 0, 4);
    enhanced(file, 0, 8000000, 60);
}

static void ng_length_below_12(struct octets *file)
{
    ng_plain(file);
    octets_u32(file, 6); /* 8 octets passed over */
    octets_u32(file, 8);
    enhanced(file, 0, 8000000, 60);
}

static void ng_further_section(struct octets *file)
{
    ng_plain(file);
    section(file);
    enhanced(file, 0, 8000000, 60); /* its interfaces start anew */
    interface(file, ETHERNET, NULL, 0);
    enhanced(file, 0, 9000000, 60);
}

static void ng_section_of_other_order(struct octets *file)
{
    ng_plain(file);
    file->little = false;
    section(file); /* length, read the wrong way round, is above the maximum; then 20 octets of nonsense */
}

static void ng_no_interface(struct octets *file)
{
    section(file);
}

/* ---- reading ---- */

static const struct {
    void (*make)(struct octets *file);
    const char *words; /* NULL: refused */
} cases[] = {
    {pcap_little, "7.999999/60/60 -2147483648.000001/61/61"},
    {pcap_big, "7.999999/60/60 2147483648.000001/61/61"},
    {pcap_nanoseconds, "7.999999/60/60"},
    {pcap_cut, "7.999999/60/60 !"},
    {pcap_cut_in_head, "7.999999/60/60 !"},
    {pcap_oversized, "1.000000/60/60 ! 3.000000/62/62"},
    {pcap_above_snap, "1.000000/1000/6000 2.000000/60/60"},
    {pcap_snap_0, "1.000000/262144/262144"},
    {pcap_version_2_3, "1.000000/60/70"},
    {pcap_version_2_5, NULL},
    {pcap_patched, "1.000000/60/60"},
    {pcap_seconds_out_of_range, "13.000000/60/60"},
    {ng_plain, "7.999999/61/61"},
    {ng_big, "7.999999/61/61"},
    {ng_cut, "7.999999/61/61 !"},
    {ng_resolution, "1.234000/60/60 102.123456/60/60 1.500000/60/60"},
    {ng_offset_beyond_all_times, "2305843009213.693952/60/60"},
    {ng_time_beyond_all_times, "2305843009213.693952/60/60 -2305843009214.306048/60/60 "
                               "2305843009213.693952/60/60 -2305843009214.306048/60/60"},
    {ng_other_link, "! 1.000000/60/60 ! 3.000000/60/60"},
    {ng_simple_and_obsolete, "0.000000/60/60 5.000000/60/64"},
    {ng_above_snap, "! 2.000000/60/60"},
    {ng_lengths_differ, "! 8.000000/60/60"},
    {ng_length_below_12, "7.999999/61/61 ! 8.000000/60/60"},
    {ng_further_section, "7.999999/61/61 ! 9.000000/60/60"},
    {ng_section_of_other_order, "7.999999/61/61 ! !"},
    {ng_no_interface, NULL},
};

START_TEST(files_are_read_as_far_as_they_go)
{
    static struct octets file;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct capture *capture = NULL;
        struct error err = {0};
        const char *path;
        int result;

        file.length = 0;
        file.little = false;
        cases[i].make(&file);
        path = write_file(&file);
        result = capture_open_file(&capture, path, true, &err);
        if (cases[i].words) {
            ck_assert_msg(result == 0, "case %zu: %s", i, err.text);
            ck_assert_int_eq(capture_link_type(capture), ETHERNET);
            ck_assert_uint_eq(capture_size(capture), file.length);
            const char *words = read_all(capture);
            ck_assert_msg(strcmp(words, cases[i].words) == 0, "case %zu: %s", i, words);
            ck_assert_uint_eq(capture_position(capture), file.length);
        } else {
            ck_assert_msg(result == -EBADMSG, "case %zu: %d", i, result);
            ck_assert_ptr_null(capture);
            ck_assert_msg(strncmp(err.text, path, strlen(path)) == 0, "%s", err.text);
        }
        capture_close(capture);
        unlink(path);
    }
}
END_TEST

START_TEST(files_have_no_interface)
{
    static struct octets file;
    struct capture *capture = NULL;
    struct capture_drops drops;
    const char *path;

    file.length = 0;
    pcap_little(&file);
    path = write_file(&file);
    ck_assert_int_eq(capture_open_file(&capture, path, true, NULL), 0);
    ck_assert_int_eq(capture_interface_state(capture), -ENOTSUP);
    ck_assert_int_eq(capture_drops(capture, &drops), -ENOTSUP);
    ck_assert_int_eq(capture_dispatch(capture, 1, NULL, NULL, NULL), -ENOTSUP);
    ck_assert_str_eq(capture_link_type_name(capture), "EN10MB");
    capture_close(capture);
    unlink(path);
    capture_close(NULL);
}
END_TEST

START_TEST(inputs_that_are_no_captures_say_why)
{
    static struct octets file;
    struct capture *capture = NULL;
    struct error err = {0};
    const char *path;

    ck_assert_int_eq(capture_open_file(&capture, "/nonexistent/file", true, &err), -ENOENT);
    ck_assert_str_eq(err.text, "/nonexistent/file: No such file or directory");
    ck_assert_int_eq(capture_open_file(&capture, "/tmp", true, &err), -EISDIR);
    file.length = 0;
    path = write_file(&file);
    ck_assert_int_eq(capture_open_file(&capture, path, true, &err), -EBADMSG);
    unlink(path);
    octets_put(&file, "sa,da,pr\n", 9);
    octets_fill(&file, 'x', 100);
    path = write_file(&file);
    ck_assert_int_eq(capture_open_file(&capture, path, true, &err), -EBADMSG);
    unlink(path);
    ck_assert_ptr_null(capture);
}
END_TEST

START_TEST(standard_input_is_read_through_a_pipe)
{
    static struct octets file;
    struct capture *capture = NULL;
    int saved = dup(STDIN_FILENO);
    int ends[2];

    file.length = 0;
    ng_resolution(&file);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], file.bytes, file.length), (ssize_t)file.length);
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    ck_assert_int_eq(capture_open_file(&capture, "-", true, NULL), 0);
    ck_assert_str_eq(read_all(capture), "1.234000/60/60 102.123456/60/60 1.500000/60/60");
    ck_assert_uint_eq(capture_size(capture), 0);
    capture_close(capture);
    dup2(saved, STDIN_FILENO);
    close(saved);
}
END_TEST

START_TEST(filters_choose_packets)
{
    static struct octets file;
    struct capture *capture = NULL;
    struct error err = {0};
    const char *path;

    file.length = 0;
    pcap_above_snap(&file);
    path = write_file(&file);
    ck_assert_int_eq(capture_open_file(&capture, path, true, NULL), 0);
    ck_assert_int_eq(capture_set_filter(capture, "nonsense 7", &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "nonsense 7"));
    ck_assert_int_eq(capture_set_filter(capture, "less 100", &err), 0);
    ck_assert_str_eq(read_all(capture), "2.000000/60/60");
    capture_close(capture);
    unlink(path);
}
END_TEST

START_TEST(interfaces_that_cannot_be_opened_say_why)
{
    struct capture_live_options options = {.interface = "nonexistent0", .snap_length = 256};
    struct capture *capture = NULL;
    struct error err = {0};
    int result = capture_open_live(&capture, &options, &err);

    ck_assert(result == -ENODEV || result == -EACCES);
    ck_assert_ptr_null(capture);
    ck_assert_ptr_nonnull(strstr(err.text, "nonexistent0"));
}
END_TEST

START_TEST(allocation_failures_are_reported)
{
    static struct octets file;
    struct capture *capture = NULL;
    struct error err = {0};
    unsigned long n;
    const char *path;
    int result;

    file.length = 0;
    ng_plain(&file);
    path = write_file(&file);
    for (n = 0;; n++) {
        allocations_fail_at(n);
        result = capture_open_file(&capture, path, true, &err);
        (void)allocations_fail_none();
        if (result == 0)
            break;
        ck_assert_int_eq(result, -ENOMEM);
        ck_assert_ptr_null(capture);
    }
    ck_assert_uint_gt(n, 0);
    ck_assert_str_eq(read_all(capture), "7.999999/61/61");
    capture_close(capture);
    unlink(path);
}
END_TEST

int main(void)
{
    return UNIT_RUN("capture", files_are_read_as_far_as_they_go, files_have_no_interface,

                    inputs_that_are_no_captures_say_why, standard_input_is_read_through_a_pipe,
                    filters_choose_packets, interfaces_that_cannot_be_opened_say_why,
                    allocation_failures_are_reported);
}
