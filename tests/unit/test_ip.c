/* IP headers, sound and damaged, under both rule sets: each frame is Ethernet and (where nothing else is
 * said) UDP. */
#include "flowtrack/ip.h"

#include <netinet/in.h>

#include "tests/unit/frames.h"
#include "tests/unit/unit.h"

enum { IPV4 = 0x0800, IPV6 = 0x86dd };

static void udp4(struct octets *frame)
{
    frame_ethernet(frame, IPV4);
    frame_udp4(frame, 10);
}

static void udp6(struct octets *frame)
{
    frame_ethernet(frame, IPV6);
    frame_udp6(frame, 10);
}

/* ---- IPv4 ---- */

static void ip4_options(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV4);
    at = frame_ip4(frame, IPPROTO_UDP);
    octets_set(frame, at, 0x46, 1);
    octets_fill(frame, 1, 4);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 3);
    frame_ip4_end(frame, at);
}

static void ip4_header_of_16(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 14, 0x44, 1);
}

static void ip4_version_5(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 14, 0x55, 1);
}

static void ip4_length_19(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 16, 19, 2);
}

static void ip4_length_below_header(struct octets *frame)
{
    ip4_options(frame);
    octets_set(frame, 16, 22, 2);
}

static void ip4_offload(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 16, 0, 2);
}

static void ip4_longer_than_frame(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 16, 1000, 2);
}

static void ip4_slightly_longer(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 16, 38 + 14, 2); /* as long as the whole frame: Joy's test lets it through */
}

static void ip4_cut(struct octets *frame)
{
    udp4(frame);
    frame->length = 14 + 12;
}

static void ip4_other_protocol(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV4);
    at = frame_ip4(frame, IPPROTO_SCTP);
    octets_fill(frame, 0, 12);
    frame_ip4_end(frame, at);
}

static void ip4_authenticated(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV4);
    at = frame_ip4(frame, IPPROTO_AH);
    octets_u8(frame, IPPROTO_UDP);
    octets_u8(frame, 4);
    octets_fill(frame, 0, 22);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 10);
    frame_ip4_end(frame, at);
}

static void ip4_authentication_too_long(struct octets *frame)
{
    ip4_authenticated(frame);
    octets_set(frame, 14 + 20 + 1, 200, 1);
}

static void ip4_first_fragment(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV4);
    at = frame_ip4_part(frame, IPPROTO_UDP, 1, 0x2000);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 16);
    frame_ip4_end(frame, at);
}

static void ip4_later_fragment(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV4);
    at = frame_ip4_part(frame, IPPROTO_UDP, 1, 3);
    octets_fill(frame, 'x', 16);
    frame_ip4_end(frame, at);
}

static void ip4_do_not_fragment(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 20, 0xc000, 2); /* reserved bit and DF */
}

/* ---- IPv6 ---- */

static void ip6_extensions(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    frame_extension(frame, IPPROTO_ROUTING, 0);
    frame_extension(frame, IPPROTO_UDP, 0);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 10);
    frame_ip6_end(frame, at);
}

static void ip6_long_extension(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_DSTOPTS);
    frame_extension(frame, IPPROTO_UDP, 2);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 10);
    frame_ip6_end(frame, at);
}

static void ip6_authenticated(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_AH);
    octets_u8(frame, IPPROTO_UDP);
    octets_u8(frame, 1); /* 12 octets, no multiple of 8 */
    octets_fill(frame, 0, 10);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 10);
    frame_ip6_end(frame, at);
}

static void ip6_encrypted(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_ESP);
    octets_fill(frame, 0xee, 32);
    frame_ip6_end(frame, at);
}

static void ip6_no_next(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    frame_extension(frame, IPPROTO_NONE, 0);
    frame_ip6_end(frame, at);
}

static void ip6_extension_leaves_packet(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    frame_extension(frame, IPPROTO_HOPOPTS, 0);
    frame_ip6_end(frame, at);
}

static void ip6_endless_extensions(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    octets_fill(frame, 0, 2100);
    frame_ip6_end(frame, at);
}

static void ip6_n_wraps(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    octets_fill(frame, 0, 2100);
    octets_set(frame, at + 40 + 8 * 255, IPPROTO_SCTP, 1); /* n is 0 again behind it */
    frame_ip6_end(frame, at);
}

static void ip6_offload(struct octets *frame)
{
    udp6(frame);
    octets_set(frame, 18, 0, 2);
}

static void ip6_jumbo(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    octets_u16(frame, IPPROTO_UDP << 8);
    octets_u16(frame, 0xc204);
    octets_u32(frame, 8 + 8 + 70000);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 70000 + 5);
    octets_set(frame, at + 4, 0, 2);
}

static void ip6_version_4(struct octets *frame)
{
    udp6(frame);
    octets_set(frame, 14, 0x45, 1);
}

static void ip6_cut(struct octets *frame)
{
    udp6(frame);
    frame->length = 14 + 39;
}

static void ip6_frame_of_39(struct octets *frame)
{
    udp6(frame);
    frame->length = 39;
}

static void ip6_atomic_fragment(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_FRAGMENT);
    frame_fragment(frame, IPPROTO_UDP, 0, 99);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 10);
    frame_ip6_end(frame, at);
}

#define UDP4 "10.0.0.1:1000>10.0.0.2:2000 17 "
#define UDP6 "2001:db8::1:1000>2001:db8::2:2000 17 "

static const struct frame_case cases[] = {
    {"IPv4 options", ip4_options, UDP4 "3", UDP4 "3"},
    {"IHL 4", ip4_header_of_16, "ignored: ip_header_length", "ignored: ip_header_length"},
    {"version 5", ip4_version_5, UDP4 "10", "ignored: ip_version"},
    {"length 19", ip4_length_19, "ignored: ip_total_length", "ignored: ip_total_length"},
    {"length below header", ip4_length_below_header, "10.0.0.1:0>10.0.0.2:0 17 -2 malformed [udp_header]",
     "ignored: ip_total_length"},
    {"off-load", ip4_offload, "ignored: ip_total_length", UDP4 "10"},
    {"longer than the frame", ip4_longer_than_frame, UDP4 "10", UDP4 "972"},
    {"longer by the link header", ip4_slightly_longer, UDP4 "24", UDP4 "24"},
    {"IPv4 cut", ip4_cut, "0.0.0.0:0>0.0.0.0:0 17 -8 malformed [udp_header]", "ignored: ip_short"},
    {"other protocol", ip4_other_protocol, "10.0.0.1:0>10.0.0.2:0 132 12", "10.0.0.1:0>10.0.0.2:0 132 12"},
    {"AH in IPv4", ip4_authenticated, "10.0.0.1:0>10.0.0.2:0 51 42", UDP4 "10"},
    {"AH too long", ip4_authentication_too_long, "10.0.0.1:0>10.0.0.2:0 51 42", "ignored: ip_extension"},
    {"first fragment", ip4_first_fragment, "10.0.0.1:0>10.0.0.2:0 0 24", UDP4 "16"},
    {"later fragment", ip4_later_fragment, "10.0.0.1:0>10.0.0.2:0 0 16", "held"},
    {"do not fragment", ip4_do_not_fragment, UDP4 "10", UDP4 "10"},

    {"extension headers", ip6_extensions, UDP6 "26", UDP6 "10"},
    {"long extension header", ip6_long_extension, "2001:db8::1:0>2001:db8::2:0 17 34", UDP6 "10"},
    {"AH in IPv6", ip6_authenticated, "2001:db8::1:0>2001:db8::2:0 17 22", UDP6 "10"},
    {"ESP", ip6_encrypted, "2001:db8::1:0>2001:db8::2:0 238 32", "2001:db8::1:0>2001:db8::2:0 50 32"},
    {"no next header", ip6_no_next, "ignored: ip_no_next", "ignored: ip_no_next"},
    {"walk leaves the packet", ip6_extension_leaves_packet, "ignored: ip_extension", "ignored: ip_extension"},
    {"endless walk", ip6_endless_extensions, "ignored: ip_extension", "ignored: ip_extension"},
    {"n wraps", ip6_n_wraps, "2001:db8::1:0>2001:db8::2:0 132 2100", "ignored: ip_extension"},
    {"IPv6 off-load", ip6_offload, "2001:db8::1:0>2001:db8::2:0 17 0 malformed [udp_header]", UDP6 "10"},
    {"jumbo", ip6_jumbo, "2001:db8::1:0>2001:db8::2:0 17 0 malformed [udp_header]", UDP6 "70000"},
    {"version 4", ip6_version_4, UDP6 "10", "ignored: ip_version"},
    {"IPv6 cut", ip6_cut, "2001:db8::1:0>2001:db8:::0 17 -1 malformed [udp_header]", "ignored: ip_short"},
    {"frame of 39", ip6_frame_of_39, "ignored: ip_short", "ignored: ip_short"},
    {"atomic fragment", ip6_atomic_fragment, UDP6 "18", UDP6 "10"},
};

START_TEST(packets_under_both_rule_sets)
{
    frame_check_cases(cases, sizeof cases / sizeof cases[0]);
}
END_TEST

int main(void)
{
    return UNIT_RUN("ip", packets_under_both_rule_sets);
}
