/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_ANALYSIS_HISTORY_H
#define WEFT_READER_ANALYSIS_HISTORY_H

/*
 * What goroutines did and who caused it, in a form that can be followed backwards.
 *
 * Design: an interval for each stay of a goroutine in a state. It knows the interval before it, and
 * the interval of the goroutine that caused it: that released or created this one. Intervals count
 * their references; those to which no live goroutine leads back are freed, and so are, when their
 * goroutine changes its state, those that ended before the horizon. While nothing is to be
 * recorded, a goroutine has its open interval only.
 *
 * Invariants
 *  1. An interval ends where that which names it as `before` begins; the head of a goroutine is
 * open.
 *  2. `before` and `cause` begin earlier than the interval: links make no circle.
 *  3. refs is the number of intervals and heads that name the interval. A goroutine's record lives
 * as long as the goroutine or one of its intervals.
 *  4. Without `before`, an interval with a cause is the first of a goroutine that was created, and
 * one without may be anything.
 */

#include <weft/critical_path.h>

#include "reader/analysis_ids.h"
#include "reader/analysis_intern.h"

struct history_interval {
    int64_t begin;
    uint64_t p, m;        /* RUNNING: where */
    uint64_t holder;      /* RUNNING: who had the proc last while this one waited for it */
    uint32_t owner;       /* goroutine */
    uint32_t before;      /* interval; a link in lists of freed ones */
    uint32_t cause;       /* interval */
    uint32_t stack;       /* of the goroutine at the begin */
    uint32_t cause_stack; /* of who caused it, then */
    uint32_t reason;      /* text */
    uint32_t refs;
    uint8_t kind; /* weft_path_kind */
    bool sure;    /* began within the trace */
};

struct history_goroutine {
    uint64_t id;
    uint32_t name; /* text; 0 until a stack was seen */
    uint32_t head; /* interval */
    uint32_t intervals, on_proc;
    uint32_t lease; /* text: why its lease was revoked, told but not yet done; or 0 */
    uint32_t next_free;
    bool live;
};

struct history_proc {
    uint32_t syscall; /* goroutine in a system call which keeps it */
    uint64_t last;    /* id of who left it last */
    int64_t left;
};

struct analysis_history {
    struct analysis_intern intern;
    struct reader_map goroutine_of;
    struct analysis_ids proc_of;
    READER_VEC(struct history_goroutine) goroutines;
    READER_VEC(struct history_interval) intervals;
    READER_VEC(struct history_proc) procs;
    uint32_t free_interval, free_goroutine;
    uint32_t lease; /* the text: category of logs that tell of a revoked lease */
    int64_t sync;
    int64_t horizon; /* nobody will look further back */
    bool recording;
};

/* Returns false when memory is exhausted; fini is needed then too. */
bool analysis_history_init(struct analysis_history *history, const weft_reader *reader);
void analysis_history_fini(struct analysis_history *history);

/* 0 or -ENOMEM. */
int analysis_history_event(struct analysis_history *history, const weft_event *event);

/* The open interval of a goroutine, or READER_ABSENT. */
uint32_t analysis_history_head(const struct analysis_history *history, uint64_t goroutine);

/* Frees all but the intern. */
void analysis_history_forget(struct analysis_history *history);

#endif
