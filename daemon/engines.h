/* engines.h - the engine that a configuration asks for. */
#ifndef DAEMON_ENGINES_H
#define DAEMON_ENGINES_H

#include "core/engine.h"
#include "daemon/config.h"
#include "flowtrack/error.h"

/* Find an engine that works here.
 *
 * wanted: CONFIG_ENGINE_AUTO: CUDA if it works, else the CPU.
 *
 * Return: 0; -ENODEV: CONFIG_ENGINE_CUDA and it does not work here, err says why.
 */
int engines_find(const struct engine_ops **opsp, enum config_engine wanted, struct error *err);

#endif
