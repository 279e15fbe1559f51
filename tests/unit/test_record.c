#include "flowtrack/record.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/records.h"
#include "tests/unit/unit.h"

START_TEST(what_is_kept_is_the_record)
{
    struct records_random random = {11};
    static struct record record, copy;

    for (unsigned i = 0; i < 1000; i++) {
        struct record *kept;
        size_t size;

        records_make(&random, &record);
        size = record_size(&record);
        ck_assert_uint_le(size, sizeof record);
        kept = malloc(size); /* no octet more: the address sanitizer would see it read */
        ck_assert_ptr_nonnull(kept);
        memset(&copy, 0xa5, sizeof copy);
        record_copy(kept, &record);
        record_copy(&copy, kept);
        ck_assert(record_equal(&record, &copy));
        ck_assert(record_equal(kept, &copy));
        free(kept);
    }
}
END_TEST

START_TEST(short_records_are_small)
{
    static struct record record;

    ck_assert_uint_eq(record_size(&record), offsetof(struct record, packets));
    record.n_packets = 3;
    ck_assert_uint_eq(record_size(&record), offsetof(struct record, packets) + 24);
    record.has_entropy = true;
    ck_assert_uint_eq(record_size(&record), sizeof record);
}
END_TEST

/* Every octet that JSON carries makes a difference, and no other does. */
START_TEST(records_differ_in_every_field)
{
    static struct record a, b;

#define DIFFERS(field)                                                                                       \
    do {                                                                                                     \
        b = a;                                                                                               \
        b.field = !b.field;                                                                                  \
        ck_assert_msg(!record_equal(&a, &b), #field);                                                        \
    } while (0)
#define SAME(field)                                                                                          \
    do {                                                                                                     \
        b = a;                                                                                               \
        b.field = !b.field;                                                                                  \
        ck_assert_msg(record_equal(&a, &b), #field);                                                         \
    } while (0)
    a.has_ports = a.has_tcp = a.has_byte_dist = a.has_entropy = true;
    a.out.present = a.out.has_ip = a.in.present = a.in.has_ip = true;
    a.tcp_out.present = a.tcp_in.present = true;
    a.out.n_ids = a.in.n_ids = a.n_packets = a.tcp_out.options_length = 2;
    DIFFERS(source[15]);
    DIFFERS(destination[0]);
    DIFFERS(family);
    DIFFERS(protocol);
    DIFFERS(has_ports);
    DIFFERS(source_port);
    DIFFERS(destination_port);
    DIFFERS(expire_type);
    DIFFERS(tcp_retrans);
    DIFFERS(invalid);
    DIFFERS(time_start);
    DIFFERS(time_end);
    DIFFERS(out.bytes);
    DIFFERS(in.packets);
    DIFFERS(in.present);
    DIFFERS(in.has_ip);
    DIFFERS(out.ttl);
    DIFFERS(out.n_ids);
    DIFFERS(ids_out[1]);
    DIFFERS(ids_in[0]);
    DIFFERS(has_tcp);
    DIFFERS(tcp_first_seq);
    DIFFERS(tcp_out.present);
    DIFFERS(tcp_in.flags);
    DIFFERS(tcp_in.window);
    DIFFERS(tcp_out.options[1]);
    DIFFERS(tcp_out.options_length);
    DIFFERS(n_packets);
    DIFFERS(packets[1].bytes);
    DIFFERS(packets[0].ipt_ms);
    DIFFERS(packets[0].out);
    DIFFERS(has_byte_dist);
    DIFFERS(has_entropy);
    DIFFERS(byte_dist.counts[255]);
    DIFFERS(byte_dist.mean);
    DIFFERS(byte_dist.deviation);
    DIFFERS(byte_dist.entropy);
    DIFFERS(byte_dist.total_entropy);
    SAME(flow_id);
    SAME(interface);
    SAME(icmp_type);
    SAME(reason);
    SAME(ids_out[2]);
    SAME(packets[2].bytes);
    SAME(tcp_out.options[2]);
    a.has_ports = a.in.present = a.tcp_in.present = a.has_byte_dist = a.has_entropy = false;
    SAME(source_port);
    SAME(in.bytes);
    SAME(tcp_in.flags);
    SAME(byte_dist.counts[0]);
}
END_TEST

START_TEST(reasons_have_names_and_marks)
{
    static const char *const names[] = {"none", "idle", "active", "end", "forced", "resources"};

    for (enum record_reason reason = 0; reason < RECORD_REASONS; reason++) {
        ck_assert_str_eq(record_reason_name(reason), names[reason]);
        ck_assert_int_eq(record_reason_of_mark(record_reason_mark(reason)), reason);
    }
    ck_assert_int_eq(record_reason_mark(RECORD_REASON_ACTIVE), 'a');
    ck_assert_int_eq(record_reason_mark(RECORD_REASON_IDLE), 'i');
    ck_assert_int_eq(record_reason_of_mark('?'), RECORD_REASON_NONE);
    ck_assert_str_eq(record_reason_name(RECORD_REASONS), "none");
}
END_TEST

START_TEST(addresses_are_parsed)
{
    static const char *const wrong[] = {"",
                                        "1.2.3",
                                        "1.2.3.4.5",
                                        "1.2.3.256",
                                        "::g",
                                        "1.2.3.4 ",
                                        "[::1]",
                                        "fe80::1%1",
                                        "0123456789abcdef0123456789abcde",
                                        "0123456789abcdef0123456789abcdefg"};
    uint8_t address[16], family = 0;
    char text[RECORD_ADDRESS_MAX];

    ck_assert_int_eq(record_address_parse(address, &family, "192.0.2.255", 11), 0);
    ck_assert_mem_eq(address, "\xc0\0\2\xff\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    ck_assert_uint_eq(family, 4);
    ck_assert_uint_eq(record_address_text(text, family, address), 11);
    ck_assert_str_eq(text, "192.0.2.255");
    ck_assert_int_eq(record_address_parse(address, &family, "2001:db8::1xx", 11), 0);
    ck_assert_uint_eq(family, 6);
    ck_assert_uint_eq(record_address_text(text, family, address), 11);
    ck_assert_str_eq(text, "2001:db8::1");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_int_eq(record_address_parse(address, &family, wrong[i], strlen(wrong[i])), -EINVAL);
    ck_assert_int_eq(record_address_parse(address, &family, "1.2.3.4\0", 8), -EINVAL);
    ck_assert_uint_eq(family, 6);
}
END_TEST

int main(void)
{
    return UNIT_RUN("record", what_is_kept_is_the_record, short_records_are_small,
                    records_differ_in_every_field, reasons_have_names_and_marks, addresses_are_parsed);
}
