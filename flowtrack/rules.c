/* rules.c - the two rule sets. */
#include "flowtrack/rules.h"

#include <stddef.h>
#include <string.h>

const struct rules rules_joy = {
    .name = "joy",
    .first_interface = true,
    .ethernet_only_filter = true,
    .look_through = false,
    .ext_headers_by_eight = true,
    .headers_unchecked = true,
    .length_from_capture = true,
    .join_fragments = false,
    .offload_lengths = false,
    .families_share_keys = true,
    .ring_retransmissions = true,
    .retransmissions_are_silence = true,
    .last_syn_options = true,
    .malformed_tcp_once = true,
    .end_may_go_back = true,
    .tcp_end_detected = false,
    .expire_in_batches = true,
    .ipt_wraps = true,
    .end_of_first_half = true,
    .dns_asker_is_server = true,
    .one_way_points_in = true,
    .expire_type_may_lack = true,
};

const struct rules rules_flowclassd = {
    .name = "flowclassd",
    .first_interface = false,
    .ethernet_only_filter = false,
    .look_through = true,
    .ext_headers_by_eight = false,
    .headers_unchecked = false,
    .length_from_capture = false,
    .join_fragments = true,
    .offload_lengths = true,
    .families_share_keys = false,
    .ring_retransmissions = false,
    .retransmissions_are_silence = false,
    .last_syn_options = false,
    .malformed_tcp_once = false,
    .end_may_go_back = false,
    .tcp_end_detected = true,
    .expire_in_batches = false,
    .ipt_wraps = false,
    .end_of_first_half = false,
    .dns_asker_is_server = false,
    .one_way_points_in = false,
    .expire_type_may_lack = false,
};

const struct rules *rules_find(const char *name)
{
    static const struct rules *const all[] = {&rules_joy, &rules_flowclassd};

    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}
