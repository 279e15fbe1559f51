/* Capture from a TAP interface in a network namespace of our own: what is written to it is what arrives.
 * Needs root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "flowtrack/capture.h"
#include "flowtrack/capture_internal.h"
#include "tests/unit/frames.h"
#include "tests/unit/unit.h"

#define INTERFACE "tap0"

static int tap = -1;

static void set_up(bool up)
{
    struct ifreq request = {.ifr_name = INTERFACE};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    if (up)
        request.ifr_flags |= IFF_UP;
    else
        request.ifr_flags = (short)(request.ifr_flags & ~IFF_UP);
    ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    close(fd);
}

/* Return: whether there is a TAP interface now. */
static bool open_tap(void)
{
    struct ifreq request = {.ifr_name = INTERFACE, .ifr_flags = IFF_TAP | IFF_NO_PI};

    tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    return tap >= 0 && ioctl(tap, TUNSETIFF, &request) == 0;
}

static void setup(void)
{
    ck_assert(open_tap());
    set_up(true);
}

static void teardown(void)
{
    close(tap);
}

/* Send a UDP datagram, 14 + 20 + 8 + payload octets. */
static void send_udp(uint16_t from, uint16_t to, bool back, size_t payload)
{
    static struct octets frame;
    size_t at;

    frame.length = 0;
    frame_ethernet(&frame, 0x0800);
    at = frame_ip4(&frame, IPPROTO_UDP);
    if (back) {
        octets_set(&frame, at + 12, 0x0a000002, 4);
        octets_set(&frame, at + 16, 0x0a000001, 4);
    }
    frame_udp(&frame, back ? to : from, back ? from : to);
    octets_set(&frame, frame.length - 4, 8 + payload, 2);
    octets_fill(&frame, 'x', payload);
    frame_ip4_end(&frame, at);
    ck_assert_int_eq(write(tap, frame.bytes, frame.length), (ssize_t)frame.length);
}

static struct capture *open_live(struct capture_live_options options)
{
    struct capture *capture = NULL;
    struct error err = {0};
    int result;

    options.interface = INTERFACE;
    options.filter = "udp and net 10.0.0.0/8";
    if (options.snap_length == 0)
        options.snap_length = 2000;
    result = capture_open_live(&capture, &options, &err);
    ck_assert_msg(result == 0, "%s", err.text);
    return capture;
}

static int64_t now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Wait for what capture_next() gives, as an event loop does, one second for nothing. The descriptor may be
 * readable though no block is closed yet. */
static int next(struct capture *capture, struct capture_packet *packet)
{
    int64_t end = now() + 1000;

    do {
        struct pollfd wait = {.fd = capture_descriptor(capture), .events = POLLIN};
        int result = capture_next(capture, packet, NULL);

        if (result != 0)
            return result;
        (void)poll(&wait, 1, 10);
    } while (now() < end);
    return 0;
}

START_TEST(packets_arrive)
{
    struct capture *capture = open_live((struct capture_live_options){.snap_length = 60});
    struct capture_packet packet;

    ck_assert_int_eq(capture_link_type(capture), 1);
    ck_assert_str_eq(capture_link_type_name(capture), "EN10MB");
    ck_assert_int_eq(capture_interface_state(capture), 1);
    for (size_t i = 0; i < 100; i++)
        send_udp(1000, 2000, false, i);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_int_eq(next(capture, &packet), 1);
        ck_assert_uint_eq(packet.wire, 42 + i);
        ck_assert_uint_eq(packet.captured, 42 + i < 60 ? 42 + i : 60);
        ck_assert_int_gt(packet.time, INT64_C(1500000000) * 1000000);
    }
    capture_close(capture);
}
END_TEST

START_TEST(an_interface_that_goes_down_comes_back)
{
    struct capture *capture = open_live((struct capture_live_options){0});
    struct capture_packet packet;

    set_up(false);
    ck_assert_int_eq(capture_interface_state(capture), 0);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(capture_next(capture, &packet, NULL), 0);
    set_up(true);
    ck_assert_int_eq(capture_interface_state(capture), 1);
    send_udp(1000, 2000, false, 7);
    ck_assert_int_eq(next(capture, &packet), 1);
    ck_assert_uint_eq(packet.wire, 49);
    capture_close(capture);
}
END_TEST

START_TEST(an_interface_that_is_gone_is_said)
{
    struct capture *capture = open_live((struct capture_live_options){0});
    struct capture_packet packet;

    close(tap);
    ck_assert_int_eq(next(capture, &packet), -ENODEV);
    ck_assert(open_tap()); /* another one under its name */
    ck_assert_int_eq(capture_interface_state(capture), -ENODEV);
    capture_close(capture);
}
END_TEST

START_TEST(an_interface_that_is_down_is_said)
{
    struct capture_live_options options = {.interface = INTERFACE, .snap_length = 100};
    struct capture *capture = NULL;
    struct error err = {0};

    set_up(false);
    ck_assert_int_eq(capture_open_live(&capture, &options, &err), -ENETDOWN);
    ck_assert_ptr_nonnull(strstr(err.text, INTERFACE));
    set_up(true);
}
END_TEST

START_TEST(all_interfaces_at_once)
{
    struct capture_live_options options = {
        .interface = "any", .filter = "udp and net 10.0.0.0/8", .snap_length = 100};
    struct capture_drops drops;
    struct capture_packet packet;
    struct capture *capture = NULL;

    ck_assert_int_eq(capture_open_live(&capture, &options, NULL), 0);
    ck_assert_int_eq(capture_link_type(capture), 113);
    send_udp(1000, 2000, false, 7);
    ck_assert_int_eq(next(capture, &packet), 1);
    ck_assert_uint_eq(packet.wire, 16 + 20 + 8 + 7);
    ck_assert_int_eq(capture_interface_state(capture), 1);
    ck_assert_int_eq(capture_drops(capture, &drops), 0);
    capture_close(capture);
}
END_TEST

START_TEST(wrong_options_are_said)
{
    struct capture_live_options options = {.interface = INTERFACE, .filter = "tcp and", .snap_length = 100};
    struct capture *capture = NULL;
    struct error err = {0};

    ck_assert_int_eq(capture_open_live(&capture, &options, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "tcp and"));
    ck_assert_ptr_null(capture);
}
END_TEST

static void count(void *context, const struct capture_packet *packet)
{
    unsigned *n = context;

    ck_assert_uint_eq(packet->wire, 42 + *n);
    ck_assert_uint_eq(packet->bytes[packet->captured - 1], *n > 0 ? 'x' : 0);
    ++*n;
}

START_TEST(packets_are_handed_out_up_to_a_limit)
{
    struct capture *capture = open_live((struct capture_live_options){0});
    unsigned n = 0;

    for (size_t i = 0; i < 100; i++)
        send_udp(1000, 2000, false, i);
    for (unsigned i = 0; i < 100 && n < 100; i++) {
        struct pollfd wait = {.fd = capture_descriptor(capture), .events = POLLIN};
        unsigned before = n;

        ck_assert_int_eq(poll(&wait, 1, 1000), 1);
        ck_assert_int_eq(capture_dispatch(capture, 30, count, &n, NULL), (int)(n - before));
        ck_assert_uint_le(n - before, 30);
    }
    ck_assert_uint_eq(n, 100);
    ck_assert_int_eq(capture_dispatch(capture, 30, count, &n, NULL), 0);
    capture_close(capture);
}
END_TEST

START_TEST(what_the_kernel_drops_is_counted)
{
    enum { SENT = 20000 };
    struct capture *capture = open_live((struct capture_live_options){.buffer_octets = 1024 * 1024});
    struct capture_drops drops;
    struct capture_packet packet;
    unsigned received = 0;

    for (unsigned i = 0; i < SENT; i++)
        send_udp(1000, 2000, false, 1000);
    while (next(capture, &packet) == 1)
        received++;
    ck_assert_int_eq(capture_drops(capture, &drops), 0);
    ck_assert_uint_gt(drops.kernel, 0);
    ck_assert_uint_eq(drops.kernel + received, SENT);
    ck_assert_int_eq(capture_drops(capture, &drops), 0); /* reading does not reset it */
    ck_assert_uint_eq(drops.kernel + received, SENT);
    capture_close(capture);
}
END_TEST

/* Packets of a flow that the interface receives and sends: one, and so many workers, for each. */
struct shared_flow {
    unsigned owner; /* capture and 1; 0: not seen */
    unsigned packets;
};

static void share_take(struct shared_flow *flows, unsigned n_flows, struct capture **captures, unsigned n,
                       unsigned *seen)
{
    struct capture_packet packet;

    for (unsigned i = 0; i < n; i++)
        while (next(captures[i], &packet) == 1) {
            unsigned flow = packet.bytes[packet.captured - 1];

            ck_assert_uint_lt(flow, n_flows);
            ck_assert(flows[flow].owner == 0 || flows[flow].owner == i + 1); /* both directions meet */
            flows[flow].owner = i + 1;
            flows[flow].packets++;
            seen[i]++;
        }
}

/* A fragment, or a datagram in VXLAN, between two hosts of the flow; its number is the last octet. */
static void make_shared(struct octets *frame, unsigned flow, bool back, unsigned kind)
{
    enum { PLAIN, FIRST, LATER, VXLAN };
    static const uint16_t parts[] = {[FIRST] = 0x2000, [LATER] = 3};
    size_t outer = 0, at;

    frame->length = 0;
    frame_ethernet(frame, 0x0800);
    if (kind == VXLAN) {
        outer = frame_ip4(frame, IPPROTO_UDP);
        frame_udp(frame, (uint16_t)(30000 + 2 * flow + back), 4789);
        octets_u32(frame, 0x08000000);
        octets_u32(frame, 0);
        frame_ethernet(frame, 0x0800);
    }
    at = frame_ip4_part(frame, IPPROTO_UDP, (uint16_t)flow, kind == VXLAN ? 0 : parts[kind]);
    octets_set(frame, at + (back ? 16 : 12), 0x0a010000 + flow * 3, 4);
    octets_set(frame, at + (back ? 12 : 16), 0x0a020009, 4);
    frame_udp(frame, back ? 53 : 1000, back ? 1000 : 53);
    octets_fill(frame, 'x', 15);
    octets_u8(frame, (uint8_t)flow);
    frame_ip4_end(frame, at);
    if (kind == VXLAN)
        frame_ip4_end(frame, outer);
}

START_TEST(captures_share_the_flows)
{
    enum { FLOWS = 100, CAPTURES = 3, KINDS = 4 };
    struct capture_live_options options = {.interface = INTERFACE,
                                           .filter = "udp and net 10.0.0.0/8",
                                           .snap_length = 2000,
                                           .buffer_octets =
                                               1 << 25, /* blocks close by time while nobody reads */
                                           .look_through = true};
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(INTERFACE)};
    struct shared_flow flows[FLOWS] = {0};
    struct capture *captures[CAPTURES];
    unsigned seen[CAPTURES] = {0};
    static struct octets frame;
    struct error err = {0};
    int sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(sender, 0);
    ck_assert_msg(capture_open_shared(captures, CAPTURES, &options, &err) == 0, "%s", err.text);
    for (unsigned i = 0; i < FLOWS * KINDS * 2; i++) {
        make_shared(&frame, i / 2 % FLOWS, i % 2, i / 2 / FLOWS);
        if (i % 2)
            ck_assert_int_eq(
                sendto(sender, frame.bytes, frame.length, 0, (struct sockaddr *)&address, sizeof address),
                (ssize_t)frame.length);
        else
            ck_assert_int_eq(write(tap, frame.bytes, frame.length), (ssize_t)frame.length);
    }
    share_take(flows, FLOWS, captures, CAPTURES, seen);
    for (unsigned i = 0; i < FLOWS; i++)
        ck_assert_uint_eq(flows[i].packets, 2 * KINDS);
    for (unsigned i = 0; i < CAPTURES; i++) {
        ck_assert_uint_gt(seen[i], 0);
        capture_close(captures[i]);
    }
    close(sender);
}
END_TEST

/* Packets of a cooked capture: what is sent is found in another way than what is received. */
START_TEST(captures_share_all_interfaces)
{
    enum { CAPTURES = 4 };
    struct capture_live_options options = {
        .interface = "any", .filter = "udp and net 10.0.0.0/8", .snap_length = 2000, .look_through = true};
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(INTERFACE)};
    struct capture *captures[CAPTURES];
    struct shared_flow flows[8] = {0};
    unsigned seen[CAPTURES] = {0};
    static struct octets frame;
    struct error err = {0};
    int sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    ck_assert_msg(capture_open_shared(captures, CAPTURES, &options, &err) == 0, "%s", err.text);
    for (unsigned i = 0; i < 16; i++) {
        make_shared(&frame, i / 2, i % 2, 3);
        if (i % 2)
            ck_assert_int_gt(
                sendto(sender, frame.bytes, frame.length, 0, (struct sockaddr *)&address, sizeof address), 0);
        else
            ck_assert_int_gt(write(tap, frame.bytes, frame.length), 0);
    }
    share_take(flows, 8, captures, CAPTURES, seen);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(flows[i].packets, 2);
    for (unsigned i = 0; i < CAPTURES; i++)
        capture_close(captures[i]);
    close(sender);
}
END_TEST

/* Each group has a number of its own: what one takes the other one still gets. */
START_TEST(groups_do_not_mix)
{
    struct capture_live_options options = {.interface = INTERFACE, .filter = "udp", .snap_length = 2000};
    struct capture *captures[2][2];
    struct capture_packet packet;
    struct error err = {0};

    for (unsigned i = 0; i < 2; i++)
        ck_assert_msg(capture_open_shared(captures[i], 2, &options, &err) == 0, "%s", err.text);
    send_udp(1000, 2000, false, 7);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(next(captures[i][0], &packet) + next(captures[i][1], &packet), 1);
        capture_close(captures[i][0]);
        capture_close(captures[i][1]);
    }
}
END_TEST

/* The clock told when packets began to be dealt out; then it is set back by an hour. */
START_TEST(a_clock_set_back_blinds_no_capture)
{
    struct capture *capture = open_live((struct capture_live_options){0});
    struct capture_packet packet;

    send_udp(1000, 2000, false, 1);
    ck_assert_int_eq(next(capture, &packet), 1);
    capture->shared = packet.time + INT64_C(3600) * 1000000;
    capture->shared_trust = INT64_MAX;
    send_udp(1000, 2000, false, 2);
    ck_assert_int_eq(next(capture, &packet), 0); /* may be from before */
    capture->shared_trust = 0;
    send_udp(1000, 2000, false, 3);
    ck_assert_int_eq(next(capture, &packet), 1);
    ck_assert_uint_eq(packet.wire, 42 + 3);
    capture_close(capture);
}
END_TEST

/* What comes behind the first packet that was dealt out was dealt out too, whatever its time. */
START_TEST(the_first_packet_dealt_out_ends_the_doubt)
{
    struct capture *capture = open_live((struct capture_live_options){0});
    struct capture_packet packet;

    send_udp(1000, 2000, false, 1);
    ck_assert_int_eq(next(capture, &packet), 1);
    capture->shared = packet.time;
    capture->shared_trust = INT64_MAX;
    send_udp(1000, 2000, false, 2);
    ck_assert_int_eq(next(capture, &packet), 1);
    ck_assert_int_eq(capture->shared, INT64_MIN);
    capture_close(capture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("capture_live");
    TCase *tcase = tcase_create("capture_live");
    SRunner *runner;
    int failed;

    if (unshare(CLONE_NEWNET) < 0 || !open_tap())
        return unit_skip("no network namespace or TAP interface of our own (needs root and /dev/net/tun)");
    close(tap);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 0);
    tcase_add_test(tcase, packets_arrive);
    tcase_add_test(tcase, packets_are_handed_out_up_to_a_limit);
    tcase_add_test(tcase, an_interface_that_goes_down_comes_back);
    tcase_add_test(tcase, an_interface_that_is_gone_is_said);
    tcase_add_test(tcase, an_interface_that_is_down_is_said);
    tcase_add_test(tcase, all_interfaces_at_once);
    tcase_add_test(tcase, wrong_options_are_said);
    tcase_add_test(tcase, what_the_kernel_drops_is_counted);
    tcase_add_test(tcase, captures_share_the_flows);
    tcase_add_test(tcase, a_clock_set_back_blinds_no_capture);
    tcase_add_test(tcase, the_first_packet_dealt_out_ends_the_doubt);
    tcase_add_test(tcase, captures_share_all_interfaces);
    tcase_add_test(tcase, groups_do_not_mix);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
