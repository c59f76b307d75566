/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_ANALYSIS_TIMELINE_H
#define WEFT_READER_ANALYSIS_TIMELINE_H

/*
 * The machine behind weft_timeline, over an intern table of its user's: passes that share texts and
 * stacks share one. The user tells that table of new generations.
 *
 * Invariant: procs.at[i].syscall is the index of a live goroutine in WEFT_SPENT_SYSCALL whose
 * on_proc is i, or absent.
 */

#include "reader/analysis_ids.h"
#include "reader/analysis_intern.h"
#include <weft/timeline.h>

struct timeline_goroutine {
    weft_stay stay;
    uint32_t on_proc; /* index of a proc, while in WEFT_SPENT_SYSCALL */
    bool live;
};

struct analysis_timeline {
    struct analysis_intern *intern;
    struct analysis_ids goroutine_of, proc_of;
    READER_VEC(struct timeline_goroutine) goroutines;
    READER_VEC(uint32_t) syscall_of; /* proc → index of a goroutine */
    int64_t sync, last;
    uint32_t forever; /* the text: blocking for that reason is the end of a goroutine */
    weft_stay_fn begin, end;
    void *context;
};

/* Returns false when memory is exhausted; fini is needed then too. */
bool analysis_timeline_init(struct analysis_timeline *timeline, struct analysis_intern *intern,
                            weft_stay_fn begin, weft_stay_fn end, void *context);
int analysis_timeline_event(struct analysis_timeline *timeline, const weft_event *event);
int analysis_timeline_finish(struct analysis_timeline *timeline);
void analysis_timeline_fini(struct analysis_timeline *timeline);

#endif
