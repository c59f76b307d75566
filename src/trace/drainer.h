/* SPDX-License-Identifier: MIT */
/* Requests to the tracer's thread. */
#ifndef WEFT_TRACE_DRAINER_H
#define WEFT_TRACE_DRAINER_H

#include <weft/trace.h>

typedef enum trace_request {
    TRACE_REQUEST_START, /* the stream joins */
    TRACE_REQUEST_STOP,  /* the stream leaves; tracing ends with the last */
    TRACE_REQUEST_ADVANCE,
    TRACE_REQUEST_STOP_ALL, /* all streams leave and are freed */
    TRACE_REQUEST_QUIT      /* the same, and the thread ends */
} trace_request;

/*
 * Hands a request to the drainer and waits until it is done. Only a start starts the thread;
 * without it every other request has nothing to do. Returns what the request says, or -EDEADLK on
 * the drainer itself, which would wait for itself.
 */
int trace_drainer_request(weft_tracer *tracer, trace_request kind, weft_trace_stream *stream);

/* After fork(): there is no thread and nobody waits. */
void trace_drainer_forget(weft_tracer *tracer);

#endif
