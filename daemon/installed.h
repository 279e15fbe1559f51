/* installed.h - which of the installed files is meant when none is named. */
#ifndef DAEMON_INSTALLED_H
#define DAEMON_INSTALLED_H

#include "daemon/config.h"

enum { INSTALLED_PATH_MAX = 4096 };

/* The model file: classify.model; empty: the current one of retrain.store if there is one, else the one that
 * came with the program.
 *
 * path: INSTALLED_PATH_MAX octets.
 */
void installed_model(const struct config *config, char *path);

#endif
