/* SPDX-License-Identifier: MIT */
#ifndef WEFT_SQL_H
#define WEFT_SQL_H

/*
 * SQL over a trace: the tables of weft/table.h as virtual tables of SQLite. Queries only read.
 *
 * A table is a pass over the trace: nothing is loaded first. Conditions that bound its time column
 * from above end the pass early. A table which one query goes through again and again (the inner
 * one of a join) is kept in an unnamed temporary file from then on, indexed as the query needs it.
 *
 * Threads: an object belongs to one thread at a time. Functions give 0 or a negative errno value
 * unless they say otherwise: -ENOTSUP where the library was built without SQLite, -EINVAL for a
 * mistake in the SQL, -ETIME beyond the budget, -ENOMEM, -EIO; weft_sql_error explains.
 *
 *     status = weft_sql_new(&sql, open, context);
 *     while (status == 0 && (status = weft_sql_prepare(sql, text, size, &used)) == 1) {
 *         while ((status = weft_sql_step(sql)) == 1)
 *             use(weft_sql_value(sql, 0));
 *         text += used, size -= used;
 *     }
 */

#include <weft/table.h>

WEFT_BEGIN_DECLS

typedef struct weft_sql weft_sql;

/* open must be able to open the trace again and again. */
WEFT_API WEFT_MUST_USE int weft_sql_new(weft_sql **sql, weft_open_fn open, void *context);

/* Give a query up after about so many steps of SQLite's machine; 0 is no limit. */
WEFT_API void weft_sql_budget(weft_sql *sql, uint64_t steps);

/*
 * Prepares the first statement of a text, in place of the one before. Returns 1, or 0 if the text
 * holds no statement. *used is how much of the text was taken.
 */
WEFT_API WEFT_MUST_USE int weft_sql_prepare(weft_sql *sql, const char *text, size_t size,
                                            size_t *used);

/* The next row: 1, or 0 at the end. */
WEFT_API WEFT_MUST_USE int weft_sql_step(weft_sql *sql);

/* Columns of the result. Names and values hold until the next step. */
WEFT_API size_t weft_sql_columns(const weft_sql *sql);
WEFT_API const char *weft_sql_column(const weft_sql *sql, size_t index);
WEFT_API weft_value weft_sql_value(const weft_sql *sql, size_t index);

/* What the last negative result was about, and where in the text: bytes, or -1 if that is unknown.
 */
WEFT_API const char *weft_sql_error(const weft_sql *sql, ptrdiff_t *offset);

/*
 * The error that ended a pass over the trace, or NULL. Such a table ends there: the results are
 * those of what was sound.
 */
WEFT_API const weft_reader_error *weft_sql_trace_error(const weft_sql *sql);

/* NULL accepted. */
WEFT_API void weft_sql_free(weft_sql *sql);

/*
 * Writes all tables into a new database file, in one pass. An existing file is replaced. What the
 * tables contain holds up to the first error of the trace, which is what is returned then; *error,
 * where given, explains it: its texts hold until the next call on the same thread.
 */
WEFT_API WEFT_MUST_USE int weft_sql_export(weft_open_fn open, void *context, const char *path,
                                           weft_reader_error *error);

WEFT_END_DECLS

#endif
