/* SPDX-License-Identifier: MIT */
#ifndef WEFT_EXPORT_SCENE_H
#define WEFT_EXPORT_SCENE_H

/*
 * What viewers show of a trace, in a form that several formats can write: tracks with slices that
 * nest, instants, counters, and flows between slices. The scene decides what there is to see; a
 * sink writes it.
 *
 * Invariants
 *  1. Slices of one track nest: each end belongs to the last begin that has none. Times of one
 * track never decrease.
 *  2. A track is declared before anything else is said of it. It is declared again when its name
 *     becomes known later.
 *  3. A flow begins before it ends; both ends are inside slices, or at the begin of one.
 */

#include "reader/analysis_timeline.h"

enum scene_kind {
    SCENE_PROC,      /* slices: goroutines that run on it */
    SCENE_THREAD,    /* likewise */
    SCENE_GOROUTINE, /* slices: its states */
    SCENE_REGIONS,   /* of a goroutine */
    SCENE_TASK,      /* one slice */
    SCENE_RUNTIME,   /* id: enum scene_runtime */
    SCENE_KINDS
};

/* The last: samples of threads that the trace does not know. */
enum scene_runtime { SCENE_COLLECTOR, SCENE_STOPS, SCENE_OTHER_THREADS };

enum scene_counter { SCENE_HEAP, SCENE_HEAP_GOAL, SCENE_PROCS, SCENE_STATES, SCENE_COUNTERS };

struct scene_track {
    enum scene_kind kind;
    uint64_t id;
};

/* A slice at its begin. Texts and stacks are numbers of the scene's intern table. */
struct scene_slice {
    struct scene_track track;
    int64_t time;
    uint32_t name;
    uint32_t stack; /* 0: none */
    uint64_t g;     /* goroutine that it is about, or WEFT_ID_NONE */
    uint64_t flow;  /* flow that ends here, or 0 */
};

struct scene_clock {
    int64_t time; /* of the trace */
    uint64_t mono;
    int64_t wall_sec;
    uint32_t wall_nsec;
};

/* Failures stick in the sink and are asked for at the end. */
struct scene_sink {
    void (*track)(void *sink, struct scene_track track, weft_text name, uint64_t parent);
    void (*begin)(void *sink, const struct scene_slice *slice);
    void (*end)(void *sink, struct scene_track track, int64_t time);
    void (*log)(void *sink, uint64_t g, int64_t time, uint32_t category, weft_text message);
    void (*flow)(void *sink, uint64_t g, int64_t time, uint64_t flow); /* a flow begins */
    /* A CPU sample; the slice that is under way may be another goroutine's. */
    void (*sample)(void *sink, struct scene_track track, int64_t time, uint32_t stack, uint64_t g);
    /* SCENE_STATES has WEFT_SPENT_LIMIT values, the others one. */
    void (*counter)(void *sink, enum scene_counter counter, int64_t time, const uint64_t *values);
    void (*clock)(void *sink, const struct scene_clock *clock);
};

/*
 * Shows a whole trace to a sink. The intern table must be the sink's, too. Returns 0 or how reading
 * ended; what was sound has been shown then. -ENOMEM: the sink may be incomplete.
 */
int scene_show(weft_reader *reader, struct analysis_intern *intern, const struct scene_sink *sink,
               void *context);

/* The name of a goroutine's state with its reason, such as "blocked: sync"; READER_ABSENT: ENOMEM.
 */
struct scene_names {
    struct reader_map of;
};
uint32_t scene_state_name(struct scene_names *names, struct analysis_intern *intern,
                          const weft_stay *stay);
void scene_names_fini(struct scene_names *names);

#endif
