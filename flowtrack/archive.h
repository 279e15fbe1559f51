/* archive.h - files of flow records: Joy JSON lines, plain or gzip.
 *
 * The first line is Joy's configuration (joy-records section 10), every further line one record. Reading and
 * writing stream: memory does not grow with the file.
 *
 * A compressed file is a row of gzip members of whole lines, which every gzip reader takes for one file: when
 * the writer is killed, all members but the last are complete; when the disk was full, writing goes on behind
 * the last one. The reader takes any Joy version's archive, the notebook's of July 2018 too.
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
    uint64_t lines; /* = records + headers + damaged; blank lines do not count */
    uint64_t records;
    uint64_t headers;   /* objects without "sa" */
    uint64_t damaged;   /* lines that are no record, skipped */
    uint64_t cut;       /* records with more packets or ids than a record keeps */
    uint64_t truncated; /* 1: the file ends inside a gzip stream or a line */
    uint64_t gaps;      /* places where the gzip data is damaged */
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

const struct archive_reader_stats *archive_reader_stats(const struct archive_reader *reader);

void archive_reader_close(struct archive_reader *reader);

struct archive_writer_options {
    int level;             /* zlib level 1..9, 0 for the default */
    const char *interface; /* for the header line: where the packets come from; NULL: none */
    const char *filter;    /* for the header line: the capture filter; NULL: none */
    bool byte_dist;        /* for the header line: records have byte_dist and entropy */
};

struct archive_writer_stats {
    uint64_t records; /* accepted by archive_writer_put() */
    uint64_t waiting; /* of these, not in the file yet */
    uint64_t refused; /* not accepted: the block was full and could not be written */
    uint64_t text;    /* octets of the records accepted */
    uint64_t octets;  /* of the file */
};

/* Create an archive and write its header line.
 *
 * path: file name, an existing file is emptied; a name ending in ".gz" or ".gz.part" is compressed; "-" is
 *     standard output. Copied.
 * options: NULL for the defaults; not kept.
 *
 * Return: 0; -EACCES, -ENOENT, -ENOSPC, -EIO, -ENOMEM with err filled.
 */
int archive_writer_open(struct archive_writer **writerp, const char *path,
                        const struct archive_writer_options *options, struct error *err);

/* Append one record.
 *
 * Lines are gathered and written as a block. If that fails, the block is kept and tried again by later
 * calls, and records are refused once it is full.
 *
 * Return: 0; -EIO or -ENOSPC: the record was refused (err names the file), later calls may succeed.
 */
int archive_writer_put(struct archive_writer *writer, const struct record *record, struct error *err);

/* Write the lines gathered so far. What a killed writer loses is what came after the last flush.
 *
 * Return: 0, -EIO, -ENOSPC: they are kept, later calls may succeed.
 */
int archive_writer_flush(struct archive_writer *writer, struct error *err);

const struct archive_writer_stats *archive_writer_stats(const struct archive_writer *writer);

/* Write out everything, sync, close and free. NULL is fine.
 *
 * Return: 0, -EIO, -ENOSPC: the file is not complete; it ends with a whole line all the same.
 */
int archive_writer_close(struct archive_writer *writer, struct error *err);

#endif
