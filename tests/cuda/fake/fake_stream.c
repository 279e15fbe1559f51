/* Streams and events: work is queued, and done when somebody waits for it.
 *
 * An event is a place in a stream's queue. A stream that waits for one has a task which first has the other
 * stream do its work up to there. The stream NULL is in order with all that were not made non-blocking: they
 * do what they have first.
 */
#include <stdlib.h>

#include "tests/cuda/fake/fake_parts.h"

enum { STREAMS_MAX = 64 };

struct fake_stream {
    bool used, blocking;
    struct fake_task *first, **end;
    uint64_t queued, done; /* tasks since it was made */
};

struct fake_event {
    cudaStream_t stream; /* NULL: nothing recorded */
    uint64_t at;         /* tasks of it that come before */
};

static struct fake_stream streams[STREAMS_MAX];

static void need_stream(cudaStream_t stream)
{
    if (stream != NULL && !stream->used)
        fake_die("a stream is used after it was destroyed");
}

static void task_do(struct fake_task *task, bool run)
{
    if (run)
        task->run(task->context);
    task->drop(task->context);
    free(task);
}

static cudaError_t run_until(cudaStream_t stream, uint64_t until)
{
    cudaError_t r = cudaSuccess;

    fake_memory_unlock();
    while (stream->done < until) {
        struct fake_task *task = stream->first;

        stream->first = task->next;
        if (stream->first == NULL)
            stream->end = &stream->first;
        stream->done++;
        if (fake_work_fails())
            r = cudaErrorLaunchFailure;
        task_do(task, r == cudaSuccess);
    }
    fake_memory_lock();
    return r;
}

static cudaError_t run_streams(bool only_blocking)
{
    cudaError_t r = cudaSuccess;

    for (size_t i = 0; i < STREAMS_MAX; i++)
        if (streams[i].used && (streams[i].blocking || !only_blocking) &&
            run_until(&streams[i], streams[i].queued) != cudaSuccess)
            r = cudaErrorLaunchFailure;
    return r;
}

cudaError_t fake_streams_run(void)
{
    return run_streams(false);
}

cudaError_t fake_stream_run(cudaStream_t stream)
{
    need_stream(stream);
    return stream == NULL ? run_streams(true) : run_until(stream, stream->queued);
}

void fake_stream_queue(cudaStream_t stream, void (*run)(void *), void (*drop)(void *), void *context)
{
    struct fake_task *task = fake_new(sizeof *task);

    need_stream(stream);
    *task = (struct fake_task){.run = run, .drop = drop, .context = context};
    if (stream == NULL) {
        bool fails = run_streams(true) != cudaSuccess;

        fake_memory_unlock();
        task_do(task, !fails && !fake_work_fails());
        fake_memory_lock();
        return;
    }
    *stream->end = task;
    stream->end = &task->next;
    stream->queued++;
}

void fake_streams_reset(void)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        while (streams[i].first != NULL) {
            struct fake_task *task = streams[i].first;

            streams[i].first = task->next;
            task_do(task, false);
        }
        streams[i] = (struct fake_stream){0};
    }
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    cudaError_t r = fake_enter_cuda(FAKE_OTHER);

    if (r != cudaSuccess)
        return r;
    for (size_t i = 0; i < STREAMS_MAX; i++)
        if (!streams[i].used) {
            streams[i] = (struct fake_stream){
                .used = true, .blocking = flags == cudaStreamDefault, .end = &streams[i].first};
            *stream = &streams[i];
            fake_hold(1);
            return cudaSuccess;
        }
    fake_die("more than %d streams", STREAMS_MAX);
}

cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
    return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    cudaError_t r = fake_enter_cuda(FAKE_RELEASE);

    if (stream == NULL)
        return cudaErrorInvalidResourceHandle;
    (void)fake_stream_run(stream);
    stream->used = false;
    fake_hold(-1);
    return r;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    cudaError_t r = fake_enter_cuda(FAKE_WAIT);

    return r != cudaSuccess ? r : fake_stream_run(stream);
}

cudaError_t cudaDeviceSynchronize(void)
{
    cudaError_t r = fake_enter_cuda(FAKE_WAIT);

    return r != cudaSuccess ? r : fake_streams_run();
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    cudaError_t r = fake_enter_cuda(FAKE_OTHER);

    (void)flags;
    if (r != cudaSuccess)
        return r;
    *event = fake_new(sizeof **event);
    fake_hold(1);
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    cudaError_t r = fake_enter_cuda(FAKE_RELEASE);

    if (event == NULL)
        return cudaErrorInvalidResourceHandle;
    free(event);
    fake_hold(-1);
    return r;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    cudaError_t r = fake_enter_cuda(FAKE_OTHER);

    if (r != cudaSuccess)
        return r;
    need_stream(stream);
    *event = (struct fake_event){stream, stream == NULL ? 0 : stream->queued};
    return cudaSuccess;
}

/* What came before an event, as far as it is not done. */
static cudaError_t reach(const struct fake_event *event)
{
    bool waits = event->stream != NULL && event->stream->used;

    return waits ? run_until(event->stream, event->at) : cudaSuccess;
}

static void reach_task(void *context)
{
    (void)reach(context);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    cudaError_t r = fake_enter_cuda(FAKE_OTHER);
    struct fake_event *copy;

    (void)flags;
    if (r != cudaSuccess)
        return r;
    copy = fake_new(sizeof *copy);
    *copy = *event;
    fake_stream_queue(stream, reach_task, free, copy);
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    cudaError_t r = fake_enter_cuda(FAKE_WAIT);

    return r != cudaSuccess ? r : reach(event);
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
    cudaError_t r = fake_enter_cuda(FAKE_OTHER);

    if (r != cudaSuccess)
        return r;
    if (start->stream == NULL || end->stream == NULL)
        return cudaErrorInvalidResourceHandle;
    *milliseconds = 0.001F;
    return cudaSuccess;
}
