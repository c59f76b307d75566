/* SPDX-License-Identifier: MIT */
/*
 * The critical path, backwards through the history.
 *
 * Design: a walker stands in an interval of one goroutine, at a time (high) down to which all is
 * told, and goes down to the time at which it is to stop (low). From an interval it goes to the one
 * before. From a blocked one that somebody released it goes to the interval of the releaser, to
 * stop where the wait began; then it goes on before the wait. The waits that it is within are a
 * stack.
 *
 * Invariants
 *  1. high never rises, and whenever it falls a step tells of the time in between: the steps cover
 *     begin to end once.
 *  2. A goroutine that the walk has left for its releaser is blocked all that time, so it releases
 *     nobody: the stack holds each goroutine once at most, and the walk ends.
 *
 * Corners
 *  - What a releaser did before the wait began is not on the path: had it been quicker, the wait
 * would have been shorter, but no more than the wait was long.
 *  - An interval from before the recording has no `before`; it began before low, so that the walk
 *    stops there. Only a goroutine of which the trace told late leaves unknown time.
 */
#include <errno.h>

#include "reader/analysis_path.h"

struct walker {
    struct weft_path *path;
    uint32_t at, after; /* interval; the next of its goroutine, if the walk came from there */
    uint32_t stack;     /* of the goroutine where the interval ended */
    int64_t low, high;
    uint64_t goroutine; /* the last one seen */
};

static const struct history_interval *interval(const struct walker *walker, uint32_t index)
{
    return index == READER_ABSENT ? NULL : &walker->path->history.intervals.at[index];
}

/* -------- steps -------- */

static uint64_t owner_of(const struct walker *walker, uint32_t index)
{
    const struct analysis_history *history = &walker->path->history;
    return index == READER_ABSENT ? WEFT_ID_NONE
                                  : history->goroutines.at[history->intervals.at[index].owner].id;
}

/* Where the goroutine was: when it ended to run; else at the begin, or before where it went on. */
static uint32_t stack_of(const struct walker *walker, const struct history_interval *of)
{
    if (of->kind == WEFT_PATH_RUNNING)
        return walker->stack;
    const struct history_interval *before = interval(walker, of->before);
    return of->stack || !before ? of->stack : before->stack;
}

/* What an interval says of itself; the rest depends on how it ended. */
static weft_path_step step_of(const struct walker *walker, const struct history_interval *of)
{
    const struct analysis_history *history = &walker->path->history;
    const struct history_goroutine *g = &history->goroutines.at[of->owner];
    return (weft_path_step){
        .goroutine = g->id,
        .name = analysis_intern_get(&history->intern, g->name),
        .reason = analysis_intern_get(&history->intern, of->reason),
        .p = of->p,
        .m = of->m,
        .by = WEFT_ID_NONE,
        .stack = stack_of(walker, of),
        .kind = of->kind,
    };
}

static int put(struct walker *walker, weft_path_step step, int64_t begin, int64_t end)
{
    weft_path_step *slot = READER_PUSH(&walker->path->steps);
    if (!slot)
        return -ENOMEM;
    *slot = step;
    slot->begin = begin;
    slot->end = end;
    slot->depth = walker->path->waits.count;
    return 0;
}

static bool is_birth(const struct history_interval *of)
{
    return of->before == READER_ABSENT && of->cause != READER_ABSENT;
}

/* The interval in which the walker stands, down to a time. */
static int put_interval(struct walker *walker, int64_t begin)
{
    const struct history_interval *of = interval(walker, walker->at);
    const struct history_interval *after = interval(walker, walker->after);
    weft_path_step step = step_of(walker, of);
    if (of->kind == WEFT_PATH_RUNNABLE && after) {
        step.p = after->p;
        step.m = after->m;
        step.by = after->holder;
    }
    if (is_birth(of) && of->begin >= walker->low) {
        step.created = 1;
        step.by = owner_of(walker, of->cause);
        step.by_stack = of->cause_stack;
    }
    return put(walker, step, begin, walker->high);
}

static int put_unknown(struct walker *walker)
{
    weft_path_step step = {.goroutine = walker->goroutine,
                           .name = {"", 0},
                           .reason = {"", 0},
                           .p = WEFT_ID_NONE,
                           .m = WEFT_ID_NONE,
                           .by = WEFT_ID_NONE,
                           .kind = WEFT_PATH_UNKNOWN};
    int64_t high = walker->high;
    walker->high = walker->low;
    return high == walker->low ? 0 : put(walker, step, walker->low, high);
}

/* -------- the walk -------- */

/* Goes from an interval to what was before it: of the same goroutine, or of who created that. */
static void step_back(struct walker *walker, uint32_t index)
{
    const struct history_interval *from = interval(walker, index);
    bool birth = is_birth(from);
    walker->goroutine = owner_of(walker, index);
    walker->stack = birth ? from->cause_stack : from->stack;
    walker->after = birth ? READER_ABSENT : index;
    walker->at = birth ? from->cause : from->before;
}

/* Goes to who released the interval. */
static int enter_wait(struct walker *walker, int64_t begin)
{
    struct path_wait *wait = READER_PUSH(&walker->path->waits);
    if (!wait)
        return -ENOMEM;
    *wait = (struct path_wait){walker->at, walker->after, walker->low, walker->high};
    const struct history_interval *released = interval(walker, walker->after);
    walker->low = begin;
    walker->at = released->cause;
    walker->after = READER_ABSENT;
    walker->stack = released->cause_stack;
    return 0;
}

/* The innermost wait is told: goes on before it. */
static int leave_wait(struct walker *walker)
{
    struct weft_path *path = walker->path;
    struct path_wait wait = path->waits.at[--path->waits.count];
    const struct history_interval *blocked = interval(walker, wait.blocked);
    weft_path_step step = step_of(walker, blocked);
    step.kind = WEFT_PATH_WAIT;
    step.by = owner_of(walker, interval(walker, wait.released)->cause);
    step.by_stack = interval(walker, wait.released)->cause_stack;
    step_back(walker, wait.blocked);
    walker->low = wait.low;
    return put(walker, step, walker->high, wait.high);
}

/* Tells of the interval, or goes to its releaser; then the walker stands before it. */
static int go_back(struct walker *walker)
{
    const struct history_interval *at = interval(walker, walker->at);
    const struct history_interval *after = interval(walker, walker->after);
    int64_t begin = at->begin > walker->low ? at->begin : walker->low;
    if (at->kind == WEFT_PATH_BLOCKED && after && after->cause != READER_ABSENT)
        return enter_wait(walker, begin);
    int status = begin < walker->high ? put_interval(walker, begin) : 0;
    walker->high = begin;
    step_back(walker, walker->at);
    return status;
}

static void reverse(weft_path_step *steps, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        weft_path_step step = steps[i];
        steps[i] = steps[count - 1 - i];
        steps[count - 1 - i] = step;
    }
}

int analysis_path_walk(struct weft_path *path, uint32_t from, uint32_t stack, int64_t begin,
                       int64_t end)
{
    struct walker walker = {path, from, READER_ABSENT, stack, begin, end, WEFT_ID_NONE};
    uint32_t first = path->steps.count;
    int status = 0;
    while (!status && (walker.high > walker.low || path->waits.count)) {
        if (walker.high <= walker.low)
            status = leave_wait(&walker);
        else if (walker.at == READER_ABSENT)
            status = put_unknown(&walker);
        else
            status = go_back(&walker);
    }
    if (path->steps.count > first)
        reverse(path->steps.at + first, path->steps.count - first);
    return status;
}
