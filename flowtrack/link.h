/* link.h - the table of link types: how each frame begins before its first EtherType. */
#ifndef FLOWTRACK_LINK_H
#define FLOWTRACK_LINK_H

#include <stdbool.h>

#include "flowtrack/layer.h"

struct link_type {
    int number; /* DLT_ as libpcap gives it, or LINKTYPE_ as files have it, where the two differ */
    const char *name;

    /* Take a layer past the link header and set its type. What was not captured of the header is an error of
     * the layer's cursor. */
    void (*decode)(struct layer *layer);
};

/* The row of a link type, NULL if it is not decoded. */
const struct link_type *link_type_find(int number);

/* IEEE 802.2 in `layer`: past an LLC header with SNAP, else LAYER_OTHER. */
void link_decode_llc(struct layer *layer);

/* A PPP frame, with or without the address and control octets of RFC 1662, its protocol field in one or two
 * octets. */
void link_decode_ppp(struct layer *layer);

#endif
