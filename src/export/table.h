/* SPDX-License-Identifier: MIT */
#ifndef WEFT_EXPORT_TABLE_H
#define WEFT_EXPORT_TABLE_H

/*
 * How a table is made: a maker is given every event of a pass in turn and appends finished rows to
 * the pass's queue, value by value in the order of the columns.
 *
 * Passes share one table of texts and stacks. What handles of the current generation stand for is
 * the pass's own, since passes may be in different generations: it is swapped in when a pass goes
 * on (table_rows.c). A pass interns the stacks of every event in order, whatever its tables need,
 * which is what makes the numbers of stacks the same in all of them.
 */

#include <weft/table.h>

#include "reader/analysis_intern.h"

#define TABLE_MAX 16

struct table_maker {
    weft_table table;
    bool is_timed; /* the order is that of the events' times */
    size_t state_size;
    /* Each may be NULL. They return 0 or -ENOMEM; state is zero before start. */
    int (*start)(weft_rows *rows, void *state);
    int (*event)(weft_rows *rows, void *state, const weft_event *event);
    int (*finish)(weft_rows *rows, void *state); /* after the last event */
    void (*stop)(void *state);
};

#define TABLE_COLUMNS(columns) (columns), sizeof(columns) / sizeof *(columns)
#define TABLE_TEXT             WEFT_VALUE_TEXT
#define TABLE_INTEGER          WEFT_VALUE_INTEGER

extern const struct table_maker table_events, table_transitions, table_samples, table_logs,
    table_metrics, table_labels, table_generations;                             /* table_events.c */
extern const struct table_maker table_intervals, table_goroutines, table_procs; /* table_states.c */
extern const struct table_maker table_tasks, table_regions, table_ranges;       /* table_spans.c */
extern const struct table_maker table_stacks, table_frames;                     /* table_stacks.c */

/* -------- for makers -------- */

/* The maker that is at work appends a row: first this, then the values of all its columns. */
int table_row(weft_rows *rows);
void table_integer(weft_rows *rows, int64_t number);
void table_id(weft_rows *rows, uint64_t id); /* WEFT_ID_NONE is null */
void table_null(weft_rows *rows);
void table_text(weft_rows *rows, weft_text text); /* empty is null */
void table_word(weft_rows *rows, const char *word);
void table_string(weft_rows *rows, weft_string string); /* of the event that is being handled */
void table_stack(weft_rows *rows, weft_stack stack);    /* likewise */
void table_number(weft_rows *rows, uint32_t stack);     /* a stack by its number; 0 is null */
void table_interned(weft_rows *rows, uint32_t text);

struct analysis_intern *table_intern(weft_rows *rows);
const weft_reader *table_reader(const weft_rows *rows);
uint64_t table_sequence(const weft_rows *rows); /* of the event, from 1 */
int64_t table_last(const weft_rows *rows);      /* time of the last event */
int64_t table_sync(const weft_rows *rows);      /* time of the last SYNC */

/* "goroutine", "proc", "thread"; "" for the whole program. */
const char *table_resource(unsigned resource);

#endif
