/* line_file.h - a file of lines that a thread appends to: gathered in memory, written as whole lines.
 *
 * A line is in the file completely or not at all: after a short write (full disk) the part of a line that got
 * through is taken back where the file allows it. A reader at the other end of a pipe may stall; he is
 * waited for, up to a deadline if there is one.
 */
#ifndef DAEMON_LINE_FILE_H
#define DAEMON_LINE_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "flowtrack/error.h"

enum { LINE_FILE_BUFFER = 1 << 18 };

struct line_file;

/* Open a file.
 *
 * path: "-" is standard output; borrowed for as long as the file is open, to name it in errors.
 * append: keep what is there; else start empty.
 *
 * Return: 0; -EACCES, -ENOENT, -EISDIR, -EIO, -ENOMEM with err filled.
 */
int line_file_open(struct line_file **filep, const char *path, bool append, struct error *err);

/* Room for the next line.
 *
 * size: octets wanted, at most LINE_FILE_BUFFER.
 *
 * Return: where to put it; what was gathered is written first when there is no room. Follow with
 * line_file_added().
 */
char *line_file_room(struct line_file *file, size_t size);

/* A line of so many octets, its newline included, has been put there. */
void line_file_added(struct line_file *file, size_t size);

/* Write what was gathered.
 *
 * written, lost: lines since the last flush.
 *
 * Return: 0; -EIO, -ENOSPC, -EPIPE, -ETIMEDOUT: lines were lost, err names the file and the reason.
 */
int line_file_flush(struct line_file *file, uint64_t *written, uint64_t *lost, struct error *err);

/* Wait for no reader beyond a deadline; what he has not taken by then is lost.
 *
 * deadline: CLOCK_MONOTONIC, microseconds; looked at again and again, so that another thread can set it while
 *     this one waits. Must outlive the file.
 */
void line_file_wait_until(struct line_file *file, const atomic_int_least64_t *deadline);

/* Octets that the file has. */
uint64_t line_file_size(const struct line_file *file);

/* Whether this is the file that a path leads to. status: of the path. */
bool line_file_is(const struct line_file *file, const struct stat *status);

/* Close and free; what was not flushed is gone. NULL is fine. Return: 0, -EIO. */
int line_file_close(struct line_file *file, struct error *err);

#endif
