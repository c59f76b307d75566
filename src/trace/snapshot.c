/* SPDX-License-Identifier: MIT */
/* Snapshots of flight recorders, written by their callers. */
#include "base/torture.h"
#include "trace/drainer.h"
#include "trace/recorder.h"
#include "trace/sink.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Writing to a descriptor may not end the caller's process ---- */

typedef struct signal_guard {
    sigset_t before; /* the thread's mask */
    sigset_t mine;   /* those that were not pending */
} signal_guard;

static void guard_enter(signal_guard *guard)
{
    sigset_t pending;
    sigemptyset(&guard->mine);
    sigaddset(&guard->mine, SIGPIPE);
    sigaddset(&guard->mine, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &guard->mine, &guard->before);
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE))
        sigdelset(&guard->mine, SIGPIPE);
    if (sigismember(&pending, SIGXFSZ))
        sigdelset(&guard->mine, SIGXFSZ);
}

static void guard_leave(signal_guard *guard)
{
    const struct timespec at_once = {0, 0};
    while (sigtimedwait(&guard->mine, NULL, &at_once) > 0)
        ;
    pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

/* ---- Snapshots ---- */

/* Each generation is released as soon as it is written; after a failure the rest is, too. */
static int write_out(trace_snapshot *snapshot, trace_sink *sink, uint64_t *generations)
{
    unsigned format = snapshot->recorder->sub.format;
    int rc = trace_sink_header(sink, format);
    for (size_t i = 0; i < snapshot->count; i++) {
        torture_point("trace snapshot writes");
        if (rc == 0)
            rc = trace_sink_generation(sink, format, snapshot->held[i]->sealed);
        if (rc == 0)
            ++*generations;
        trace_recorder_release(snapshot->recorder, snapshot->held[i]);
    }
    return rc;
}

/* The drainer has crashed, and nobody changes the window any more: it is taken as it is. */
static int take_what_is_left(weft_trace_recorder *recorder, trace_snapshot *snapshot)
{
    if (!recorder->oldest)
        trace_deliver_empty(&recorder->sub);
    return trace_recorder_take(&recorder->sub, snapshot);
}

static int take(weft_trace_recorder *recorder, trace_snapshot *snapshot)
{
    *snapshot = (trace_snapshot){.recorder = recorder};
    atomic_add_relaxed(&recorder->refs, 1);
    int rc = trace_drainer_snapshot(recorder->sub.tracer, &recorder->sub, snapshot);
    if (rc == -EOWNERDEAD)
        rc = take_what_is_left(recorder, snapshot);
    if (rc < 0) {
        free(snapshot->held);
        trace_recorder_unref(recorder);
    }
    return rc;
}

static void finish(trace_snapshot *snapshot)
{
    free(snapshot->held);
    trace_recorder_unref(snapshot->recorder);
}

static int to_sink(trace_snapshot *snapshot, trace_sink *sink, weft_trace_snapshot_result *result)
{
    weft_trace_snapshot_result now = {.lost_generations = snapshot->lost_since};
    signal_guard guard;
    if (sink->fd >= 0)
        guard_enter(&guard);
    int rc = write_out(snapshot, sink, &now.generations);
    if (sink->fd >= 0)
        guard_leave(&guard);
    if (rc < 0)
        trace_sink_cut(sink);
    now.bytes = sink->bytes;
    if (result) {
        now.size = result->size;
        memcpy(result, &now, now.size < sizeof now ? now.size : sizeof now);
    }
    return rc;
}

static int snapshot_sink(weft_trace_recorder *recorder, trace_sink *sink,
                         weft_trace_snapshot_result *result)
{
    trace_snapshot snapshot;
    int rc = take(recorder, &snapshot);
    if (rc < 0)
        return rc;
    rc = to_sink(&snapshot, sink, result);
    finish(&snapshot);
    return rc;
}

/* The file is opened last: a snapshot that is refused leaves the one before alone. */
int weft_trace_snapshot_path(weft_trace_recorder *recorder, const char *path,
                             weft_trace_snapshot_result *result)
{
    trace_snapshot snapshot;
    trace_sink sink;
    if (!recorder || !path)
        return -EINVAL;
    int rc = take(recorder, &snapshot);
    if (rc < 0)
        return rc;
    rc = trace_sink_open(&sink, path);
    if (rc == 0) {
        rc = to_sink(&snapshot, &sink, result);
        trace_sink_close(&sink);
    } else {
        for (size_t i = 0; i < snapshot.count; i++)
            trace_recorder_release(recorder, snapshot.held[i]);
    }
    finish(&snapshot);
    return rc;
}

int weft_trace_snapshot_fd(weft_trace_recorder *recorder, int fd,
                           weft_trace_snapshot_result *result)
{
    trace_sink sink = trace_sink_of_fd(fd);
    if (!recorder)
        return -EINVAL;
    return fd < 0 ? -EBADF : snapshot_sink(recorder, &sink, result);
}

int weft_trace_snapshot_callback(weft_trace_recorder *recorder, weft_trace_write_fn write,
                                 void *context, weft_trace_snapshot_result *result)
{
    trace_sink sink = trace_sink_of_callback(write, context);
    if (!recorder || !write)
        return -EINVAL;
    return snapshot_sink(recorder, &sink, result);
}
