/* The vectors are those of the reference implementation (corelight/pycommunityid, tests/communityid_test.py),
 * seed 0 and seed 1. */
#include "daemon/community_id.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/unit/unit.h"

static const struct vector {
    const char *source, *destination;
    uint8_t protocol;
    uint16_t a, b; /* ports, or ICMP type and code */
    const char *seed0, *seed1;
} vectors[] = {
    {"192.168.0.89", "192.168.0.1", IPPROTO_ICMP, 8, 0,
     "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", "1:03g6IloqVBdcZlPyX8r0hgoE7kA="},
    {"192.168.0.1", "192.168.0.89", IPPROTO_ICMP, 0, 8,
     "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", "1:03g6IloqVBdcZlPyX8r0hgoE7kA="},
    {"192.168.0.89", "192.168.0.1", IPPROTO_ICMP, 20, 0,
     "1:3o2RFccXzUgjl7zDpqmY7yJi8rI=", "1:lCXHHxavE1Vq3oX9NH5ladQg02o="},
    {"192.168.0.89", "192.168.0.1", IPPROTO_ICMP, 20, 1,
     "1:tz/fHIDUHs19NkixVVoOZywde+I=", "1:Ie3wmFyxiEyikbsbcO03d2nh+PM="},
    {"192.168.0.1", "192.168.0.89", IPPROTO_ICMP, 0, 20,
     "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", "1:03g6IloqVBdcZlPyX8r0hgoE7kA="},
    {"fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", IPPROTO_ICMPV6, 135, 0,
     "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=", "1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY="},
    {"fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", IPPROTO_ICMPV6, 136, 0,
     "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=", "1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY="},
    {"3ffe:507:0:1:260:97ff:fe07:69ea", "3ffe:507:0:1:200:86ff:fe05:80da", IPPROTO_ICMPV6, 3, 0,
     "1:NdobDX8PQNJbAyfkWxhtL2Pqp5w=", "1:OlOWx9psIbBFi7lOCw/4MhlKR9M="},
    {"3ffe:507:0:1:200:86ff:fe05:80da", "3ffe:507:0:1:260:97ff:fe07:69ea", IPPROTO_ICMPV6, 3, 0,
     "1:/OGBt9BN1ofenrmSPWYicpij2Vc=", "1:Ij4ZxnC87/MXzhOjvH2vHu7LRmE="},
    {"128.232.110.120", "66.35.250.204", IPPROTO_TCP, 34855, 80,
     "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:3V71V58M3Ksw/yuFALMcW0LAHvc="},
    {"66.35.250.204", "128.232.110.120", IPPROTO_TCP, 80, 34855,
     "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:3V71V58M3Ksw/yuFALMcW0LAHvc="},
    {"10.0.0.1", "10.0.0.2", IPPROTO_TCP, 10, 11569,
     "1:SXBGMX1lBOwhhoDrZynfROxnhnM=", "1:HmBRGR+fUyXF4t8WEtal7Y0gEAo="},
    {"192.168.1.52", "8.8.8.8", IPPROTO_UDP, 54585, 53,
     "1:d/FP5EW3wiY1vCndhwleRRKHowQ=", "1:Q9We8WO3piVF8yEQBNJF4uiSVrI="},
    {"8.8.8.8", "192.168.1.52", IPPROTO_UDP, 53, 54585,
     "1:d/FP5EW3wiY1vCndhwleRRKHowQ=", "1:Q9We8WO3piVF8yEQBNJF4uiSVrI="},
    {"10.1.24.4", "10.1.12.1", IPPROTO_RSVP, 0, 0,
     "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4=", "1:BK3BVW3U2eemuwVQVN3zd/GULno="},
    {"10.1.12.1", "10.1.24.4", IPPROTO_RSVP, 0, 0,
     "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4=", "1:BK3BVW3U2eemuwVQVN3zd/GULno="},
};

static void record_from(struct record *record, const struct vector *vector)
{
    int family = strchr(vector->source, ':') != NULL ? AF_INET6 : AF_INET;

    memset(record, 0, sizeof *record);
    record->family = family == AF_INET6 ? 6 : 4;
    record->protocol = vector->protocol;
    ck_assert_int_eq(inet_pton(family, vector->source, record->source), 1);
    ck_assert_int_eq(inet_pton(family, vector->destination, record->destination), 1);
    if (vector->protocol == IPPROTO_TCP || vector->protocol == IPPROTO_UDP) {
        record->has_ports = true;
        record->source_port = vector->a;
        record->destination_port = vector->b;
    } else {
        record->icmp_type = (uint8_t)vector->a;
        record->icmp_code = (uint8_t)vector->b;
    }
}

START_TEST(published_vectors)
{
    char text[COMMUNITY_ID_SIZE];
    struct record record;

    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        record_from(&record, &vectors[i]);
        ck_assert(community_id_v1(text, &record, 0));
        ck_assert_str_eq(text, vectors[i].seed0);
        ck_assert(community_id_v1(text, &record, 1));
        ck_assert_str_eq(text, vectors[i].seed1);
    }
}
END_TEST

START_TEST(equal_addresses_are_ordered_by_port)
{
    struct vector there = {"10.0.0.1", "10.0.0.1", IPPROTO_UDP, 300, 7, NULL, NULL};
    struct vector back = {"10.0.0.1", "10.0.0.1", IPPROTO_UDP, 7, 300, NULL, NULL};
    char a[COMMUNITY_ID_SIZE], b[COMMUNITY_ID_SIZE];
    struct record record;

    record_from(&record, &there);
    ck_assert(community_id_v1(a, &record, 0));
    record_from(&record, &back);
    ck_assert(community_id_v1(b, &record, 0));
    ck_assert_str_eq(a, b);
}
END_TEST

START_TEST(sctp_has_none_without_its_ports)
{
    struct record record = {.family = 4, .protocol = IPPROTO_SCTP};
    char text[COMMUNITY_ID_SIZE] = "untouched";

    ck_assert(!community_id_v1(text, &record, 0));
    ck_assert_str_eq(text, "untouched");
}
END_TEST

int main(void)
{
    return UNIT_RUN("community_id", published_vectors, equal_addresses_are_ordered_by_port,
                    sctp_has_none_without_its_ports);
}
