/* capture_stream.h - the octets of a capture file on their way to libpcap, as a stdio stream.
 *
 * A pcap file passes as it is. Of a pcapng file each interface block is looked at: options that libpcap
 * refuses are taken out, because libpcap counts the interface all the same and then reads its resolution from
 * memory it never set. Where that is asked for, several interfaces are joined.
 */
#ifndef FLOWTRACK_CAPTURE_STREAM_H
#define FLOWTRACK_CAPTURE_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct capture_stream;

/* Make a stream over a descriptor.
 *
 * fd: belongs to the stream on success, and stays the caller's on failure.
 * join: join the interfaces of a pcapng file (capture_interfaces.h).
 *
 * Return: 0, -ENOMEM.
 */
int capture_stream_new(struct capture_stream **streamp, int fd, bool join);

/* After the FILE was closed. NULL is fine. */
void capture_stream_free(struct capture_stream *stream);

/* The stream for libpcap, not locked: one thread reads it. Its fclose() closes the descriptor. */
FILE *capture_stream_file(struct capture_stream *stream);

/* From now on take out damaged options. Before this, while libpcap reads the head of the file, they are left
 * in: libpcap refuses a file whose first interface has any. */
void capture_stream_mend(struct capture_stream *stream);

/* What is wrong with the interface options that were taken out since the last call, or with an interface that
 * could not be joined; NULL: nothing. */
const char *capture_stream_damage(struct capture_stream *stream);

/* Packets of such interfaces left out since the last call. */
uint64_t capture_stream_left_out(struct capture_stream *stream);

/* Octets read from the descriptor so far. */
uint64_t capture_stream_position(const struct capture_stream *stream);

#endif
