/* SPDX-License-Identifier: MIT */
/* Tables of what goroutines and procs spend their time on. */
#include <errno.h>

#include "export/table.h"
#include "reader/analysis_timeline.h"

/* -------- intervals -------- */

static const weft_column interval_columns[] = {
    {"g", TABLE_INTEGER, 1, "goroutine"},
    {"state", TABLE_TEXT, 0,
     "running, runnable, blocked, syscall, syscall-blocked (lost its proc)"},
    {"begin", TABLE_INTEGER, 0, "ns; the trace's begin for what was so before"},
    {"end", TABLE_INTEGER, 0, "ns; the trace's end for what is so then"},
    {"duration", TABLE_INTEGER, 0, "end - begin"},
    {"reason", TABLE_TEXT, 0, "why it blocked or stopped"},
    {"stack", TABLE_INTEGER, 1, "where it entered the state"},
    {"m", TABLE_INTEGER, 0, "thread it executes on"},
    {"p", TABLE_INTEGER, 0, "proc it executes on"},
    {"waker", TABLE_INTEGER, 0, "blocked: the goroutine that ended it"},
    {"whole", TABLE_INTEGER, 0, "1 if both ends are within the trace"},
};

static int interval_row(void *context, const weft_stay *stay)
{
    weft_rows *rows = context;
    if (table_row(rows) != 0)
        return -ENOMEM;
    table_id(rows, stay->g);
    table_word(rows, weft_spent_name(stay->spent));
    table_integer(rows, stay->begin);
    table_integer(rows, stay->end);
    table_integer(rows, (int64_t)((uint64_t)stay->end - (uint64_t)stay->begin));
    table_interned(rows, stay->reason);
    table_number(rows, stay->stack);
    table_id(rows, stay->m);
    table_id(rows, stay->p);
    table_id(rows, stay->by);
    table_integer(rows, stay->begin_seen && stay->end_seen);
    return 0;
}

static int intervals_start(weft_rows *rows, void *state)
{
    return analysis_timeline_init(state, table_intern(rows), NULL, interval_row, rows) ? 0
                                                                                       : -ENOMEM;
}

static int intervals_event(weft_rows *rows, void *state, const weft_event *event)
{
    (void)rows;
    return analysis_timeline_event(state, event);
}

static int intervals_finish(weft_rows *rows, void *state)
{
    (void)rows;
    return analysis_timeline_finish(state);
}

static void intervals_stop(void *state)
{
    analysis_timeline_fini(state);
}

const struct table_maker table_intervals = {
    .table = {"intervals", "what each goroutine does, from one change of state to the next",
              TABLE_COLUMNS(interval_columns), 3},
    .is_timed = true,
    .state_size = sizeof(struct analysis_timeline),
    .start = intervals_start,
    .event = intervals_event,
    .finish = intervals_finish,
    .stop = intervals_stop,
};

/* -------- goroutines -------- */

static const weft_column goroutine_columns[] = {
    {"id", TABLE_INTEGER, 1, "goroutine"},
    {"name", TABLE_TEXT, 0, "its entry function"},
    {"system", TABLE_INTEGER, 0, "1 if it is the runtime's, not the program's"},
    {"creator", TABLE_INTEGER, 0, "goroutine that created it"},
    {"created", TABLE_INTEGER, 0, "ns; the trace's begin if it existed before"},
    {"started", TABLE_INTEGER, 0, "ns, the first time it was seen running"},
    {"ended", TABLE_INTEGER, 0, "ns; the trace's end if it existed longer"},
    {"seen_created", TABLE_INTEGER, 0, "1 if it was created within the trace"},
    {"seen_ended", TABLE_INTEGER, 0, "1 if it ended within the trace"},
    {"running", TABLE_INTEGER, 0, "ns in this state, as the next four"},
    {"runnable", TABLE_INTEGER, 0, "waiting for a proc"},
    {"blocked", TABLE_INTEGER, 0, "waiting for something else"},
    {"syscall", TABLE_INTEGER, 0, "in system calls, keeping its proc"},
    {"syscall_blocked", TABLE_INTEGER, 0, "in system calls, without its proc"},
};

static int goroutine_row(void *context, const weft_goroutine_stats *g)
{
    weft_rows *rows = context;
    if (table_row(rows) != 0)
        return -ENOMEM;
    table_id(rows, g->id);
    table_text(rows, g->name);
    table_integer(rows, g->is_system);
    table_id(rows, g->creator);
    table_integer(rows, g->created);
    if (g->started == INT64_MIN)
        table_null(rows);
    else
        table_integer(rows, g->started);
    table_integer(rows, g->ended);
    table_integer(rows, g->seen_created);
    table_integer(rows, g->seen_ended);
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++)
        table_integer(rows, g->times.time[i]);
    return 0;
}

static int goroutines_start(weft_rows *rows, void *state)
{
    weft_summary **summary = state;
    int status = weft_summary_new(summary, table_reader(rows));
    if (status == 0)
        weft_summary_each_goroutine(*summary, goroutine_row, rows);
    return status;
}

static int goroutines_event(weft_rows *rows, void *state, const weft_event *event)
{
    (void)rows;
    return weft_summary_event(*(weft_summary **)state, event);
}

static int goroutines_finish(weft_rows *rows, void *state)
{
    (void)rows;
    return weft_summary_finish(*(weft_summary **)state);
}

static void goroutines_stop(void *state)
{
    weft_summary_free(*(weft_summary **)state);
}

const struct table_maker table_goroutines = {
    .table = {"goroutines", "goroutines and the sums of their times",
              TABLE_COLUMNS(goroutine_columns), 6},
    .is_timed = true,
    .state_size = sizeof(weft_summary *),
    .start = goroutines_start,
    .event = goroutines_event,
    .finish = goroutines_finish,
    .stop = goroutines_stop,
};

/* -------- procs -------- */

static const weft_column proc_columns[] = {
    {"id", TABLE_INTEGER, 1, "proc"},
    {"first", TABLE_INTEGER, 0, "ns, when it was first seen; the trace's begin if it was there"},
    {"running", TABLE_INTEGER, 0, "ns in use by a thread"},
    {"starts", TABLE_INTEGER, 0, "times it was taken into use"},
};

struct proc {
    uint64_t id;
    int64_t first, since, running;
    uint64_t starts;
    bool is_running;
};

struct procs {
    struct reader_map of;
    READER_VEC(struct proc) all;
};

static struct proc *find_proc(weft_rows *rows, struct procs *procs, const weft_event *event)
{
    uint32_t index = reader_map_find(&procs->of, event->id);
    if (index != READER_ABSENT)
        return &procs->all.at[index];
    if (!reader_map_add(&procs->of, event->id, procs->all.count))
        return NULL;
    struct proc *proc = READER_PUSH(&procs->all);
    int64_t first = event->from == WEFT_STATE_UNDETERMINED ? table_sync(rows) : event->time;
    if (proc)
        *proc = (struct proc){.id = event->id,
                              .first = first,
                              .since = first,
                              .starts = event->to == WEFT_STATE_RUNNING};
    return proc;
}

static void close_proc(struct proc *proc, int64_t time)
{
    int64_t span;
    if (proc->is_running && !__builtin_sub_overflow(time, proc->since, &span) && span > 0 &&
        __builtin_add_overflow(proc->running, span, &proc->running))
        proc->running = INT64_MAX;
    proc->since = time;
}

static int procs_event(weft_rows *rows, void *state, const weft_event *event)
{
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->resource != WEFT_RESOURCE_PROC)
        return 0;
    struct proc *proc = find_proc(rows, state, event);
    if (!proc)
        return -ENOMEM;
    if (event->from != WEFT_STATE_UNDETERMINED && event->from != WEFT_STATE_NOT_EXIST) {
        close_proc(proc, event->time);
        proc->starts += event->to == WEFT_STATE_RUNNING && !proc->is_running;
    }
    proc->is_running = event->to == WEFT_STATE_RUNNING;
    return 0;
}

static int procs_finish(weft_rows *rows, void *state)
{
    struct procs *procs = state;
    for (uint32_t i = 0; i < procs->all.count; i++) {
        struct proc *proc = &procs->all.at[i];
        close_proc(proc, table_last(rows));
        if (table_row(rows) != 0)
            return -ENOMEM;
        table_id(rows, proc->id);
        table_integer(rows, proc->first);
        table_integer(rows, proc->running);
        table_integer(rows, (int64_t)proc->starts);
    }
    return 0;
}

static void procs_stop(void *state)
{
    struct procs *procs = state;
    reader_map_fini(&procs->of);
    READER_VEC_FINI(&procs->all);
}

const struct table_maker table_procs = {
    .table = {"procs", "procs and how long they were in use", TABLE_COLUMNS(proc_columns), -1},
    .state_size = sizeof(struct procs),
    .event = procs_event,
    .finish = procs_finish,
    .stop = procs_stop,
};
