/* SPDX-License-Identifier: MIT */
#ifndef WEFT_TIMELINE_H
#define WEFT_TIMELINE_H

/*
 * What every goroutine does over time, as a stream: a stay is the time which a goroutine spends in
 * one state. Each is told when it begins and when it ends. Memory grows with the goroutines that
 * are alive, not with the length of the trace.
 *
 * The sums of the stays of a whole trace are the times that weft_summary finds.
 *
 * Invariants
 *  1. A goroutine has at most one stay at a time, and no gaps between two: where one ends the next
 *     begins, until the goroutine ends.
 *  2. Stays end in order of time. They begin in order of time, but for those of goroutines that
 *     existed before the trace: these begin with it.
 *
 * Threads: a timeline belongs to the thread of its reader. Functions that return int give 0,
 * -ENOMEM, or what a callback returned other than 0.
 */

#include <weft/analysis.h>

WEFT_BEGIN_DECLS

typedef struct weft_stay {
    uint64_t g;
    uint64_t m, p;      /* where it executes, or WEFT_ID_NONE */
    uint64_t by;        /* who ended it: made a blocked goroutine runnable; or WEFT_ID_NONE */
    int64_t begin, end; /* end: not before the stay ends */
    uint32_t name;      /* text: entry function of the goroutine, empty until a stack shows it */
    uint32_t reason;    /* text: of blocking or stopping */
    uint32_t stack;     /* where it began, 0 if the trace does not say */
    uint8_t spent;      /* weft_spent */
    uint8_t begin_seen; /* began within the trace */
    uint8_t end_seen;   /* ended within the trace */
} weft_stay;

/* The record holds during the call. What it returns other than 0 ends the event. */
typedef int (*weft_stay_fn)(void *context, const weft_stay *stay);

typedef struct weft_timeline weft_timeline;

/* The reader must outlive the timeline; begin and end may be NULL. */
WEFT_API WEFT_MUST_USE int weft_timeline_new(weft_timeline **timeline, const weft_reader *reader,
                                             weft_stay_fn begin, weft_stay_fn end, void *context);
WEFT_API WEFT_MUST_USE int weft_timeline_event(weft_timeline *timeline, const weft_event *event);

/* Ends all stays at the last event. */
WEFT_API WEFT_MUST_USE int weft_timeline_finish(weft_timeline *timeline);

/* Tells of the stays that are under way, as if they ended at the last event, which they do not. */
WEFT_API WEFT_MUST_USE int weft_timeline_open(weft_timeline *timeline, weft_stay_fn each,
                                              void *context);

/* A text of a stay; valid until the timeline is freed. */
WEFT_API weft_text weft_timeline_text(const weft_timeline *timeline, uint32_t text);

/* Frames of a stay's stack, 0 being the innermost. weft_timeline_place gives 0, or -ERANGE. */
WEFT_API size_t weft_timeline_depth(const weft_timeline *timeline, uint32_t stack);
WEFT_API int weft_timeline_place(const weft_timeline *timeline, uint32_t stack, size_t index,
                                 weft_place *place);

/* NULL accepted. */
WEFT_API void weft_timeline_free(weft_timeline *timeline);

WEFT_END_DECLS

#endif
