/* SPDX-License-Identifier: MIT */
#ifndef WEFT_EXPORT_SQL_STORE_H
#define WEFT_EXPORT_SQL_STORE_H

/* Tables of a trace in a database. Functions return a result code of SQLite. */

#include <sqlite3.h>
#include <stdbool.h>

#include <weft/sql.h>

/* A text of the definition of a table; to be freed by sqlite3_free. NULL without memory. */
char *sql_definition(const weft_table *table);

int sql_create(sqlite3 *db, const weft_table *table);
/* An index on one column, or on all that are keys. */
int sql_index(sqlite3 *db, const weft_table *table, size_t column);
int sql_index_keys(sqlite3 *db, const weft_table *table);

/* A statement that inserts a row, and the insertion of the row at hand of a pass. */
int sql_inserter(sqlite3 *db, const weft_table *table, sqlite3_stmt **statement);
int sql_insert(sqlite3_stmt *statement, const weft_rows *rows);

/*
 * All rows of a table in db. *trace_status is how the pass ended; rows, open and unread, belongs to
 * the caller.
 */
int sql_fill(sqlite3 *db, const weft_table *table, weft_rows *rows, int *trace_status);

#endif
