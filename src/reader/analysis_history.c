/* SPDX-License-Identifier: MIT */
#include "reader/analysis_history.h"

#include <errno.h>

_Static_assert(sizeof(struct history_interval) == 64, "as critical_path.h says");

/* -------- references -------- */

static void free_interval(struct analysis_history *history, uint32_t index)
{
    struct history_interval *interval = &history->intervals.at[index];
    struct history_goroutine *owner = &history->goroutines.at[interval->owner];
    if (--owner->intervals == 0 && !owner->live) {
        owner->next_free = history->free_goroutine;
        history->free_goroutine = interval->owner;
    }
    interval->before = history->free_interval;
    history->free_interval = index;
}

/*
 * Gives a reference back, and those of every interval that nobody refers to any more. Such with two
 * links wait in a list, so that long chains need no deep recursion.
 */
static void drop(struct analysis_history *history, uint32_t index)
{
    struct history_interval *at = history->intervals.at;
    uint32_t waiting = READER_ABSENT;
    for (;;) {
        if (index != READER_ABSENT && --at[index].refs == 0) {
            uint32_t before = at[index].before;
            if (at[index].cause == READER_ABSENT) {
                free_interval(history, index);
            } else {
                at[index].before = waiting;
                waiting = index;
            }
            index = before;
        } else if (waiting != READER_ABSENT) {
            uint32_t done = waiting;
            waiting = at[done].before;
            index = at[done].cause;
            free_interval(history, done);
        } else {
            return;
        }
    }
}

static uint32_t hold(struct analysis_history *history, uint32_t index)
{
    if (index != READER_ABSENT)
        history->intervals.at[index].refs++;
    return index;
}

/* -------- goroutines -------- */

static uint32_t goroutine_new(struct analysis_history *history, uint64_t id)
{
    uint32_t index = history->free_goroutine;
    if (index != READER_ABSENT)
        history->free_goroutine = history->goroutines.at[index].next_free;
    else if (READER_PUSH(&history->goroutines))
        index = history->goroutines.count - 1;
    if (index == READER_ABSENT || !reader_map_add(&history->goroutine_of, id, index))
        return READER_ABSENT;
    history->goroutines.at[index] = (struct history_goroutine){
        .id = id, .head = READER_ABSENT, .on_proc = READER_ABSENT, .live = true};
    return index;
}

uint32_t analysis_history_head(const struct analysis_history *history, uint64_t goroutine)
{
    uint32_t index = goroutine == WEFT_ID_NONE ? READER_ABSENT
                                               : reader_map_find(&history->goroutine_of, goroutine);
    return index == READER_ABSENT ? index : history->goroutines.at[index].head;
}

/* -------- procs -------- */

static uint32_t proc_get(struct analysis_history *history, uint64_t id)
{
    uint32_t index = analysis_ids_find(&history->proc_of, id);
    if (index != READER_ABSENT)
        return index;
    index = analysis_ids_add(&history->proc_of, id);
    struct history_proc *proc = index == READER_ABSENT ? NULL : READER_PUSH(&history->procs);
    if (!proc)
        return READER_ABSENT;
    *proc = (struct history_proc){READER_ABSENT, WEFT_ID_NONE, INT64_MIN};
    return index;
}

/* The goroutine runs no more, or not with the proc that it had. */
static void leave_proc(struct analysis_history *history, struct history_goroutine *g, int64_t time)
{
    if (g->on_proc == READER_ABSENT)
        return;
    struct history_proc *proc = &history->procs.at[g->on_proc];
    *proc = (struct history_proc){READER_ABSENT, g->id, time};
    g->on_proc = READER_ABSENT;
}

/* -------- intervals -------- */

static struct history_interval *interval_new(struct analysis_history *history, uint32_t *index)
{
    *index = history->free_interval;
    if (*index != READER_ABSENT) {
        history->free_interval = history->intervals.at[*index].before;
    } else {
        if (!READER_PUSH(&history->intervals))
            return NULL;
        *index = history->intervals.count - 1;
    }
    return &history->intervals.at[*index];
}

/* Forgets what led to an interval, if it began before the horizon. */
static void cut(struct analysis_history *history, uint32_t index)
{
    struct history_interval *interval = &history->intervals.at[index];
    if (interval->begin >= history->horizon)
        return;
    uint32_t before = interval->before, cause = interval->cause;
    interval->before = interval->cause = READER_ABSENT;
    drop(history, before);
    drop(history, cause);
}

/* Makes an interval the open one of its goroutine, which ends the one before. */
static int enter(struct analysis_history *history, uint32_t owner,
                 const struct history_interval *from)
{
    uint32_t index;
    struct history_interval *interval = interval_new(history, &index);
    if (!interval)
        return -ENOMEM;
    struct history_goroutine *g = &history->goroutines.at[owner];
    uint32_t before = g->head;
    *interval = *from;
    interval->owner = owner;
    interval->refs = 1;
    interval->before = history->recording ? before : READER_ABSENT;
    interval->cause = history->recording ? hold(history, interval->cause) : READER_ABSENT;
    g->intervals++;
    g->head = index;
    if (!history->recording)
        drop(history, before);
    else if (before != READER_ABSENT)
        cut(history, before);
    return 0;
}

/* Of a system call that was there before the trace, the proc was taken, or it would have one. */
static uint8_t kind_of(const weft_event *event)
{
    switch (event->to) {
    case WEFT_STATE_RUNNING:
        return WEFT_PATH_RUNNING;
    case WEFT_STATE_RUNNABLE:
        return WEFT_PATH_RUNNABLE;
    case WEFT_STATE_SYSCALL:
        return event->p == WEFT_ID_NONE ? WEFT_PATH_SYSCALL_BLOCKED : WEFT_PATH_SYSCALL;
    default:
        return WEFT_PATH_BLOCKED;
    }
}

/* Does somebody else bring this about? */
static bool has_cause(const weft_event *event)
{
    return event->g != event->id &&
           (event->from == WEFT_STATE_NOT_EXIST || event->from == WEFT_STATE_WAITING);
}

/* Who had the proc while a goroutine that begins to run waited for it, or WEFT_ID_NONE. */
static uint64_t holder(const struct analysis_history *history, const struct history_goroutine *g,
                       uint32_t proc)
{
    if (g->head == READER_ABSENT || history->intervals.at[g->head].kind != WEFT_PATH_RUNNABLE ||
        history->procs.at[proc].last == g->id)
        return WEFT_ID_NONE;
    bool meanwhile = history->procs.at[proc].left >= history->intervals.at[g->head].begin;
    return meanwhile ? history->procs.at[proc].last : WEFT_ID_NONE;
}

/* The goroutine runs, or is in a system call, with the proc of the event. */
static int take_proc(struct analysis_history *history, struct history_goroutine *g,
                     const weft_event *event, struct history_interval *interval)
{
    if (event->p == WEFT_ID_NONE)
        return 0;
    uint32_t proc = proc_get(history, event->p);
    if (proc == READER_ABSENT)
        return -ENOMEM;
    if (interval->kind == WEFT_PATH_RUNNING)
        interval->holder = holder(history, g, proc);
    else
        history->procs.at[proc].syscall = (uint32_t)(g - history->goroutines.at);
    g->on_proc = proc;
    return 0;
}

static int name_goroutine(struct analysis_history *history, struct history_goroutine *g,
                          weft_stack stack)
{
    if (g->name || !stack)
        return 0;
    g->name = analysis_intern_entry(&history->intern, stack);
    return g->name == READER_ABSENT ? -ENOMEM : 0;
}

static int describe(struct analysis_history *history, const weft_event *event,
                    struct history_interval *interval)
{
    bool executes = event->to == WEFT_STATE_RUNNING || event->to == WEFT_STATE_SYSCALL;
    bool sure = event->from != WEFT_STATE_UNDETERMINED;
    *interval = (struct history_interval){
        .begin = sure ? event->time : history->sync,
        .p = executes ? event->p : WEFT_ID_NONE,
        .m = executes ? event->m : WEFT_ID_NONE,
        .holder = WEFT_ID_NONE,
        .cause = has_cause(event) ? analysis_history_head(history, event->g) : READER_ABSENT,
        .stack = analysis_intern_stack(&history->intern, event->resource_stack),
        .cause_stack = has_cause(event) ? analysis_intern_stack(&history->intern, event->stack) : 0,
        .reason = analysis_intern_text(&history->intern, event->name),
        .kind = kind_of(event),
        .sure = sure,
    };
    bool failed = interval->stack == READER_ABSENT || interval->cause_stack == READER_ABSENT ||
                  interval->reason == READER_ABSENT;
    return failed ? -ENOMEM : 0;
}

/* -------- events -------- */

static void goroutine_end(struct analysis_history *history, uint32_t index, int64_t time)
{
    struct history_goroutine *g = &history->goroutines.at[index];
    uint32_t head = g->head;
    leave_proc(history, g, time);
    reader_map_remove(&history->goroutine_of, g->id);
    g->live = false;
    g->head = READER_ABSENT;
    drop(history, head);
}

static int goroutine_event(struct analysis_history *history, const weft_event *event)
{
    struct history_interval interval;
    uint32_t index = reader_map_find(&history->goroutine_of, event->id);
    if (event->to == WEFT_STATE_NOT_EXIST) {
        if (index != READER_ABSENT)
            goroutine_end(history, index, event->time);
        return 0;
    }
    if (index == READER_ABSENT && (index = goroutine_new(history, event->id)) == READER_ABSENT)
        return -ENOMEM;
    struct history_goroutine *g = &history->goroutines.at[index];
    int status = describe(history, event, &interval);
    if (!status)
        status = name_goroutine(history, g, event->resource_stack);
    leave_proc(history, g, event->time);
    if (!status && (event->to == WEFT_STATE_RUNNING || event->to == WEFT_STATE_SYSCALL))
        status = take_proc(history, g, event, &interval);
    return status ? status : enter(history, index, &interval);
}

/*
 * weft logs why it takes the proc of a goroutine, right before, where the log is switched on with
 * the trace. It has no stack then; system calls have one.
 */
static bool is_revoked(const struct history_goroutine *g, const struct history_interval *syscall)
{
    return g->lease || (syscall->sure && syscall->stack == 0);
}

static int lease_event(struct analysis_history *history, const weft_event *event)
{
    uint32_t category = analysis_intern_text(&history->intern, event->name);
    if (category != history->lease)
        return category == READER_ABSENT ? -ENOMEM : 0;
    uint32_t index = reader_map_find(&history->goroutine_of, event->g);
    if (index == READER_ABSENT)
        return 0;
    struct history_goroutine *g = &history->goroutines.at[index];
    g->lease = analysis_intern_text(&history->intern, event->message);
    return g->lease == READER_ABSENT ? -ENOMEM : 0;
}

static int proc_event(struct analysis_history *history, const weft_event *event)
{
    if (event->to != WEFT_STATE_IDLE)
        return 0;
    uint32_t proc = proc_get(history, event->id);
    if (proc == READER_ABSENT)
        return -ENOMEM;
    uint32_t owner = history->procs.at[proc].syscall;
    if (owner == READER_ABSENT)
        return 0;
    struct history_goroutine *g = &history->goroutines.at[owner];
    struct history_interval interval = history->intervals.at[g->head];
    interval.kind = is_revoked(g, &interval) ? WEFT_PATH_REVOKED : WEFT_PATH_SYSCALL_BLOCKED;
    interval.reason = g->lease ? g->lease : interval.reason;
    g->lease = 0;
    interval.begin = event->time;
    interval.p = WEFT_ID_NONE;
    interval.cause = READER_ABSENT;
    interval.cause_stack = 0;
    leave_proc(history, g, event->time);
    return enter(history, owner, &interval);
}

int analysis_history_event(struct analysis_history *history, const weft_event *event)
{
    if (event->kind == WEFT_EVENT_SYNC) {
        analysis_intern_forget(&history->intern);
        history->sync = event->time;
    }
    if (event->kind == WEFT_EVENT_LOG)
        return lease_event(history, event);
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->from == event->to)
        return 0;
    return event->resource == WEFT_RESOURCE_PROC ? proc_event(history, event)
                                                 : goroutine_event(history, event);
}

/* -------- life cycle -------- */

bool analysis_history_init(struct analysis_history *history, const weft_reader *reader)
{
    history->free_interval = history->free_goroutine = READER_ABSENT;
    analysis_ids_init(&history->proc_of);
    if (!analysis_intern_init(&history->intern, reader))
        return false;
    history->lease = reader_pool_add(&history->intern.texts, "weft.lease", 10);
    return history->lease != READER_ABSENT;
}

void analysis_history_forget(struct analysis_history *history)
{
    reader_map_fini(&history->goroutine_of);
    history->goroutine_of = (struct reader_map){0};
    READER_VEC_FINI(&history->goroutines);
    READER_VEC_FINI(&history->intervals);
    READER_VEC_FINI(&history->procs);
}

void analysis_history_fini(struct analysis_history *history)
{
    analysis_history_forget(history);
    analysis_ids_fini(&history->proc_of);
    analysis_intern_fini(&history->intern);
}
