/* installed.h - which of the installed files is meant when none is named. */
#ifndef DAEMON_INSTALLED_H
#define DAEMON_INSTALLED_H

#include "daemon/config.h"

/* The model file: classify.model; empty: the current one of the store if there is one, else the one that came
 * with the program. */
const char *installed_model(const struct config *config);

#endif
