/* SPDX-License-Identifier: MIT */
/*
 * Flight recorders: subscribers that keep the latest generations, and snapshots of what they keep.
 */
#ifndef WEFT_TRACE_RECORDER_H
#define WEFT_TRACE_RECORDER_H

#include "base/lock.h"
#include "trace/subscriber.h"

#include <weft/trace.h>

/* A generation that a recorder holds, as long as it is in the window or in a running snapshot. */
typedef struct trace_held {
    struct trace_held *newer; /* owner: drainer; in the window */
    trace_sealed *sealed;     /* constant */
    unsigned users;           /* lock: the recorder's; the window, and each snapshot */
} trace_held;

struct weft_trace_recorder {
    trace_subscriber sub; /* first */
    uint64_t window_ns;   /* constant */
    size_t window_bytes;  /* constant */
    uint32_t refs;        /* atomic: the handle, each running snapshot */
    uint32_t active;      /* atomic, written by the drainer */

    base_lock lock; /* rank LEAF; for everything below, which only the drainer changes, but for
                       `memory` */
    trace_held *oldest, *newest;
    uint64_t generations; /* in the window */
    uint64_t bytes;       /* of data in it */
    uint64_t in_window;   /* of memory in it */
    uint64_t memory;      /* that is held */
    uint64_t lost_since;  /* generations lost behind the newest: the next begins a new window */
    uint64_t lost_since_bytes;
    uint64_t lost_generations, lost_bytes; /* since the start */
};

/* The window at one moment. */
typedef struct trace_snapshot {
    weft_trace_recorder *recorder; /* one reference */
    trace_held **held;             /* oldest first */
    size_t count;
    uint64_t lost_since;
} trace_snapshot;

/* On the drainer, while the recorder is active. Returns 0 or a negative errno value. */
int trace_recorder_take(trace_subscriber *subscriber, trace_snapshot *snapshot);

/* A generation of a snapshot is not needed any more. Any thread. */
void trace_recorder_release(weft_trace_recorder *recorder, trace_held *held);
void trace_recorder_unref(weft_trace_recorder *recorder);

#endif
