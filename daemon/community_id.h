/* community_id.h - Community ID version 1: the flow identifier that Zeek, Suricata and others share.
 *
 * "1:" and the base64 form of SHA-1(seed, lower end's address, higher end's address, protocol, 0, lower end's
 * port, higher end's port), all in network order. ICMP messages that ask or answer stand for ports by type
 * and counter-type; other ICMP messages have type and code, and their ends keep the order in which they were
 * seen.
 *
 * Source: https://github.com/corelight/community-id-spec; base64: RFC 4648 section 4.
 */
#ifndef DAEMON_COMMUNITY_ID_H
#define DAEMON_COMMUNITY_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/record.h"

enum { COMMUNITY_ID_SIZE = 2 + 28 + 1 }; /* octets of the text, with its NUL */

/* The Community ID of a record's flow.
 *
 * text: filled on true.
 * seed: 0 unless the site has agreed on another.
 *
 * Return: true; false: the record does not say what is needed (SCTP ports are not in a record).
 */
bool community_id_v1(char text[COMMUNITY_ID_SIZE], const struct record *record, uint16_t seed);

#endif
