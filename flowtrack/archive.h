/* archive.h - files of flow records: Joy JSON lines, plain or gzip.
 *
 * The first line is Joy's configuration (joy-records section 10), every further line one record. Reading and
 * writing stream: memory does not grow with the file.
 *
 * A writer gathers lines in memory and hands whole blocks to zlib, so that a file cut off at any moment holds
 * complete lines up to its last block. The reader takes any Joy version's archive, the notebook's of July
 * 2018 too.
 */
#ifndef FLOWTRACK_ARCHIVE_H
#define FLOWTRACK_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/error.h"
#include "flowtrack/record.h"

struct archive_reader;
struct archive_writer;

struct archive_reader_stats {
    uint64_t lines; /* = records + headers + damaged */
    uint64_t records;
    uint64_t headers;   /* objects without "sa" */
    uint64_t damaged;   /* lines that are no record, skipped */
    uint64_t truncated; /* 1: the file ends inside a gzip stream or a line */
    uint64_t octets;    /* of text, decompressed */
};

/* Open an archive.
 *
 * path: file name, "-" for standard input; gzip is recognised by content. Kept by reference to name the file
 * in errors.
 *
 * Return: 0; -ENOENT, -EACCES, -EISDIR, -EIO, -ENOMEM with err filled.
 */
int archive_reader_open(struct archive_reader **readerp, const char *path, struct error *err);

/* Read the next record.
 *
 * record: filled on 1.
 * err: filled when something was skipped, see below.
 *
 * Return: 1 a record; 0 the end; -EBADMSG a damaged line or a truncated tail was skipped and counted (err
 * says "FILE:LINE: reason"), the caller may go on reading; -EIO reading failed, -ENOMEM.
 */
int archive_reader_next(struct archive_reader *reader, struct record *record, struct error *err);

/* Number of the line that archive_reader_next() returned last, from 1. */
uint64_t archive_reader_line(const struct archive_reader *reader);

const struct archive_reader_stats *archive_reader_stats(const struct archive_reader *reader);

void archive_reader_close(struct archive_reader *reader);

/* Create an archive and write its header line.
 *
 * path: file name; a name ending in ".gz" is compressed; "-" is standard output.
 * level: zlib level 1..9, 0 for the default.
 *
 * Return: 0; -EACCES, -ENOENT, -ENOSPC, -EIO, -ENOMEM with err filled.
 */
int archive_writer_open(struct archive_writer **writerp, const char *path, int level, struct error *err);

/* Append one record.
 *
 * Return: 0; -EIO or -ENOSPC: the record is not in the file (err names it), later calls may succeed.
 */
int archive_writer_put(struct archive_writer *writer, const struct record *record, struct error *err);

/* Write out everything, sync, close and free. NULL is fine.
 *
 * Return: 0, -EIO, -ENOSPC: the file is not complete.
 */
int archive_writer_close(struct archive_writer *writer, struct error *err);

#endif
