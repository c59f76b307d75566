/* SPDX-License-Identifier: MIT */
#ifndef WEFT_TABLE_H
#define WEFT_TABLE_H

/*
 * A trace as tables: events, transitions, intervals and so on, row by row from passes over the
 * trace. `weft query` puts SQL over them (weft/sql.h), exporters write them out.
 *
 * A pass reads the trace once and gives the rows of one table or of several. It holds one
 * generation, what is under way (live goroutines, open regions, …) and the texts and stacks that
 * the trace names, never the rows that it has given.
 *
 * Stacks are numbered from 1 in the order in which the events of the trace first name them, so a
 * number means the same stack in every table and in every pass over the same trace.
 *
 *     weft_tables *tables;
 *     weft_rows *rows = NULL;
 *     int status = weft_tables_new(&tables, open, context);
 *     if (status == 0)
 *         status = weft_rows_open(&rows, tables, weft_table_find("intervals"));
 *     while (status == 0 && (status = weft_rows_next(rows)) == 1)
 *         status = use(weft_rows_value(rows, 0));
 *     weft_rows_close(rows);
 *     weft_tables_free(tables);
 *
 * Threads: a weft_tables and its passes belong to one thread at a time. Passes may be under way at
 * the same time.
 */

#include <weft/reader.h>

WEFT_BEGIN_DECLS

typedef enum weft_value_type {
    WEFT_VALUE_NULL,
    WEFT_VALUE_INTEGER,
    WEFT_VALUE_REAL, /* in results of SQL only */
    WEFT_VALUE_TEXT
} weft_value_type;

/* Times are nanoseconds on the trace's clock. Ids above INT64_MAX are negative. */
typedef struct weft_value {
    uint8_t type; /* weft_value_type */
    union {
        int64_t integer;
        double real;
        weft_text text;
    } u;
} weft_value;

typedef struct weft_column {
    const char *name;
    uint8_t type;     /* weft_value_type of values that are not null */
    uint8_t is_key;   /* names the row, or what the row belongs to: worth an index */
    const char *help; /* one line */
} weft_column;

typedef struct weft_table {
    const char *name;
    const char *help; /* one line */
    const weft_column *columns;
    size_t count;
    int order; /* index of a column by which the rows come in ascending order, or -1 */
} weft_table;

/* The tables that there are, in a fixed order. NULL beyond the last, or for an unknown name. */
WEFT_API const weft_table *weft_table_get(size_t index);
WEFT_API const weft_table *weft_table_find(const char *name);

typedef struct weft_tables weft_tables;
typedef struct weft_rows weft_rows;

/* A trace of which passes can be made. open is called with context for each of them, and returns
 * the trace from its begin. 0, or -ENOMEM. */
WEFT_API WEFT_MUST_USE int weft_tables_new(weft_tables **tables, weft_open_fn open, void *context);
/* After all its passes. NULL accepted. */
WEFT_API void weft_tables_free(weft_tables *tables);

/*
 * Begin a pass: over one table, or over count of them (weft_rows_table tells which a row is of).
 * Return 0 or a negative errno value. Unless *rows is NULL (out of memory), it explains the failure
 * through weft_rows_error and must be closed.
 */
WEFT_API WEFT_MUST_USE int weft_rows_open(weft_rows **rows, weft_tables *tables,
                                          const weft_table *table);
WEFT_API WEFT_MUST_USE int weft_rows_open_many(weft_rows **rows, weft_tables *tables,
                                               const weft_table *const *which, size_t count);

/*
 * Restrictions of a pass over one table, before its first row. Of a table with an order: no rows
 * beyond a value of it, which ends the pass early if that is a time.
 */
WEFT_API void weft_rows_until(weft_rows *rows, int64_t last);
/* Only rows with this integer in a column. */
WEFT_API void weft_rows_where(weft_rows *rows, size_t column, int64_t equals);

/*
 * The next row: 1, 0 at the end, or a negative errno value. Before the error of a damaged trace
 * come all rows up to there, with those of what is under way then as at an end.
 */
WEFT_API WEFT_MUST_USE int weft_rows_next(weft_rows *rows);

/* Which of the pass's tables the row is of, as an index. */
WEFT_API size_t weft_rows_table(const weft_rows *rows);

/* A value of the row; valid until the next row. NULL for a column out of range. */
WEFT_API const weft_value *weft_rows_value(const weft_rows *rows, size_t column);

/* The error behind the last negative result, or one with empty texts. */
WEFT_API const weft_reader_error *weft_rows_error(const weft_rows *rows);

/* NULL accepted. */
WEFT_API void weft_rows_close(weft_rows *rows);

WEFT_END_DECLS

#endif
