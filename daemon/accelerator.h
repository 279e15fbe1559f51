/* accelerator.h - the engine of a module beside the CPU's: may it be trusted with the model in use, and for
 * which batches is it the faster one?
 *
 *     out of use --load: open, load, self-test, measure--> in use --load (the next model)--> in use
 *         ^                                                  |
 *         '------- close: a load, a pass or a test failed ---'
 *
 * Whatever fails leaves it out of use with the reason, and load can be tried again. One thread at a time.
 */
#ifndef DAEMON_ACCELERATOR_H
#define DAEMON_ACCELERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/break_even.h"
#include "core/engine.h"
#include "flowtrack/error.h"

enum { ACCELERATOR_TEXT_MAX = 256 };

struct accelerator {
    const struct engine_ops *ops; /* NULL: there is none */
    struct engine_options options;
    bool always;     /* it takes every batch, fast or not */
    size_t capacity; /* flows of the largest batch */

    struct engine *engine; /* NULL: out of use */
    char path[ACCELERATOR_TEXT_MAX];
    double difference; /* of the last self-test, self_test.h */
    size_t break_even; /* flows from which it is the faster one, break_even.h */
    char *measured;    /* JSON of the tree for which `break_even` was measured; owned; NULL: none */
};

/* Bring it into use with a model, or go on with another one: open, load, compare with the CPU, and measure,
 * for at most 0.2 s, where the tree is another than the last time.
 *
 * cpu: an engine that has loaded the same model, which it is compared with.
 *
 * Return: 0; -ENODEV (cannot run here), -ENOTSUP (not this tree), -EBADMSG (its answers are wrong), -ENOMEM,
 * err filled: it is out of use.
 */
int accelerator_load(struct accelerator *accelerator, const struct model *model, struct engine *cpu,
                     struct error *err);

/* Whether a batch of n flows is for it. */
bool accelerator_takes(const struct accelerator *accelerator, size_t n);

/* Take it out of use. */
void accelerator_close(struct accelerator *accelerator);

/* The same, and free what it owns. */
void accelerator_deinit(struct accelerator *accelerator);

/* In one sentence, what load found: "fused, NVIDIA H100 PCIe; 97 flows agree with the CPU to 3.1e-07; it
 * takes batches of 32 flows and more". text: (ACCELERATOR_TEXT_MAX) */
void accelerator_describe(const struct accelerator *accelerator, char text[ACCELERATOR_TEXT_MAX]);

/* The same without the batches. Return: octets of the text. */
size_t accelerator_describe_answers(const struct accelerator *accelerator, char text[ACCELERATOR_TEXT_MAX]);

#endif
