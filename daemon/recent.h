/* recent.h - the latest verdict lines, for those who ask: `flows` looks back, `watch` follows.
 *
 * A ring of octets: the writer appends, the loop's thread reads whole lines from a position on. A reader that
 * is too slow skips what has been overwritten; nobody waits for anybody.
 */
#ifndef DAEMON_RECENT_H
#define DAEMON_RECENT_H

#include <stddef.h>
#include <stdint.h>

enum { RECENT_SIZE = 1 << 22, RECENT_LINE_MAX = 1 << 14 };

struct recent;

/* Return: 0, -ENOMEM. */
int recent_new(struct recent **recentp);

void recent_free(struct recent *recent);

/* Append lines. size: of all together; each ends in a newline and is no longer than RECENT_LINE_MAX. */
void recent_add(struct recent *recent, const char *lines, size_t size);

/* Octets ever added: the position of the next line. */
uint64_t recent_end(struct recent *recent);

/* Copy whole lines from a position on.
 *
 * position: where to begin; moved behind what was copied, and first, where that has been overwritten, to the
 *     oldest line there is.
 * text: (size) at least RECENT_LINE_MAX octets.
 *
 * Return: octets copied; 0: nothing new.
 */
size_t recent_read(struct recent *recent, uint64_t *position, char *text, size_t size);

#endif
