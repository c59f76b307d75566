/* SPDX-License-Identifier: MIT */
/* Tables whose rows are events, one for one. */
#include "export/table.h"

#include <errno.h>

#define CONTEXT_COLUMNS                                                                            \
    {"m", TABLE_INTEGER, 0, "thread before the event"},                                            \
        {"p", TABLE_INTEGER, 0, "proc before the event"},                                          \
    {                                                                                              \
        "g", TABLE_INTEGER, 1, "goroutine before the event"                                        \
    }
#define TIME_COLUMN                                                                                \
    {                                                                                              \
        "time", TABLE_INTEGER, 0, "ns on the trace's clock"                                        \
    }

static void put_context(weft_rows *rows, const weft_event *event)
{
    table_id(rows, event->m);
    table_id(rows, event->p);
    table_id(rows, event->g);
}

/* -------- events -------- */

static const weft_column event_columns[] = {
    {"seq", TABLE_INTEGER, 0, "number of the event in the total order, from 1"},
    TIME_COLUMN,
    {"generation", TABLE_INTEGER, 0, "generation of the trace"},
    {"kind", TABLE_TEXT, 0, "StateTransition, Metric, RangeBegin, … as `weft events` has them"},
    CONTEXT_COLUMNS,
    {"resource", TABLE_TEXT, 0, "what it is about: goroutine, proc, thread, or null"},
    {"id", TABLE_INTEGER, 0, "id of the resource; of the task; number of the sync"},
    {"from_state", TABLE_TEXT, 0, "StateTransition: state before"},
    {"to_state", TABLE_TEXT, 0, "StateTransition: state after"},
    {"name", TABLE_TEXT, 0, "reason, metric, range, label, task or region type, log category"},
    {"message", TABLE_TEXT, 0, "Log: its text; Experimental: the experiment"},
    {"value", TABLE_INTEGER, 0, "Metric: its value; TaskBegin, TaskEnd: the parent task"},
    {"stack", TABLE_INTEGER, 1, "stack of the context"},
    {"resource_stack", TABLE_INTEGER, 0, "StateTransition: stack of the resource"},
};

static void put_states(weft_rows *rows, const weft_event *event)
{
    table_word(rows, weft_state_name(event->from));
    table_word(rows, weft_state_name(event->to));
}

static bool has_id(const weft_event *event)
{
    switch (event->kind) {
    case WEFT_EVENT_METRIC:
    case WEFT_EVENT_STACK_SAMPLE:
    case WEFT_EVENT_EXPERIMENTAL:
        return false;
    case WEFT_EVENT_RANGE_BEGIN:
    case WEFT_EVENT_RANGE_ACTIVE:
    case WEFT_EVENT_RANGE_END:
        return event->resource != WEFT_RESOURCE_NONE;
    default:
        return true;
    }
}

static void put_value(weft_rows *rows, const weft_event *event)
{
    if (event->kind == WEFT_EVENT_METRIC)
        table_integer(rows, (int64_t)event->u.value);
    else if (event->kind == WEFT_EVENT_TASK_BEGIN || event->kind == WEFT_EVENT_TASK_END)
        table_id(rows, event->u.parent);
    else
        table_null(rows);
}

static int event_row(weft_rows *rows, void *state, const weft_event *event)
{
    (void)state;
    if (table_row(rows) != 0)
        return -ENOMEM;
    table_integer(rows, (int64_t)table_sequence(rows));
    table_integer(rows, event->time);
    table_integer(rows, (int64_t)weft_reader_generation(table_reader(rows)));
    table_word(rows, weft_event_kind_name(event->kind));
    put_context(rows, event);
    table_word(rows, table_resource(event->resource));
    table_id(rows, has_id(event) ? event->id : WEFT_ID_NONE);
    if (event->kind == WEFT_EVENT_STATE_TRANSITION) {
        put_states(rows, event);
    } else {
        table_null(rows);
        table_null(rows);
    }
    table_string(rows, event->name);
    table_string(rows, event->message);
    put_value(rows, event);
    table_stack(rows, event->stack);
    table_stack(rows, event->resource_stack);
    return 0;
}

const struct table_maker table_events = {
    .table = {"events", "every event of the trace, in its total order",
              TABLE_COLUMNS(event_columns), 1},
    .is_timed = true,
    .event = event_row,
};

/* -------- transitions -------- */

static const weft_column transition_columns[] = {
    TIME_COLUMN,
    {"resource", TABLE_TEXT, 0, "goroutine or proc"},
    {"id", TABLE_INTEGER, 1, "which one"},
    {"from_state", TABLE_TEXT, 0, "Undetermined, NotExist, Runnable, Running, Waiting, …"},
    {"to_state", TABLE_TEXT, 0, "the same as from_state where a generation only tells it"},
    {"reason", TABLE_TEXT, 0, "why it stopped or blocked"},
    CONTEXT_COLUMNS,
    {"stack", TABLE_INTEGER, 1, "stack of the resource"},
    {"context_stack", TABLE_INTEGER, 0, "stack of the goroutine before the event"},
};

static int transition_row(weft_rows *rows, void *state, const weft_event *event)
{
    (void)state;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION)
        return 0;
    if (table_row(rows) != 0)
        return -ENOMEM;
    table_integer(rows, event->time);
    table_word(rows, table_resource(event->resource));
    table_id(rows, event->id);
    put_states(rows, event);
    table_string(rows, event->name);
    put_context(rows, event);
    table_stack(rows, event->resource_stack);
    table_stack(rows, event->stack);
    return 0;
}

const struct table_maker table_transitions = {
    .table = {"transitions", "changes of state of goroutines and procs",
              TABLE_COLUMNS(transition_columns), 0},
    .is_timed = true,
    .event = transition_row,
};

/* -------- samples, logs, metrics, labels -------- */

static const weft_column sample_columns[] = {
    TIME_COLUMN,
    CONTEXT_COLUMNS,
    {"stack", TABLE_INTEGER, 1, "where it was"},
};

static int sample_row(weft_rows *rows, void *state, const weft_event *event)
{
    (void)state;
    if (event->kind != WEFT_EVENT_STACK_SAMPLE)
        return 0;
    if (table_row(rows) != 0)
        return -ENOMEM;
    table_integer(rows, event->time);
    put_context(rows, event);
    table_stack(rows, event->stack);
    return 0;
}

const struct table_maker table_samples = {
    .table = {"samples", "CPU profile samples", TABLE_COLUMNS(sample_columns), 0},
    .is_timed = true,
    .event = sample_row,
};

static const weft_column log_columns[] = {
    TIME_COLUMN,
    CONTEXT_COLUMNS,
    {"task", TABLE_INTEGER, 1, "task, 0 being that of the whole program"},
    {"category", TABLE_TEXT, 0, "its category"},
    {"message", TABLE_TEXT, 0, "its text"},
    {"stack", TABLE_INTEGER, 1, "where it was written"},
};

static int log_row(weft_rows *rows, void *state, const weft_event *event)
{
    (void)state;
    if (event->kind != WEFT_EVENT_LOG)
        return 0;
    if (table_row(rows) != 0)
        return -ENOMEM;
    table_integer(rows, event->time);
    put_context(rows, event);
    table_id(rows, event->id);
    table_string(rows, event->name);
    table_string(rows, event->message);
    table_stack(rows, event->stack);
    return 0;
}

const struct table_maker table_logs = {
    .table = {"logs", "messages of the program", TABLE_COLUMNS(log_columns), 0},
    .is_timed = true,
    .event = log_row,
};

static const weft_column metric_columns[] = {
    TIME_COLUMN,
    {"name", TABLE_TEXT, 0, "such as /memory/classes/heap/objects:bytes"},
    {"value", TABLE_INTEGER, 0, "from now on"},
};

static int metric_row(weft_rows *rows, void *state, const weft_event *event)
{
    (void)state;
    if (event->kind != WEFT_EVENT_METRIC)
        return 0;
    if (table_row(rows) != 0)
        return -ENOMEM;
    table_integer(rows, event->time);
    table_string(rows, event->name);
    table_integer(rows, (int64_t)event->u.value);
    return 0;
}

const struct table_maker table_metrics = {
    .table = {"metrics", "changes of quantities: procs, heap", TABLE_COLUMNS(metric_columns), 0},
    .is_timed = true,
    .event = metric_row,
};

static const weft_column label_columns[] = {
    TIME_COLUMN,
    {"g", TABLE_INTEGER, 1, "goroutine"},
    {"label", TABLE_TEXT, 0, "its label from now on"},
};

static int label_row(weft_rows *rows, void *state, const weft_event *event)
{
    (void)state;
    if (event->kind != WEFT_EVENT_LABEL)
        return 0;
    if (table_row(rows) != 0)
        return -ENOMEM;
    table_integer(rows, event->time);
    table_id(rows, event->id);
    table_string(rows, event->name);
    return 0;
}

const struct table_maker table_labels = {
    .table = {"labels", "labels given to goroutines", TABLE_COLUMNS(label_columns), 0},
    .is_timed = true,
    .event = label_row,
};

/* -------- generations -------- */

static const weft_column generation_columns[] = {
    {"generation", TABLE_INTEGER, 1, "its number"},
    {"begin", TABLE_INTEGER, 0, "ns on the trace's clock"},
    {"clock", TABLE_INTEGER, 0, "ns on the trace's clock, when the other clocks were read"},
    {"mono", TABLE_INTEGER, 0, "ns on the monotonic clock at that moment"},
    {"wall", TABLE_INTEGER, 0, "ns since 1970, UTC, at that moment"},
};

static void put_clock(weft_rows *rows, const weft_sync *sync)
{
    int64_t wall;
    table_integer(rows, sync->trace_time);
    table_integer(rows, (int64_t)sync->mono);
    if (__builtin_mul_overflow(sync->wall_sec, 1000000000, &wall) ||
        __builtin_add_overflow(wall, sync->wall_nsec, &wall))
        table_null(rows);
    else
        table_integer(rows, wall);
}

/* The SYNC that ends the trace opens no generation. */
static int generation_row(weft_rows *rows, void *state, const weft_event *event)
{
    uint64_t *opened = state;
    if (event->kind != WEFT_EVENT_SYNC || weft_reader_generations(table_reader(rows)) == *opened)
        return 0;
    *opened = weft_reader_generations(table_reader(rows));
    if (table_row(rows) != 0)
        return -ENOMEM;
    weft_sync sync;
    weft_reader_sync(table_reader(rows), &sync);
    table_integer(rows, (int64_t)weft_reader_generation(table_reader(rows)));
    table_integer(rows, event->time);
    if (sync.has_clock) {
        put_clock(rows, &sync);
        return 0;
    }
    for (int i = 0; i < 3; i++)
        table_null(rows);
    return 0;
}

const struct table_maker table_generations = {
    .table = {"generations", "generations of the trace, with readings of other clocks",
              TABLE_COLUMNS(generation_columns), 1},
    .is_timed = true,
    .state_size = sizeof(uint64_t),
    .event = generation_row,
};
