/* SPDX-License-Identifier: MIT */
/* Passes: events go to the makers of the wanted tables, rows come out. */
#include <errno.h>
#include <string.h>

#include "export/table.h"

struct weft_tables {
    weft_open_fn open;
    void *context;
    struct analysis_intern intern;
    weft_rows *active; /* whose handles the intern table knows */
};

struct row {
    uint32_t part;  /* index of rows->parts */
    uint32_t first; /* index of rows->values */
};

struct part {
    const struct table_maker *maker;
    void *state;
};

struct weft_rows {
    weft_tables *tables;
    weft_reader *reader;
    struct analysis_cache of_string, of_text, of_stack, of_entry; /* while not active */
    struct part parts[TABLE_MAX];
    size_t count, working; /* parts; the one at work */
    READER_VEC(struct row) queue;
    READER_VEC(weft_value) values;
    size_t at; /* rows of the queue that were given; the row at hand is one before */
    int64_t until, equals;
    size_t where; /* a column, or SIZE_MAX */
    uint64_t sequence;
    int64_t last, sync;
    int status; /* 1, or how the pass ended */
    bool failed;
};

static const struct table_maker *const makers[] = {
    &table_events, &table_transitions, &table_intervals, &table_goroutines, &table_procs,
    &table_stacks, &table_frames,      &table_samples,   &table_tasks,      &table_regions,
    &table_logs,   &table_metrics,     &table_ranges,    &table_labels,     &table_generations,
};
#define MAKERS (sizeof makers / sizeof *makers)

const weft_table *weft_table_get(size_t index)
{
    return index < MAKERS ? &makers[index]->table : NULL;
}

const weft_table *weft_table_find(const char *name)
{
    for (size_t i = 0; i < MAKERS; i++)
        if (strcmp(makers[i]->table.name, name) == 0)
            return &makers[i]->table;
    return NULL;
}

/* -------- tables -------- */

int weft_tables_new(weft_tables **out, weft_open_fn open, void *context)
{
    weft_tables *tables = *out = calloc(1, sizeof *tables);
    if (!tables)
        return -ENOMEM;
    tables->open = open;
    tables->context = context;
    if (analysis_intern_init(&tables->intern, NULL))
        return 0;
    weft_tables_free(tables);
    *out = NULL;
    return -ENOMEM;
}

void weft_tables_free(weft_tables *tables)
{
    if (!tables)
        return;
    analysis_intern_fini(&tables->intern);
    free(tables);
}

/* Exchanges the handles that the intern table knows with those of a pass. */
static void exchange(struct analysis_intern *intern, weft_rows *rows)
{
    struct analysis_cache *inside[] = {&intern->of_string, &intern->of_text, &intern->of_stack,
                                       &intern->of_entry};
    struct analysis_cache *outside[] = {&rows->of_string, &rows->of_text, &rows->of_stack,
                                        &rows->of_entry};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        struct analysis_cache cache = *inside[i];
        *inside[i] = *outside[i];
        *outside[i] = cache;
    }
}

static void activate(weft_rows *rows)
{
    weft_tables *tables = rows->tables;
    if (tables->active == rows)
        return;
    if (tables->active)
        exchange(&tables->intern, tables->active);
    exchange(&tables->intern, rows);
    tables->intern.reader = rows->reader;
    tables->active = rows;
}

/* -------- opening and closing -------- */

static int start_parts(weft_rows *rows)
{
    int status = 0;
    for (size_t i = 0; i < rows->count && !status; i++) {
        struct part *part = &rows->parts[i];
        part->state = calloc(1, part->maker->state_size + 1);
        if (!part->state)
            return -ENOMEM;
        rows->working = i;
        if (part->maker->start)
            status = part->maker->start(rows, part->state);
    }
    return status;
}

/* A public table is the first member of its maker. */
static const struct table_maker *maker_of(const weft_table *table)
{
    return (const struct table_maker *)(const void *)table;
}

int weft_rows_open_many(weft_rows **out, weft_tables *tables, const weft_table *const *which,
                        size_t count)
{
    *out = NULL;
    if (count > TABLE_MAX)
        return -E2BIG;
    weft_rows *rows = *out = calloc(1, sizeof *rows);
    if (!rows)
        return -ENOMEM;
    *rows = (weft_rows){.tables = tables, .until = INT64_MAX, .where = SIZE_MAX, .status = 1};
    int status = tables->open(tables->context, &rows->reader);
    if (status == 0) {
        activate(rows);
        for (size_t i = 0; i < count; i++)
            rows->parts[i].maker = maker_of(which[i]);
        rows->count = count;
        status = start_parts(rows);
    }
    if (status < 0)
        rows->status = status;
    return status;
}

int weft_rows_open(weft_rows **rows, weft_tables *tables, const weft_table *table)
{
    return weft_rows_open_many(rows, tables, &table, 1);
}

void weft_rows_until(weft_rows *rows, int64_t last)
{
    if (rows->count == 1 && rows->parts[0].maker->table.order >= 0 && last < rows->until)
        rows->until = last;
}

void weft_rows_where(weft_rows *rows, size_t column, int64_t equals)
{
    rows->where = column;
    rows->equals = equals;
}

void weft_rows_close(weft_rows *rows)
{
    if (!rows)
        return;
    weft_tables *tables = rows->tables;
    if (tables->active == rows) {
        exchange(&tables->intern, rows);
        tables->active = NULL;
        tables->intern.reader = NULL;
    }
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->parts[i].state && rows->parts[i].maker->stop)
            rows->parts[i].maker->stop(rows->parts[i].state);
        free(rows->parts[i].state);
    }
    free(rows->of_string.at);
    free(rows->of_text.at);
    free(rows->of_stack.at);
    free(rows->of_entry.at);
    READER_VEC_FINI(&rows->queue);
    READER_VEC_FINI(&rows->values);
    weft_reader_free(rows->reader);
    free(rows);
}

/* -------- making rows -------- */

static void add(weft_rows *rows, weft_value value)
{
    weft_value *slot = READER_PUSH(&rows->values);
    if (slot)
        *slot = value;
    else
        rows->failed = true;
}

int table_row(weft_rows *rows)
{
    struct row *row = READER_PUSH(&rows->queue);
    if (!row)
        return -ENOMEM;
    *row = (struct row){(uint32_t)rows->working, rows->values.count};
    return 0;
}

void table_integer(weft_rows *rows, int64_t number)
{
    add(rows, (weft_value){.type = WEFT_VALUE_INTEGER, .u.integer = number});
}

void table_null(weft_rows *rows)
{
    add(rows, (weft_value){.type = WEFT_VALUE_NULL});
}

void table_id(weft_rows *rows, uint64_t id)
{
    if (id == WEFT_ID_NONE)
        table_null(rows);
    else
        table_integer(rows, (int64_t)id);
}

void table_text(weft_rows *rows, weft_text text)
{
    if (text.size)
        add(rows, (weft_value){.type = WEFT_VALUE_TEXT, .u.text = text});
    else
        table_null(rows);
}

void table_word(weft_rows *rows, const char *word)
{
    table_text(rows, (weft_text){word, strlen(word)});
}

void table_string(weft_rows *rows, weft_string string)
{
    table_text(rows, weft_reader_string(rows->reader, string));
}

void table_number(weft_rows *rows, uint32_t stack)
{
    if (stack)
        table_integer(rows, stack);
    else
        table_null(rows);
}

/* The stacks of an event are interned before the makers see it: this finds them. */
void table_stack(weft_rows *rows, weft_stack stack)
{
    table_number(rows, analysis_intern_stack(&rows->tables->intern, stack));
}

void table_interned(weft_rows *rows, uint32_t text)
{
    table_text(rows, analysis_intern_get(&rows->tables->intern, text));
}

struct analysis_intern *table_intern(weft_rows *rows)
{
    return &rows->tables->intern;
}

const weft_reader *table_reader(const weft_rows *rows)
{
    return rows->reader;
}

uint64_t table_sequence(const weft_rows *rows)
{
    return rows->sequence;
}

int64_t table_last(const weft_rows *rows)
{
    return rows->last;
}

int64_t table_sync(const weft_rows *rows)
{
    return rows->sync;
}

const char *table_resource(unsigned resource)
{
    static const char *const names[] = {"", "goroutine", "proc", "thread"};
    return resource < 4 ? names[resource] : "";
}

/* -------- the pass -------- */

static int make_rows(weft_rows *rows, const weft_event *event)
{
    struct analysis_intern *intern = &rows->tables->intern;
    rows->sequence++;
    rows->last = event->time;
    if (event->kind == WEFT_EVENT_SYNC) {
        analysis_intern_forget(intern);
        rows->sync = event->time;
    }
    if (analysis_intern_stack(intern, event->stack) == READER_ABSENT ||
        analysis_intern_stack(intern, event->resource_stack) == READER_ABSENT)
        return -ENOMEM;
    int status = 0;
    for (size_t i = 0; i < rows->count && !status; i++) {
        rows->working = i;
        if (rows->parts[i].maker->event)
            status = rows->parts[i].maker->event(rows, rows->parts[i].state, event);
    }
    return status;
}

static int finish_parts(weft_rows *rows)
{
    int status = 0;
    for (size_t i = 0; i < rows->count && !status; i++) {
        rows->working = i;
        if (rows->parts[i].maker->finish)
            status = rows->parts[i].maker->finish(rows, rows->parts[i].state);
    }
    return status;
}

/* Reads until there are rows, or the end. Returns what the pass has come to: 1 is more to read. */
static int fill(weft_rows *rows)
{
    int status = 1;
    activate(rows);
    rows->queue.count = rows->values.count = 0;
    rows->at = 0;
    while (status == 1 && rows->queue.count == 0) {
        weft_event event;
        status = weft_reader_next(rows->reader, &event);
        if (status == 1 && event.time > rows->until && rows->parts[0].maker->is_timed)
            return 0;
        int made = status == 1 ? make_rows(rows, &event) : finish_parts(rows);
        if (made || rows->failed)
            return made ? made : -ENOMEM;
    }
    return status;
}

static bool is_wanted(const weft_rows *rows)
{
    if (rows->where != SIZE_MAX) {
        const weft_value *value = weft_rows_value(rows, rows->where);
        if (value && (value->type != WEFT_VALUE_INTEGER || value->u.integer != rows->equals))
            return false;
    }
    if (rows->until == INT64_MAX)
        return true;
    return weft_rows_value(rows, (size_t)rows->parts[0].maker->table.order)->u.integer <=
           rows->until;
}

int weft_rows_next(weft_rows *rows)
{
    for (;;) {
        while (rows->at < rows->queue.count) {
            rows->at++;
            if (is_wanted(rows))
                return 1;
        }
        if (rows->status != 1)
            return rows->status;
        rows->status = fill(rows);
    }
}

size_t weft_rows_table(const weft_rows *rows)
{
    return rows->at ? rows->queue.at[rows->at - 1].part : 0;
}

const weft_value *weft_rows_value(const weft_rows *rows, size_t column)
{
    if (rows->at == 0 || rows->at > rows->queue.count)
        return NULL;
    const struct row *row = &rows->queue.at[rows->at - 1];
    if (column >= rows->parts[row->part].maker->table.count)
        return NULL;
    return &rows->values.at[row->first + column];
}

const weft_reader_error *weft_rows_error(const weft_rows *rows)
{
    static const weft_reader_error none = {"", 0, 0, ""};
    return rows->reader ? weft_reader_error_get(rows->reader) : &none;
}
