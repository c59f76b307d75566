/* SPDX-License-Identifier: MIT */
#ifndef WEFT_DIFF_H
#define WEFT_DIFF_H

/*
 * Two runs compared: what goroutines of a group (those with one entry function) spent more or less
 * time on in the second than in the first. Runs need not be equally long: the second is held
 * against what its goroutines would have spent, had each spent as much as one of the first.
 *
 *     weft_diff *diff;
 *     int status = weft_diff_new(&diff);
 *     … for either side s a weft_summary, which tells weft_diff_goroutine(diff, s, goroutine) …
 *     if (status == 0 && weft_diff_finish(diff) == 0)
 *         use(weft_diff_rows(diff, &count));
 *     weft_diff_free(diff);
 *
 * Memory grows with groups and their causes: some 15 KB for each pair.
 *
 * Threads: an object belongs to one thread at a time. Functions that return int give 0 or -ENOMEM;
 * after -ENOMEM an object may only be freed. Times are in nanoseconds; texts are valid until the
 * object is freed.
 */

#include <weft/analysis.h>

WEFT_BEGIN_DECLS

/* One cause of a group, in one of the runs. */
typedef struct weft_diff_side {
    uint64_t goroutines; /* of the group */
    uint64_t with;       /* of them, those that spent any time on it */
    uint64_t count;      /* stays */
    int64_t time;        /* sum */
    int64_t p50, p99;    /* of what each of these spent on it in all */
} weft_diff_side;

typedef struct weft_diff_row {
    weft_text group;
    weft_spent spent;       /* SYSCALL stands for both sorts */
    weft_text reason;       /* of BLOCKED */
    weft_diff_side side[2]; /* first and second run */
    /*
     * Time that the second run's goroutines spent beyond what as many of the first run's would
     * have; negative if less. Of a group that is in one run only: all of its time.
     */
    int64_t effect;
} weft_diff_row;

typedef struct weft_diff weft_diff;

/* A comparison of two runs of which nothing is known yet. */
WEFT_API WEFT_MUST_USE int weft_diff_new(weft_diff **diff);

/* A goroutine of the first run (side 0) or the second (1); for a weft_goroutine_fn. */
WEFT_API WEFT_MUST_USE int weft_diff_goroutine(weft_diff *diff, unsigned side,
                                               const weft_goroutine_stats *goroutine);

/* After both runs, once, before asking for rows. */
WEFT_API WEFT_MUST_USE int weft_diff_finish(weft_diff *diff);

/* The largest effect first: what became slower stands at the begin, what became faster at the end.
 */
WEFT_API const weft_diff_row *weft_diff_rows(const weft_diff *diff, size_t *count);

/* NULL accepted. */
WEFT_API void weft_diff_free(weft_diff *diff);

WEFT_END_DECLS

#endif
