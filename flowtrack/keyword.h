/* keyword.h - what the first octets of a payload say about who asks and who answers. */
#ifndef FLOWTRACK_KEYWORD_H
#define FLOWTRACK_KEYWORD_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/bytes.h"

/* What a payload says about its sender. */
enum packet_keyword { KEYWORD_NONE, KEYWORD_CLIENT, KEYWORD_SERVER };

/* Look at the payload of a TCP segment: a TLS hello or the first line of HTTP.
 *
 * payload: at its first octet; what was not captured reads as 0.
 * length: octets that were sent.
 * Source: joy-records section 8.
 */
enum packet_keyword keyword_of_tcp(struct bytes *payload, uint32_t length);

/* Look at the payload of a UDP datagram, on any port: a DNS query.
 *
 * as_server: Joy's reading, whose query has no AD and no CD bit and marks the one that asks as the server;
 * else the one that asks is the client, whatever these bits are.
 *
 * Source: joy-records section 8; RFC 1035 section 4.1.1; RFC 4035 section 3.
 */
enum packet_keyword keyword_of_udp(struct bytes *payload, uint32_t length, bool as_server);

#endif
