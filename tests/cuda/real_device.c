/* What tests ask of the fake device (fake/fake.h), for the same tests on a real one: there is nothing to
 * begin anew, and nothing is counted. Where there is no device, the test ends as skipped. */
#include <stdio.h>
#include <stdlib.h>

#include "core/cuda/device.h"
#include "tests/cuda/fake/fake.h"

enum { SKIPPED = 77 };

void fake_reset(const struct fake_setup *setup)
{
    struct device device;
    struct error err;

    (void)setup;
    if (device_open(&device, &err) < 0) {
        printf("skipped: %s\n", err.text);
        exit(SKIPPED);
    }
    device_close(&device);
}

uint64_t fake_calls(enum fake_call kind)
{
    (void)kind;
    return 0;
}

size_t fake_leaks(void)
{
    return 0;
}
