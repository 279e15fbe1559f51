#include "flowtrack/keyword.h"

#include <string.h>

struct word {
    const char *text;
    uint8_t length;
    uint8_t keyword; /* enum packet_keyword */
};

static const struct word words[] = {
    {"GET ", 4, KEYWORD_CLIENT},     {"POST ", 5, KEYWORD_CLIENT},  {"HTTP/1.1 ", 9, KEYWORD_SERVER},
    {"OPTIONS ", 8, KEYWORD_CLIENT}, {"HEAD ", 5, KEYWORD_CLIENT},  {"PUT ", 4, KEYWORD_CLIENT},
    {"DELETE ", 7, KEYWORD_CLIENT},  {"TRACE ", 6, KEYWORD_CLIENT}, {"CONNECT ", 8, KEYWORD_CLIENT},
};

enum { WORD_MAX = 9 };

static enum packet_keyword keyword_of_http(struct bytes *payload, uint32_t length)
{
    char start[WORD_MAX];

    bytes_copy_at(payload, 0, start, sizeof start);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (length >= words[i].length && memcmp(start, words[i].text, words[i].length) == 0)
            return (enum packet_keyword)words[i].keyword;
    return KEYWORD_NONE;
}

/* A handshake record of TLS 1.0 to 1.2 (1.3 calls itself 1.0 or 1.2 here) that begins with a hello. */
static enum packet_keyword keyword_of_tls(struct bytes *payload, uint32_t length)
{
    enum { HELLO_OFFSET = 5, CLIENT_HELLO = 1, SERVER_HELLO = 2 };
    uint16_t version = bytes_be16_at(payload, 1);

    if (length <= HELLO_OFFSET || version < 0x0301 || version > 0x0303)
        return KEYWORD_NONE;
    switch (bytes_u8_at(payload, HELLO_OFFSET)) {
    case CLIENT_HELLO:
        return KEYWORD_CLIENT;
    case SERVER_HELLO:
        return KEYWORD_SERVER;
    default:
        return KEYWORD_NONE;
    }
}

enum packet_keyword keyword_of_tcp(struct bytes *payload, uint32_t length)
{
    enum { TLS_HANDSHAKE = 0x16 };

    switch (bytes_u8_at(payload, 0)) {
    case TLS_HANDSHAKE:
        return keyword_of_tls(payload, length);
    case 'C':
    case 'D':
    case 'G':
    case 'H':
    case 'O':
    case 'P':
    case 'T':
        return keyword_of_http(payload, length);
    default:
        return KEYWORD_NONE;
    }
}

enum packet_keyword keyword_of_udp(struct bytes *payload, uint32_t length, bool as_server)
{
    enum { RECURSION_DESIRED = 0x0100, AUTHENTIC_DATA = 0x0020, CHECKING_DISABLED = 0x0010 };
    const uint64_t one_question = 1u << 16; /* QDCOUNT 1, ANCOUNT 0 */
    uint16_t flags = bytes_be16_at(payload, 2);

    if (length < 8 || bytes_be32_at(payload, 4) != one_question)
        return KEYWORD_NONE;
    if (as_server)
        return flags == RECURSION_DESIRED ? KEYWORD_SERVER : KEYWORD_NONE;
    flags &= (uint16_t) ~(AUTHENTIC_DATA | CHECKING_DISABLED);
    return flags == RECURSION_DESIRED ? KEYWORD_CLIENT : KEYWORD_NONE;
}
