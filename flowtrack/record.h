/* record.h - the flow record: an immutable snapshot of a finished flow.
 *
 * This is the one struct that flowtrack/ hands to core/ and daemon/. Its fields are those of a Cisco Joy
 * record (JSON exists only at the edge, record_json.h) and the few that the verdict log needs besides.
 * A record has two sides: "out" are the packets from the record's source to its destination, "in" those
 * that came back. A record with one side only has no "in".
 *
 * A struct record is large (RECORD_PACKETS_MAX entries) and mostly unused for short flows, so whoever keeps
 * many of them keeps only the first record_size() bytes: everything of variable length stands at the end.
 */
#ifndef FLOWTRACK_RECORD_H
#define FLOWTRACK_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RECORD_SIDE_PACKETS_MAX = 50, /* packet list entries of one side */
    RECORD_PACKETS_MAX = 100,     /* of both sides, merged */
    RECORD_IDS_MAX = 50,          /* IP identification values of one side */
    RECORD_TCP_OPTIONS_MAX = 40,  /* octets; RFC 9293 section 3.1 */
    RECORD_ADDRESS_MAX = 46,      /* octets of the longest address as text, NUL included */
};

/* Why a record ended. Values are those of IPFIX flowEndReason (RFC 5102 section 5.11.3); 0 is not an IPFIX
 * value. */
enum record_reason {
    RECORD_REASON_NONE = 0,      /* not said: read from an archive without expire_type */
    RECORD_REASON_IDLE = 1,      /* no packet for the idle time-out */
    RECORD_REASON_ACTIVE = 2,    /* open for longer than the active time-out */
    RECORD_REASON_END = 3,       /* FIN or RST seen */
    RECORD_REASON_FORCED = 4,    /* end of the capture, shutdown */
    RECORD_REASON_RESOURCES = 5, /* the flow table was full */
    RECORD_REASONS
};

/* Packet list entry: one packet with payload. */
struct record_packet {
    uint32_t ipt_ms; /* time since the entry before (the first: since time_start), milliseconds, rounded
                        down; the joy rules let it wrap below 0 */
    uint16_t bytes;  /* payload */
    uint8_t out;     /* 1: ">", 0: "<" */
    uint8_t unused;
};

struct record_side {
    uint64_t bytes;   /* payload octets */
    uint64_t packets; /* all packets, those without payload too */
    bool present;     /* false: the record has no such side (only "in" can be missing) */
    bool has_ip;      /* ttl and ids are known (false: an archive without the key `ip`) */
    uint8_t ttl;      /* the lowest seen */
    uint8_t n_ids;    /* entries of record.ids_out or record.ids_in */
};

/* The first packet of a side with flags SYN or SYN+ACK. */
struct record_tcp_side {
    bool present;
    uint8_t flags;          /* 0x02 or 0x12 */
    uint16_t window;        /* as sent, not scaled */
    uint8_t options_length; /* octets */
    uint8_t options[RECORD_TCP_OPTIONS_MAX];
};

/* Statistics of the payload octets of both sides. JSON carries the numbers with six decimals. */
struct record_byte_dist {
    uint8_t counts[256]; /* by value, scaled as Joy does */
    double mean;
    double deviation;
    double entropy;       /* bits an octet */
    double total_entropy; /* bits */
};

struct record {
    uint8_t source[16];      /* network order; IPv4: the first 4 octets, the rest 0 */
    uint8_t destination[16]; /* like source */
    uint8_t family;          /* 4 or 6 */
    uint8_t protocol;        /* IP protocol number; 0: IPv4 fragments under the joy rules */
    bool has_ports;          /* sp and dp are numbers (TCP, UDP), else null */
    bool has_tcp;            /* tcp_first_seq, tcp_out, tcp_in mean something */
    bool has_byte_dist;      /* byte_dist.counts, mean, deviation mean something */
    bool has_entropy;        /* byte_dist.entropy, total_entropy mean something */
    uint8_t icmp_type;       /* of the first packet, ICMP and ICMPv6; for the Community ID, not in JSON */
    uint8_t icmp_code;
    uint8_t reason;     /* enum record_reason */
    char expire_type;   /* what `expire_type` says: one of record_reason_mark(); 0: no such key */
    uint8_t n_packets;  /* entries of packets[] */
    uint16_t interface; /* index given by the capture, for in_iface; not in JSON */
    uint16_t source_port;
    uint16_t destination_port;
    uint32_t tcp_retrans; /* debug.tcp_retrans */
    uint32_t invalid;     /* debug.invalid */
    uint64_t flow_id;     /* unique in the run; not in JSON */
    int64_t time_start;   /* microseconds since 1970 UTC */
    int64_t time_end;     /* may lie before time_start under the joy rules */
    struct record_side out;
    struct record_side in;
    uint32_t tcp_first_seq;
    struct record_tcp_side tcp_out;
    struct record_tcp_side tcp_in;
    uint16_t ids_out[RECORD_IDS_MAX]; /* (out.n_ids), order of arrival */
    uint16_t ids_in[RECORD_IDS_MAX];  /* (in.n_ids) */
    /* From here on: variable length, see record_size(). */
    struct record_packet packets[RECORD_PACKETS_MAX]; /* (n_packets), order of time */
    struct record_byte_dist byte_dist;                /* if has_byte_dist or has_entropy */
};

/* The octets of a record that mean something: what has to be copied or kept. */
size_t record_size(const struct record *record);

/* Copy a record, or the part of one that was kept, into memory of the caller.
 *
 * to: at least record_size(from) octets, aligned for a struct record.
 */
void record_copy(struct record *to, const struct record *from);

/* Whether two records say the same in every field that JSON carries (flow_id, interface, icmp_* and reason do
 * not count). */
bool record_equal(const struct record *a, const struct record *b);

/* "idle", "active", "end", "forced", "resources"; "none" for RECORD_REASON_NONE. */
const char *record_reason_name(enum record_reason reason);

/* The letter by which `expire_type` gives a reason: Joy's 'i' and 'a', and 'e', 'f', 'r' for those that Joy
 * does not know; 0 for RECORD_REASON_NONE. */
char record_reason_mark(enum record_reason reason);

/* The reason that a letter stands for; RECORD_REASON_NONE for any other. */
enum record_reason record_reason_of_mark(char mark);

/* An address as text: RFC 5952, and the last 32 bits with dots where inet_ntop(3) has them.
 *
 * text: NUL-terminated on return.
 * family: 4 or 6.
 * address: like record.source.
 *
 * Return: octets without the NUL.
 */
size_t record_address_text(char text[RECORD_ADDRESS_MAX], uint8_t family, const uint8_t address[16]);

/* The address that a text names: dotted IPv4, IPv6, or the 32 hexadecimal digits by which Joy prints an
 * anonymised address (taken as IPv6).
 *
 * text: (length), need not end in a NUL.
 * familyp: 4 or 6.
 *
 * Return: 0, -EINVAL.
 */
int record_address_parse(uint8_t address[16], uint8_t *familyp, const char *text, size_t length);

#endif
