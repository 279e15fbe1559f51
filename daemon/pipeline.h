/* pipeline.h - the path of the data, from packets to log lines, as one object.
 *
 *     capture -> tracker -> batch -> classifier (encode, engine, verdict) -> writer (archive, log)
 *                '---- intake ----'
 *
 * The pipeline owns everything behind the capture. Its drivers feed the intake: offline.c from files,
 * service.c from interfaces. What is at the end of the path, and whether there is a classifier in it, depends
 * on what is asked for.
 */
#ifndef DAEMON_PIPELINE_H
#define DAEMON_PIPELINE_H

#include "daemon/config.h"
#include "daemon/intake.h"
#include "daemon/stats.h"
#include "daemon/verdict_log.h"
#include "flowtrack/error.h"

struct pipeline_options {
    const struct config *config;             /* needed during pipeline_new() only, as all paths are */
    bool classify;                           /* false: records only */
    const struct log_file_options *verdicts; /* files for verdicts; NULL: none */
    const char *journal;                     /* socket of the journal for verdicts instead; NULL: none */
    struct recent *recent;                   /* gets verdict lines too; NULL: nobody asks */
    const char *records;                     /* file for an archive, "-": standard output; NULL: none */
    const struct archive_rotate_options *archives; /* archives without end; NULL: none */
    enum intake_pressure pressure;
    size_t n_interfaces; /* that packets come from; 1 for files */
    size_t n_workers;    /* threads that feed it for each of them */
    /* Called when the files are open and no thread runs yet: the moment to give up rights, which each thread
     * has for itself. NULL: nothing to do. Return: 0, or a code that pipeline_new() returns, with err. */
    int (*before_threads)(void *fence, struct error *err);
    void *fence;                    /* for it */
    struct verdict_context context; /* of the log's lines; what it points to must outlive the pipeline */
};

struct pipeline;

/* Open the files, load the model, start the threads.
 *
 * Return: 0; what loading a model, an engine or opening a file can return, err filled.
 */
int pipeline_new(struct pipeline **pipelinep, const struct pipeline_options *options, struct error *err);

/* Where the packets of an interface go that one worker has read. What is allowed for flows (max_flows,
 * memory) is shared out among the intakes. */
struct intake *pipeline_intake(struct pipeline *pipeline, size_t interface, size_t worker);

struct stats *pipeline_stats(struct pipeline *pipeline);

/* The model that was loaded at the start; NULL: records only. */
const struct model *pipeline_model(const struct pipeline *pipeline);

/* The stages, for those who ask them something. The classifier is NULL for records only. */
struct classifier *pipeline_classifier(struct pipeline *pipeline);
struct writer *pipeline_writer(struct pipeline *pipeline);

/* End: every flow in the trackers ends, every batch is judged and written, the threads end, the files are
 * closed. Live, a reader of the log who stalls is waited for some seconds; what he has not taken then is
 * lost. No other thread may use an intake any more. Nothing may be fed afterwards; the counters can still be
 * read.
 *
 * Return: 0; -EIO, -ENOSPC and others: something could not be written, and that has been said.
 */
int pipeline_drain(struct pipeline *pipeline);

/* Free a pipeline, drained or not. NULL is fine. */
void pipeline_free(struct pipeline *pipeline);

#endif
