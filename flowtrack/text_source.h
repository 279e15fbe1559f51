/* text_source.h - the text of a file, plain or gzip, as a stream of octets.
 *
 * gzip is recognised by content. Several gzip members in a row are one text, as for gzip(1). Memory does not
 * grow with the file.
 */
#ifndef FLOWTRACK_TEXT_SOURCE_H
#define FLOWTRACK_TEXT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "flowtrack/error.h"

struct text_source;

/* Open a file.
 *
 * path: "-" is standard input. Kept by reference to name the file in errors.
 *
 * Return: 0; -ENOENT, -EACCES, -EISDIR, -EIO, -ENOMEM with err filled.
 */
int text_source_open(struct text_source **sourcep, const char *path, struct error *err);

/* Read the next octets of the text.
 *
 * buffer: (room) filled from the start.
 * room: above 0.
 * err: names the file.
 *
 * Return: how many, above 0; 0 at the end; -ENODATA: the file ends inside its gzip data; -EBADMSG: the gzip
 * data is damaged, and the text goes on behind the damage if the file has a further member; -EIO. An error
 * comes after all text in front of it, once.
 */
ssize_t text_source_read(struct text_source *source, char *buffer, size_t room, struct error *err);

/* Close the file unless it is standard input, and free. NULL is fine. */
void text_source_close(struct text_source *source);

#endif
