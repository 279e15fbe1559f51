/* memory_limit.h - whether the memory that the configuration allows is there to be had.
 *
 * A flow table that may grow beyond what the service manager lets the process use ends in the kernel killing
 * it, and that in the middle of the worst hour. So it is refused at the start.
 */
#ifndef DAEMON_MEMORY_LIMIT_H
#define DAEMON_MEMORY_LIMIT_H

#include <stdint.h>

#include "flowtrack/error.h"

#define MEMORY_LIMIT_GROUPS "/proc/self/cgroup"
#define MEMORY_LIMIT_ROOT "/sys/fs/cgroup"

/* Compare an amount with the limits of this process's control group and of all groups above it.
 *
 * groups: file that names the group, as MEMORY_LIMIT_GROUPS. root: where the groups are mounted. Without
 * either (no control groups, or those of version 1) there is no limit. key: who asks for that much, for the
 * message. octets: the amount.
 *
 * Return: 0; -EINVAL: it is more than a group may use, err names the group's file.
 *
 * Source: Linux, Documentation/admin-guide/cgroup-v2.rst, "memory.max".
 */
int memory_limit_check(const char *groups, const char *root, const char *key, uint64_t octets,
                       struct error *err);

#endif
