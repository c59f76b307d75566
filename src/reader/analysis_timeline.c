/* SPDX-License-Identifier: MIT */
/* Stays of goroutines in states. The definitions are those of weft_summary: ordering.md 11. */
#include "reader/analysis_timeline.h"

#include <errno.h>

/* -------- stays -------- */

static int tell(weft_stay_fn function, void *context, const weft_stay *stay)
{
    return function ? function(context, stay) : 0;
}

static int end_stay(struct analysis_timeline *timeline, weft_stay *stay, int64_t time, uint64_t by)
{
    stay->end = time < stay->begin ? stay->begin : time;
    stay->by = by;
    stay->end_seen = true;
    return tell(timeline->end, timeline->context, stay);
}

static int begin_stay(struct analysis_timeline *timeline, weft_stay *stay, int64_t time)
{
    stay->begin = stay->end = time;
    stay->by = WEFT_ID_NONE;
    stay->end_seen = false;
    return tell(timeline->begin, timeline->context, stay);
}

static void leave_syscall(struct analysis_timeline *timeline, struct timeline_goroutine *g)
{
    if (g->on_proc != READER_ABSENT)
        timeline->syscall_of.at[g->on_proc] = READER_ABSENT;
    g->on_proc = READER_ABSENT;
}

static void enter_syscall(struct analysis_timeline *timeline, uint32_t index, uint64_t p)
{
    struct timeline_goroutine *g = &timeline->goroutines.at[index];
    g->on_proc = p == WEFT_ID_NONE ? READER_ABSENT : analysis_ids_find(&timeline->proc_of, p);
    if (g->on_proc == READER_ABSENT)
        return;
    uint32_t *slot = &timeline->syscall_of.at[g->on_proc];
    if (*slot != READER_ABSENT)
        timeline->goroutines.at[*slot].on_proc = READER_ABSENT;
    *slot = index;
}

static uint8_t spent_of(uint8_t state)
{
    switch (state) {
    case WEFT_STATE_RUNNING:
        return WEFT_SPENT_RUNNING;
    case WEFT_STATE_RUNNABLE:
        return WEFT_SPENT_RUNNABLE;
    case WEFT_STATE_SYSCALL:
        return WEFT_SPENT_SYSCALL;
    default:
        return WEFT_SPENT_BLOCKED;
    }
}

/* Fills in the stay that an event begins. False when memory is exhausted. */
static bool describe(struct analysis_timeline *timeline, uint32_t index, const weft_event *event)
{
    struct timeline_goroutine *g = &timeline->goroutines.at[index];
    bool executes = event->to == WEFT_STATE_RUNNING || event->to == WEFT_STATE_SYSCALL;
    g->stay.spent = spent_of(event->to);
    g->stay.m = executes ? event->m : WEFT_ID_NONE;
    g->stay.p = executes ? event->p : WEFT_ID_NONE;
    g->stay.reason = analysis_intern_text(timeline->intern, event->name);
    g->stay.stack = analysis_intern_stack(timeline->intern, event->resource_stack);
    if (g->stay.name == 0 && event->resource_stack)
        g->stay.name = analysis_intern_entry(timeline->intern, event->resource_stack);
    if (event->to == WEFT_STATE_SYSCALL)
        enter_syscall(timeline, index, event->p);
    return g->stay.reason != READER_ABSENT && g->stay.stack != READER_ABSENT &&
           g->stay.name != READER_ABSENT;
}

/* -------- goroutines -------- */

static uint32_t goroutine_new(struct analysis_timeline *timeline, const weft_event *event)
{
    uint32_t index = analysis_ids_add(&timeline->goroutine_of, event->id);
    if (index == READER_ABSENT)
        return index;
    if (index == timeline->goroutines.count && !READER_PUSH(&timeline->goroutines))
        return READER_ABSENT;
    timeline->goroutines.at[index] =
        (struct timeline_goroutine){.stay = {.g = event->id}, .on_proc = READER_ABSENT};
    return index;
}

/*
 * The first event of a goroutine. If it was there before the trace, the time since the beginning is
 * credited to the state that is told; a system call without a proc counts as blocked up to now.
 */
static int first_event(struct analysis_timeline *timeline, const weft_event *event)
{
    uint32_t index = goroutine_new(timeline, event);
    if (index == READER_ABSENT || !describe(timeline, index, event))
        return -ENOMEM;
    struct timeline_goroutine *g = &timeline->goroutines.at[index];
    g->live = true;
    g->stay.begin_seen = event->from == WEFT_STATE_NOT_EXIST;
    if (event->from != WEFT_STATE_UNDETERMINED)
        return begin_stay(timeline, &g->stay, event->time);
    if (event->to != WEFT_STATE_SYSCALL || event->p != WEFT_ID_NONE)
        return begin_stay(timeline, &g->stay, timeline->sync);
    g->stay.spent = WEFT_SPENT_SYSCALL_BLOCKED;
    int status = begin_stay(timeline, &g->stay, timeline->sync);
    if (!status)
        status = end_stay(timeline, &g->stay, event->time, WEFT_ID_NONE);
    g->stay.spent = WEFT_SPENT_SYSCALL;
    return status ? status : begin_stay(timeline, &g->stay, event->time);
}

static int goroutine_end(struct analysis_timeline *timeline, uint32_t index)
{
    struct timeline_goroutine *g = &timeline->goroutines.at[index];
    leave_syscall(timeline, g);
    g->live = false;
    return analysis_ids_remove(&timeline->goroutine_of, g->stay.g) ? 0 : -ENOMEM;
}

static bool is_end(struct analysis_timeline *timeline, const weft_event *event)
{
    return event->to == WEFT_STATE_NOT_EXIST ||
           (event->to == WEFT_STATE_WAITING &&
            analysis_intern_text(timeline->intern, event->name) == timeline->forever);
}

static int goroutine_event(struct analysis_timeline *timeline, const weft_event *event)
{
    uint32_t index = analysis_ids_find(&timeline->goroutine_of, event->id);
    if (index == READER_ABSENT)
        return event->to == WEFT_STATE_NOT_EXIST ? 0 : first_event(timeline, event);
    struct timeline_goroutine *g = &timeline->goroutines.at[index];
    bool woken = event->from == WEFT_STATE_WAITING && event->g != event->id;
    int status = end_stay(timeline, &g->stay, event->time, woken ? event->g : WEFT_ID_NONE);
    if (status)
        return status;
    if (is_end(timeline, event))
        return goroutine_end(timeline, index);
    leave_syscall(timeline, g);
    if (!describe(timeline, index, event))
        return -ENOMEM;
    g->stay.begin_seen = true;
    return begin_stay(timeline, &g->stay, event->time);
}

/* -------- procs -------- */

static int proc_event(struct analysis_timeline *timeline, const weft_event *event)
{
    uint32_t index = analysis_ids_find(&timeline->proc_of, event->id);
    if (index == READER_ABSENT) {
        index = analysis_ids_add(&timeline->proc_of, event->id);
        uint32_t *slot = index == READER_ABSENT ? NULL : READER_PUSH(&timeline->syscall_of);
        if (!slot)
            return -ENOMEM;
        *slot = READER_ABSENT;
        return 0;
    }
    uint32_t in_syscall = timeline->syscall_of.at[index];
    if (event->to != WEFT_STATE_IDLE || event->from == WEFT_STATE_IDLE ||
        in_syscall == READER_ABSENT)
        return 0;
    struct timeline_goroutine *g = &timeline->goroutines.at[in_syscall];
    int status = end_stay(timeline, &g->stay, event->time, WEFT_ID_NONE);
    leave_syscall(timeline, g);
    g->stay.spent = WEFT_SPENT_SYSCALL_BLOCKED;
    g->stay.p = WEFT_ID_NONE;
    g->stay.begin_seen = true;
    return status ? status : begin_stay(timeline, &g->stay, event->time);
}

/* -------- the machine -------- */

bool analysis_timeline_init(struct analysis_timeline *timeline, struct analysis_intern *intern,
                            weft_stay_fn begin, weft_stay_fn end, void *context)
{
    timeline->intern = intern;
    timeline->begin = begin;
    timeline->end = end;
    timeline->context = context;
    analysis_ids_init(&timeline->goroutine_of);
    analysis_ids_init(&timeline->proc_of);
    timeline->forever = reader_pool_add(&intern->texts, "forever", 7);
    return timeline->forever != READER_ABSENT;
}

int analysis_timeline_event(struct analysis_timeline *timeline, const weft_event *event)
{
    timeline->last = event->time;
    if (event->kind == WEFT_EVENT_SYNC)
        timeline->sync = event->time;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION)
        return 0;
    if (event->resource == WEFT_RESOURCE_PROC)
        return proc_event(timeline, event);
    return event->from == event->to ? 0 : goroutine_event(timeline, event);
}

/* Tells of all stays under way, as they are now. */
static int each_open(struct analysis_timeline *timeline, weft_stay_fn function, void *context)
{
    int status = 0;
    for (uint32_t i = 0; i < timeline->goroutines.count && !status; i++) {
        weft_stay stay = timeline->goroutines.at[i].stay;
        stay.end = timeline->last < stay.begin ? stay.begin : timeline->last;
        if (timeline->goroutines.at[i].live)
            status = tell(function, context, &stay);
    }
    return status;
}

int analysis_timeline_finish(struct analysis_timeline *timeline)
{
    int status = each_open(timeline, timeline->end, timeline->context);
    for (uint32_t i = 0; i < timeline->goroutines.count; i++)
        timeline->goroutines.at[i].live = false;
    return status;
}

void analysis_timeline_fini(struct analysis_timeline *timeline)
{
    analysis_ids_fini(&timeline->goroutine_of);
    analysis_ids_fini(&timeline->proc_of);
    READER_VEC_FINI(&timeline->goroutines);
    READER_VEC_FINI(&timeline->syscall_of);
}

/* -------- with an intern table of its own -------- */

struct weft_timeline {
    struct analysis_intern intern;
    struct analysis_timeline machine;
};

int weft_timeline_new(weft_timeline **out, const weft_reader *reader, weft_stay_fn begin,
                      weft_stay_fn end, void *context)
{
    weft_timeline *timeline = *out = calloc(1, sizeof *timeline);
    if (!timeline)
        return -ENOMEM;
    if (analysis_intern_init(&timeline->intern, reader) &&
        analysis_timeline_init(&timeline->machine, &timeline->intern, begin, end, context))
        return 0;
    weft_timeline_free(timeline);
    *out = NULL;
    return -ENOMEM;
}

int weft_timeline_event(weft_timeline *timeline, const weft_event *event)
{
    if (event->kind == WEFT_EVENT_SYNC)
        analysis_intern_forget(&timeline->intern);
    return analysis_timeline_event(&timeline->machine, event);
}

int weft_timeline_finish(weft_timeline *timeline)
{
    return analysis_timeline_finish(&timeline->machine);
}

int weft_timeline_open(weft_timeline *timeline, weft_stay_fn each, void *context)
{
    return each_open(&timeline->machine, each, context);
}

weft_text weft_timeline_text(const weft_timeline *timeline, uint32_t text)
{
    return analysis_intern_get(&timeline->intern, text);
}

size_t weft_timeline_depth(const weft_timeline *timeline, uint32_t stack)
{
    return analysis_intern_depth(&timeline->intern, stack);
}

int weft_timeline_place(const weft_timeline *timeline, uint32_t stack, size_t index,
                        weft_place *place)
{
    return analysis_intern_place(&timeline->intern, stack, index, place);
}

void weft_timeline_free(weft_timeline *timeline)
{
    if (!timeline)
        return;
    analysis_timeline_fini(&timeline->machine);
    analysis_intern_fini(&timeline->intern);
    free(timeline);
}
