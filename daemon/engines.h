/* engines.h - the engine that a configuration asks for. */
#ifndef DAEMON_ENGINES_H
#define DAEMON_ENGINES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/engine.h"
#include "core/tree/model.h"
#include "daemon/config.h"
#include "flowtrack/error.h"

/* Path of the module that a configuration means. */
const char *engines_module(const struct config_classify *config);

/* Find the engine that goes beside the CPU's: that of the module.
 *
 * opsp: NULL: CONFIG_ENGINE_CPU, or CONFIG_ENGINE_AUTO and there is no usable module. One that is there and
 * cannot be loaded is said. Whether the engine works is seen when it is opened.
 *
 * Return: 0; -ENODEV: CONFIG_ENGINE_CUDA and the module cannot be loaded, err says why.
 */
int engines_find(const struct engine_ops **opsp, const struct config_classify *config, struct error *err);

/* Choose the one engine for judging many flows: that of the module if it gives the CPU's answers for a model,
 * else the CPU's; says which and why.
 *
 * Return: 0; -ENODEV: CONFIG_ENGINE_CUDA and it does not, err says why.
 */
int engines_choose(const struct engine_ops **opsp, const struct config_classify *config,
                   const struct model *model, struct error *err);

/* Choose the one engine for training, which judges besides: that of the module if it gives the CPU's answers,
 * learns as the CPU does, and with CONFIG_ENGINE_AUTO is the faster one at it, which is measured for 0.2 s;
 * else the CPU's. Says which and why.
 *
 * model: with fresh weights, of the tree to be learnt.
 * flows: of a batch.
 *
 * Return: 0; -ENODEV: CONFIG_ENGINE_CUDA and it does not give the CPU's answers or does not learn as it does,
 * err says why.
 */
int engines_choose_for_learning(const struct engine_ops **opsp, const struct config_classify *config,
                                const struct model *model, size_t flows, struct error *err);

#endif
