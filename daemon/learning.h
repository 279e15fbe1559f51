/* learning.h - the commands about models: --train, --evaluate and --describe. */
#ifndef DAEMON_LEARNING_H
#define DAEMON_LEARNING_H

#include <signal.h>

#include "daemon/config.h"
#include "daemon/options.h"

/* Learn a model from labelled archives and save it. Figures of each epoch go to standard error, those of the
 * hold-out to standard output.
 *
 * stop: set to non-zero by a signal: the best epoch so far is saved.
 *
 * All three speak for themselves. Return: 0, or the code of what went wrong.
 */
int learning_train(const struct options *options, const struct config *config,
                   const volatile sig_atomic_t *stop);

/* Judge a model on labelled archives, or a tree by cross-validation (--tree). */
int learning_evaluate(const struct options *options, const struct config *config,
                      const volatile sig_atomic_t *stop);

/* Print the elements of a tree or a model file. */
int learning_describe(const struct options *options, const struct config *config,
                      const volatile sig_atomic_t *stop);

#endif
