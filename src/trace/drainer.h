/* SPDX-License-Identifier: MIT */
/* Requests to the tracer's thread. */
#ifndef WEFT_TRACE_DRAINER_H
#define WEFT_TRACE_DRAINER_H

#include "trace/subscriber.h"

#include <weft/trace.h>

struct trace_snapshot;

typedef enum trace_request {
    TRACE_REQUEST_START, /* the subscriber joins */
    TRACE_REQUEST_STOP,  /* the subscriber leaves; tracing ends with the last */
    TRACE_REQUEST_ADVANCE,
    TRACE_REQUEST_SNAPSHOT, /* an advance, and then the window of a recorder */
    TRACE_REQUEST_STOP_ALL, /* all subscribers leave; streams become orphans */
    TRACE_REQUEST_QUIT      /* the same, and the thread ends */
} trace_request;

/*
 * Hands a request to the drainer and waits until it is done. Only a start starts the thread;
 * without it every other request has nothing to do. Returns what the request says, or -EDEADLK on
 * the tracer's own threads, which would wait for themselves, or -ESHUTDOWN for a start after QUIT,
 * or -EOWNERDEAD if the drainer has crashed.
 */
int trace_drainer_request(weft_tracer *tracer, trace_request kind, trace_subscriber *subscriber);

/* The same for a snapshot of a recorder, -EINVAL if that is not active. */
int trace_drainer_snapshot(weft_tracer *tracer, trace_subscriber *recorder,
                           struct trace_snapshot *snapshot);

/* Ends the generation; waits until every stream has written it. */
int trace_drainer_advance(weft_tracer *tracer);

/* The calling thread is one of the tracer's own, which may not make requests. */
void trace_drainer_serve(const weft_tracer *tracer);

/* The process is about to die. On the thread that has crashed: notes if that is the drainer.
 * Async-signal-safe. */
void trace_drainer_dying(weft_tracer *tracer);

/* After fork(): there is no thread and nobody waits. */
void trace_drainer_forget(weft_tracer *tracer);

#endif
