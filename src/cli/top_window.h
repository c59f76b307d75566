/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_TOP_WINDOW_H
#define WEFT_CLI_TOP_WINDOW_H

/*
 * What happened in one window of a trace's time: where the time of goroutines went, by entry
 * function; how busy procs were; how long goroutines waited for one.
 */

#include <weft/timeline.h>

struct top_group {
    uint32_t name; /* text of the timeline */
    uint64_t live; /* at the end of the window */
    int64_t time[WEFT_SPENT_LIMIT];
    uint64_t now[WEFT_SPENT_LIMIT]; /* goroutines in each state at the end */
};

struct top_proc {
    uint64_t id;
    int64_t busy;
};

struct top_window {
    const weft_timeline *timeline;
    int64_t begin, end;
    uint64_t events;
    struct top_group *groups;
    size_t group_count, group_room;
    uint32_t *group_of; /* text → group + 1 */
    size_t group_of_room;
    struct top_proc *procs;
    size_t proc_count, proc_room;
    weft_histogram latency;
};

/* Begins a window; groups and procs are remembered, their times are not. */
void top_window_begin(struct top_window *window, int64_t begin, int64_t end);
void top_window_fini(struct top_window *window);

/* weft_stay_fn for stays that end, and for those under way at the window's end. */
int top_window_end_stay(void *context, const weft_stay *stay);
int top_window_open_stay(void *context, const weft_stay *stay);

/* Puts the busiest groups first, and procs in order. */
void top_window_sort(struct top_window *window);

#endif
