/* fuzz_capture.c - a capture file: whatever is in it, reading comes to its end, and no packet is larger than
 * the file. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "flowtrack/capture.h"
#include "tests/fuzz/fuzz.h"

static volatile uint8_t last_octet;

static void read_all(struct capture *capture, size_t size)
{
    struct capture_packet packet;
    struct error err;
    uint64_t octets = 0;
    int result;

    while ((result = capture_next(capture, &packet, &err)) != 0) {
        assert(result == 1 || result == -EBADMSG);
        if (result != 1)
            continue;
        assert(packet.time >= -CAPTURE_TIME_MAX && packet.time <= CAPTURE_TIME_MAX);
        for (uint32_t i = 0; i < packet.captured; i++)
            last_octet = packet.bytes[i]; /* so that a sanitizer sees each one read */
        octets += packet.captured;
        assert(octets <= size);
    }
    assert(capture_position(capture) <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct capture *capture;
    char path[64];
    int fd = memfd_create("capture", MFD_CLOEXEC);

    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (int first_interface = 0; first_interface < 2; first_interface++)
        if (capture_open_file(&capture, path, first_interface, NULL) == 0) {
            read_all(capture, size);
            capture_close(capture);
        }
    (void)close(fd);
    return 0;
}
