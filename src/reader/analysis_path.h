/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_ANALYSIS_PATH_H
#define WEFT_READER_ANALYSIS_PATH_H

/* State of weft_path: the history up to now, what the path is of, and the steps once it has ended.
 */

#include "reader/analysis_history.h"

/* A wait whose releaser is being followed. */
struct path_wait {
    uint32_t blocked, released; /* intervals */
    int64_t low, high;          /* low: where the path ends on this level; high: of the wait */
};

enum path_phase { PATH_BEFORE, PATH_WITHIN, PATH_DONE };

struct weft_path {
    struct analysis_history history;
    weft_path_extent extent;
    enum path_phase phase;
    bool is_task, started;
    uint64_t id;      /* of the task or goroutine */
    int64_t from, to; /* of a goroutine, since the first event */
    int64_t told;     /* time up to which there are steps */
    int64_t last;     /* time of the last event */
    READER_VEC(struct path_wait) waits;
    READER_VEC(weft_path_step) steps;
    READER_VEC(weft_path_sum) causes;
    READER_VEC(weft_path_sum) functions;
};

/*
 * Follows the path back from an interval which is open at the time end to the time begin; stack is
 * that of its goroutine at the end. Adds the steps in order of time. 0 or -ENOMEM.
 */
int analysis_path_walk(struct weft_path *path, uint32_t from, uint32_t stack, int64_t begin,
                       int64_t end);

/* Sums up the steps. 0 or -ENOMEM. */
int analysis_path_sum(struct weft_path *path);

#endif
