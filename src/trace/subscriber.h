/* SPDX-License-Identifier: MIT */
/*
 * Who receives the generations of a trace: streams and flight recorders. The drainer knows them by
 * this alone. They join and leave at the boundary of a generation, so each sees whole generations.
 *
 * Loss. A subscriber from which a generation is missing cannot go on, as what follows contradicts
 * the states that a reader has in mind. It begins anew instead, with a generation in which its loss
 * is written down: whether it can do that is asked while the generation is still open (announce),
 * and deliver() then hands over that very generation, or lose() says that it is lost as well.
 */
#ifndef WEFT_TRACE_SUBSCRIBER_H
#define WEFT_TRACE_SUBSCRIBER_H

#include "trace/sealed.h"

typedef struct trace_subscriber trace_subscriber;

#define TRACE_LOSS_TEXT 512

/* All on the drainer; none may wait. */
typedef struct trace_subscriber_kind {
    /* Becomes one that has received nothing. Returns 0 or a negative errno value. */
    int (*join)(trace_subscriber *subscriber);
    void (*deliver)(trace_subscriber *subscriber, trace_sealed *sealed);
    void (*lose)(trace_subscriber *subscriber, uint64_t bytes, uint64_t samples);
    /* True, and what was lost in words of at most TRACE_LOSS_TEXT bytes, if the generation that is
     * about to end shall be the first after a loss. */
    bool (*announce)(trace_subscriber *subscriber, char *text);
    /* Receives nothing any more. */
    void (*leave)(trace_subscriber *subscriber);
    /* In the child of a fork, where no other thread is. */
    void (*forget)(trace_subscriber *subscriber);
} trace_subscriber_kind;

struct trace_subscriber {
    trace_subscriber *next; /* owner: drainer */
    const trace_subscriber_kind *kind;
    weft_tracer *tracer;
    unsigned format;
    uint64_t period_ns;
    unsigned cpu_hz;
    size_t hold;    /* bytes of chunks of sealed generations that it may hold */
    size_t working; /* bytes that generations may take before they are sealed */
    size_t large;   /* a generation is ended when its full buffers take more */
};

/* After a crash of the drainer: an empty generation for one that has received none. The reference
 * stays with the dying process. */
void trace_deliver_empty(trace_subscriber *subscriber);

/* What was lost, in words. */
void trace_loss_print(char *text, const char *who, uint64_t generations, uint64_t bytes,
                      weft_trace_loss why, int error);

/* Checks what options of streams and recorders have in common. Fills in defaults. Returns 0 or
 * -EINVAL. */
int trace_subscriber_init(trace_subscriber *subscriber, const trace_subscriber_kind *kind,
                          weft_tracer *tracer, unsigned format, uint64_t period_ns,
                          size_t memory_budget, unsigned cpu_hz);

#endif
