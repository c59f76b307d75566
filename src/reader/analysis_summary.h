/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_ANALYSIS_SUMMARY_H
#define WEFT_READER_ANALYSIS_SUMMARY_H

/*
 * State of weft_summary: what ordering.md 11 derives from public events.
 *
 * Design: a record for each live goroutine and each proc. A transition closes the interval since
 * the last one and adds it to one of five sums. When a goroutine ends its record is added to that
 * of its group and reused, so that memory does not grow with the goroutines that ever were. Times
 * by name (reasons, ranges) are lists of small nodes in one array, because nearly all goroutines
 * have one or two.
 *
 * Invariants
 *  1. A goroutine's five sums plus the open interval are the time since its creation.
 *  2. A node belongs to one list. Lists are named by the index of their first node.
 *  3. p->syscall is the index of a live goroutine in state SYSCALL whose on_proc is that p, or
 * absent.
 */

#include <weft/analysis.h>

#include "reader/analysis_ids.h"
#include "reader/analysis_intern.h"

/* Time by a name; an open range has its begin in time and its context goroutine in count. */
struct analysis_node {
    uint32_t name; /* text */
    uint32_t next; /* READER_ABSENT at the end */
    uint64_t count;
    int64_t time, max;
};

struct analysis_goroutine {
    uint64_t id, creator;
    int64_t created, started, since; /* since: begin of the open interval */
    weft_times times;
    uint32_t name;    /* text; 0 until a stack was seen */
    uint32_t blocked; /* lists */
    uint32_t ranges, open_ranges;
    uint32_t reason;  /* node of blocked, while in WEFT_SPENT_BLOCKED */
    uint32_t on_proc; /* index of a proc, while in WEFT_SPENT_SYSCALL */
    uint8_t spent;    /* of the open interval */
    bool seen_created, live;
    bool whole; /* the open interval began within the trace */
};

struct analysis_proc {
    uint64_t id;
    int64_t since, running;
    uint32_t syscall; /* index of a goroutine */
    uint32_t open_ranges;
    bool is_running;
};

struct analysis_group {
    uint32_t name;
    uint64_t goroutines;
    int64_t lifetime;
    weft_times times;
    uint32_t blocked, ranges;
};

struct weft_summary {
    struct analysis_intern intern;
    struct analysis_ids goroutine_of, proc_of, thread_of;
    READER_VEC(struct analysis_goroutine) goroutines;
    READER_VEC(struct analysis_proc) procs;
    READER_VEC(struct analysis_group) groups;
    READER_VEC(uint32_t) group_of; /* text → group + 1 */
    READER_VEC(struct analysis_node) nodes;
    uint32_t free_node;
    uint32_t forever; /* the text: blocking for that reason is the end of a goroutine */
    uint32_t blocked, ranges, open_ranges; /* of the whole trace */

    const weft_reader *reader;
    uint64_t live, last_m;
    int64_t sync;        /* time of the last SYNC */
    int64_t procs_since; /* begin of the interval with the current number of procs */
    bool finished;
    weft_totals totals;
    weft_histogram latency;

    weft_goroutine_fn each;
    void *each_context;
    /* What was handed out last: shares of one record. */
    READER_VEC(weft_share) shown_blocked;
    READER_VEC(weft_share) shown_ranges;
    READER_VEC(weft_share) shown_total_blocked;
    READER_VEC(weft_share) shown_total_ranges;
};

/* From one time to a later one. Times of a damaged trace may wrap. */
static inline int64_t analysis_span(int64_t from, int64_t to)
{
    uint64_t span = (uint64_t)to - (uint64_t)from;
    return to <= from ? 0 : span > INT64_MAX ? INT64_MAX : (int64_t)span;
}

static inline void analysis_add(int64_t *sum, int64_t time)
{
    if (__builtin_expect(__builtin_add_overflow(*sum, time, sum), 0))
        *sum = INT64_MAX;
}

static inline void analysis_raise(int64_t *max, int64_t time)
{
    *max = time > *max ? time : *max;
}

/* -------- lists of nodes (analysis_shares.c) -------- */

/* The node of a name, made if it is new; READER_ABSENT when memory is exhausted. */
uint32_t analysis_node_get(struct weft_summary *summary, uint32_t *list, uint32_t name);
/* Puts a new node in front, whether there is one of that name or not. */
uint32_t analysis_node_push(struct weft_summary *summary, uint32_t *list, uint32_t name);
void analysis_node_add(struct weft_summary *summary, uint32_t node, int64_t time);
/* Takes a node out of its list and frees it. */
void analysis_node_remove(struct weft_summary *summary, uint32_t *list, uint32_t node);
/* Adds all of *from to *to and empties it. False when memory is exhausted. */
bool analysis_list_merge(struct weft_summary *summary, uint32_t *to, uint32_t *from);

/* A list as an array, largest time first; the array is one of summary->shown_…. */
#define ANALYSIS_SHOW(summary, list, vec)                                                          \
    ({                                                                                             \
        bool shown_ok_ = true;                                                                     \
        (vec)->count = 0;                                                                          \
        for (uint32_t show_i_ = (list); show_i_ != READER_ABSENT && shown_ok_;                     \
             show_i_ = (summary)->nodes.at[show_i_].next) {                                        \
            const struct analysis_node *show_node_ = &(summary)->nodes.at[show_i_];                \
            weft_share *show_slot_ = READER_PUSH(vec);                                             \
            if (show_slot_)                                                                        \
                *show_slot_ =                                                                      \
                    (weft_share){analysis_intern_get(&(summary)->intern, show_node_->name),        \
                                 show_node_->count, show_node_->time, show_node_->max};            \
            shown_ok_ = show_slot_ != NULL;                                                        \
        }                                                                                          \
        analysis_shares_sort((vec)->at, (vec)->count);                                             \
        (weft_shares){(vec)->at, (vec)->count};                                                    \
    })

void analysis_shares_sort(weft_share *shares, size_t count);

/* -------- ranges (analysis_ranges.c) -------- */

int analysis_range_event(struct weft_summary *summary, const weft_event *event);
/* Ends all ranges of a list, at a time; credit is the goroutine whose they are, or NULL. */
int analysis_ranges_close(struct weft_summary *summary, uint32_t *open,
                          struct analysis_goroutine *credit, int64_t time);

/* -------- goroutines and procs (analysis_states.c) -------- */

int analysis_goroutine_event(struct weft_summary *summary, const weft_event *event);
int analysis_proc_event(struct weft_summary *summary, const weft_event *event);
/* Ends a goroutine: tells of it, and adds it to its group. */
int analysis_goroutine_end(struct weft_summary *summary, uint32_t index, int64_t time, bool seen);
/* What a live goroutine has spent up to a time; all 0 for one that is not known. */
void analysis_goroutine_spent(struct weft_summary *summary, uint64_t id, int64_t time,
                              int64_t spent[WEFT_SPENT_LIMIT]);
/* Does a goroutine end with this transition? */
bool analysis_goroutine_ends(struct weft_summary *summary, const weft_event *event);
void analysis_proc_close(struct analysis_proc *proc, int64_t time);

/* -------- groups (analysis_groups.c) -------- */

int analysis_group_add(struct weft_summary *summary, struct analysis_goroutine *g, int64_t time);
bool analysis_name_is_system(weft_text name);

#endif
