/* fuzz_tunnel.c - tags and tunnels on their own.
 *
 * Input: EtherType, protocol and port (5 octets), then the octets behind. Tags are skipped and tunnels
 * entered in turn until nothing is entered any more.
 */
#include <assert.h>

#include "flowtrack/layer.h"
#include "flowtrack/tunnel.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct layer *layer, const uint8_t *bytes, size_t size)
{
    assert(layer->bytes.at >= bytes && layer->bytes.at + layer->bytes.left == bytes + size);
    assert(layer->depth <= LAYER_DEPTH_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    enum { HEAD = 5 };
    struct layer layer = {.bytes = bytes_over(bytes, size), .wire = (uint32_t)size};
    uint8_t protocol = bytes_u8_at(&layer.bytes, 2);
    uint16_t port = bytes_be16_at(&layer.bytes, 3);
    enum tunnel_result result;

    layer_pass(&layer, HEAD, bytes_be16_at(&layer.bytes, 0));
    layer.bytes.failed = false;
    do {
        struct layer before;

        (void)tunnel_skip_tags(&layer);
        check(&layer, bytes, size);
        before = layer;
        result = tunnel_enter(&layer, protocol, port);
        check(&layer, bytes, size);
        if (result == TUNNEL_ENTERED) {
            assert(layer.depth == before.depth + 1 && !layer.bytes.failed);
        } else {
            assert(layer.bytes.at == before.bytes.at && layer.depth == before.depth);
            assert(result != TUNNEL_DEEP || layer.depth == LAYER_DEPTH_MAX);
        }
    } while (result == TUNNEL_ENTERED);
    return 0;
}
