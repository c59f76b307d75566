/* SPDX-License-Identifier: MIT */
/* Where a critical path begins and ends, and what it is asked for. analysis_path_walk.c finds it.
 */
#include <errno.h>

#include "reader/analysis_path.h"

int weft_path_new(weft_path **out, const weft_reader *reader)
{
    weft_path *path = *out = calloc(1, sizeof *path);
    if (!path)
        return -ENOMEM;
    path->extent.goroutine = WEFT_ID_NONE;
    path->extent.task = (weft_text){"", 0};
    if (analysis_history_init(&path->history, reader))
        return 0;
    weft_path_free(path);
    *out = NULL;
    return -ENOMEM;
}

void weft_path_of_task(weft_path *path, uint64_t task)
{
    path->is_task = true;
    path->id = task;
}

void weft_path_of_goroutine(weft_path *path, uint64_t goroutine, int64_t from, int64_t to)
{
    path->is_task = false;
    path->id = goroutine;
    path->extent.goroutine = goroutine;
    path->from = from;
    path->to = to;
}

/* -------- begin and end -------- */

static void begin(weft_path *path, int64_t time)
{
    path->phase = PATH_WITHIN;
    path->extent.begin = path->told = path->history.horizon = time;
    path->history.recording = true;
}

/* Tells what led to the open interval of a goroutine since it was last told; stack is that of the
 * goroutine now. */
static int tell(weft_path *path, uint64_t goroutine, uint32_t stack, int64_t time)
{
    uint32_t head = analysis_history_head(&path->history, goroutine);
    int status = stack == READER_ABSENT ? -ENOMEM : 0;
    if (!status && head != READER_ABSENT)
        status = analysis_path_walk(path, head, stack, path->told, time);
    path->told = path->history.horizon = time;
    return status;
}

/* The path ends at a time with a goroutine, whose stack is then that: frees all but the steps. */
static int end(weft_path *path, uint64_t goroutine, uint32_t stack, int64_t time)
{
    path->phase = PATH_DONE;
    path->extent.goroutine = goroutine;
    path->extent.end = time > path->told ? time : path->told;
    int status = tell(path, goroutine, stack, path->extent.end);
    if (!status)
        status = analysis_path_sum(path);
    analysis_history_forget(&path->history);
    READER_VEC_FINI(&path->waits);
    return status;
}

/* -------- events -------- */

static int task_event(weft_path *path, const weft_event *event)
{
    bool mine = event->id == path->id;
    if (path->phase == PATH_BEFORE && event->kind == WEFT_EVENT_TASK_BEGIN && mine) {
        uint32_t type = analysis_intern_text(&path->history.intern, event->name);
        if (type == READER_ABSENT)
            return -ENOMEM;
        path->extent.task = analysis_intern_get(&path->history.intern, type);
        path->extent.goroutine = event->g;
        begin(path, event->time);
    } else if (path->phase == PATH_WITHIN && event->kind == WEFT_EVENT_TASK_END && mine) {
        path->extent.ended = 1;
        return end(path, event->g, analysis_intern_stack(&path->history.intern, event->stack),
                   event->time);
    }
    return 0;
}

static bool is_transition(const weft_path *path, const weft_event *event)
{
    return event->kind == WEFT_EVENT_STATE_TRANSITION && event->from != event->to &&
           event->resource == WEFT_RESOURCE_GOROUTINE && event->id == path->id;
}

/* The time since the first event. */
static int64_t since(const weft_path *path, int64_t time)
{
    int64_t span;
    return __builtin_sub_overflow(time, path->extent.origin, &span) ? INT64_MAX : span;
}

static int goroutine_event(weft_path *path, const weft_event *event)
{
    bool own = is_transition(path, event);
    if (path->phase == PATH_BEFORE && own && path->from < 0 && event->to != WEFT_STATE_NOT_EXIST)
        begin(path, event->from == WEFT_STATE_UNDETERMINED ? path->history.sync : event->time);
    else if (path->phase == PATH_BEFORE && path->from >= 0 &&
             since(path, event->time) >= path->from)
        begin(path, path->extent.origin + path->from);
    if (path->phase != PATH_WITHIN)
        return 0;
    if (path->from >= 0 && since(path, event->time) > path->to) {
        path->extent.ended = 1;
        return end(path, path->id, 0, path->extent.origin + path->to);
    }
    if (!own || event->to != WEFT_STATE_NOT_EXIST)
        return 0;
    path->extent.ended = 1;
    uint32_t stack = analysis_intern_stack(&path->history.intern, event->resource_stack);
    return end(path, path->id, stack, event->time);
}

/*
 * The end of a path is seen before the history hears of the event, a goroutine's begin as well: its
 * first interval is recorded then. The path of a goroutine is told whenever that changes its state,
 * so that no history is kept but during its waits.
 */
int weft_path_event(weft_path *path, const weft_event *event)
{
    if (path->phase == PATH_DONE)
        return 0;
    if (!path->started) {
        path->started = true;
        path->extent.origin = event->time;
    }
    path->last = event->time;
    int status = path->is_task ? task_event(path, event) : goroutine_event(path, event);
    if (status || path->phase == PATH_DONE)
        return status;
    status = analysis_history_event(&path->history, event);
    if (status || path->is_task || path->phase != PATH_WITHIN || !is_transition(path, event))
        return status;
    uint32_t head = analysis_history_head(&path->history, path->id);
    return tell(path, path->id, 0, path->history.intervals.at[head].begin);
}

int weft_path_finish(weft_path *path)
{
    if (path->phase == PATH_WITHIN) {
        int status = end(path, path->extent.goroutine, 0, path->last);
        if (status)
            return status;
    }
    return path->phase == PATH_DONE && path->steps.count ? 0 : -ENOENT;
}

/* -------- results -------- */

const char *weft_path_kind_name(unsigned kind)
{
    static const char *const names[] = {"running",         "runnable", "blocked", "syscall",
                                        "syscall-blocked", "revoked",  "unknown", "wait"};
    return kind < WEFT_PATH_KIND_LIMIT ? names[kind] : "";
}

void weft_path_extent_get(const weft_path *path, weft_path_extent *extent)
{
    *extent = path->extent;
}

const weft_path_step *weft_path_steps(const weft_path *path, size_t *count)
{
    *count = path->steps.count;
    return path->steps.at;
}

const weft_path_sum *weft_path_causes(const weft_path *path, size_t *count)
{
    *count = path->causes.count;
    return path->causes.at;
}

const weft_path_sum *weft_path_functions(const weft_path *path, size_t *count)
{
    *count = path->functions.count;
    return path->functions.at;
}

size_t weft_path_depth(const weft_path *path, uint32_t stack)
{
    return analysis_intern_depth(&path->history.intern, stack);
}

int weft_path_place(const weft_path *path, uint32_t stack, size_t index, weft_place *place)
{
    return analysis_intern_place(&path->history.intern, stack, index, place);
}

void weft_path_free(weft_path *path)
{
    if (!path)
        return;
    analysis_history_fini(&path->history);
    READER_VEC_FINI(&path->waits);
    READER_VEC_FINI(&path->steps);
    READER_VEC_FINI(&path->causes);
    READER_VEC_FINI(&path->functions);
    free(path);
}
