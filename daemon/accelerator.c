#include "daemon/accelerator.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/self_test.h"

/* Microseconds that finding the break-even batch may take. */
enum { MEASURE_BUDGET = 200000 };

static int measure(struct accelerator *accelerator, const struct model *model, struct engine *cpu,
                   struct error *err)
{
    const char *tree = model->tree->json;
    int r;

    if (accelerator->always) {
        accelerator->break_even = 1;
        return 0;
    }
    if (accelerator->measured != NULL && strcmp(accelerator->measured, tree) == 0)
        return 0;
    r = break_even_measure(&accelerator->break_even, accelerator->engine, cpu, model, accelerator->capacity,
                           MEASURE_BUDGET, err);
    if (r < 0)
        return r;
    free(accelerator->measured);
    accelerator->measured = strdup(tree); /* without memory: measured again next time */
    return 0;
}

int accelerator_load(struct accelerator *accelerator, const struct model *model, struct engine *cpu,
                     struct error *err)
{
    int r = 0;

    if (accelerator->engine == NULL)
        r = engine_open(&accelerator->engine, accelerator->ops, &accelerator->options, err);
    if (r < 0) {
        accelerator->engine = NULL;
        return r;
    }
    r = accelerator->ops->load(accelerator->engine, model, err);
    if (r == 0)
        r = self_test(&accelerator->difference, accelerator->engine, cpu, model, err);
    if (r == 0)
        r = measure(accelerator, model, cpu, err);
    if (r < 0)
        accelerator_close(accelerator);
    else
        (void)snprintf(accelerator->path, sizeof accelerator->path, "%s", engine_path(accelerator->engine));
    return r;
}

bool accelerator_takes(const struct accelerator *accelerator, size_t n)
{
    return accelerator->engine != NULL && n >= accelerator->break_even;
}

void accelerator_close(struct accelerator *accelerator)
{
    engine_close(accelerator->engine);
    accelerator->engine = NULL;
    accelerator->path[0] = '\0';
}

void accelerator_deinit(struct accelerator *accelerator)
{
    accelerator_close(accelerator);
    free(accelerator->measured);
    accelerator->measured = NULL;
}

size_t accelerator_describe_answers(const struct accelerator *accelerator, char text[ACCELERATOR_TEXT_MAX])
{
    const char *path = accelerator->path;

    return (size_t)snprintf(text, ACCELERATOR_TEXT_MAX, "%.100s%s%d flows agree with the CPU to %.1e", path,
                            path[0] != '\0' ? "; " : "", SELF_TEST_FLOWS, accelerator->difference);
}

void accelerator_describe(const struct accelerator *accelerator, char text[ACCELERATOR_TEXT_MAX])
{
    size_t n = accelerator_describe_answers(accelerator, text), left = ACCELERATOR_TEXT_MAX - n;

    if (accelerator->break_even == BREAK_EVEN_NEVER)
        (void)snprintf(text + n, left, "; the CPU is faster for all batches, up to %zu flows",
                       accelerator->capacity);
    else if (accelerator->break_even <= 1)
        (void)snprintf(text + n, left, "; it takes every batch");
    else
        (void)snprintf(text + n, left, "; it takes batches of %zu flows and more", accelerator->break_even);
}
