/* SPDX-License-Identifier: MIT */
/* A connection to SQLite with the tables of a trace, and nothing else, in it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/sql.h>

#if WEFT_WITH_SQLITE
#include "export/sql_session.h"

/* How often the budget is looked at, in steps of SQLite's machine. */
#define BUDGET_PERIOD 1000

/* -------- errors -------- */

static int fail(struct weft_sql *sql, int code)
{
    snprintf(sql->message, sizeof sql->message, "%s", sqlite3_errmsg(sql->db));
    sql->offset = sqlite3_error_offset(sql->db);
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_INTERRUPT:
        return -ETIME;
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
        return -EIO;
    default:
        return -EINVAL;
    }
}

void sql_keep_trace_error(struct weft_sql *sql, const weft_rows *rows, int status)
{
    if (sql->trace_failed || !rows)
        return;
    sql->trace_failed = true;
    sql->trace_error = *weft_rows_error(rows);
    snprintf(sql->trace_rule, sizeof sql->trace_rule, "%s", sql->trace_error.rule);
    snprintf(sql->trace_message, sizeof sql->trace_message, "%s",
             *sql->trace_error.message ? sql->trace_error.message : strerror(-status));
    sql->trace_error.rule = sql->trace_rule;
    sql->trace_error.message = sql->trace_message;
}

const char *weft_sql_error(const weft_sql *sql, ptrdiff_t *offset)
{
    if (offset)
        *offset = sql->offset;
    return sql->message;
}

const weft_reader_error *weft_sql_trace_error(const weft_sql *sql)
{
    return sql->trace_failed ? &sql->trace_error : NULL;
}

/* -------- the connection -------- */

/* Queries may read, and nothing else: no file is opened, nothing is attached or changed. */
static int authorise(void *context, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
    const struct weft_sql *sql = context;
    (void)a, (void)b, (void)c, (void)d;
    bool reads = action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_FUNCTION ||
                 action == SQLITE_RECURSIVE;
    return reads || sql->declaring ? SQLITE_OK : SQLITE_DENY;
}

static int tick(void *context)
{
    struct weft_sql *sql = context;
    sql->steps += BUDGET_PERIOD;
    return sql->budget && sql->steps > sql->budget;
}

static int connect_tables(struct weft_sql *sql)
{
    int code = sqlite3_open_v2(":memory:", &sql->db, SQLITE_OPEN_READWRITE, NULL);
    const weft_table *table;
    for (size_t i = 0; code == SQLITE_OK && (table = weft_table_get(i)); i++) {
        sql->each[i] = (struct sql_table){.sql = sql, .table = table};
        code = sqlite3_create_module_v2(sql->db, table->name, &sql_module, &sql->each[i], NULL);
    }
    if (code == SQLITE_OK)
        code = sqlite3_set_authorizer(sql->db, authorise, sql);
    return code;
}

int weft_sql_new(weft_sql **out, weft_open_fn open, void *context)
{
    struct weft_sql *sql = *out = calloc(1, sizeof *sql);
    if (!sql)
        return -ENOMEM;
    int status = weft_tables_new(&sql->tables, open, context);
    if (status == 0 && connect_tables(sql) != SQLITE_OK)
        status = -ENOMEM;
    if (status == 0)
        return 0;
    weft_sql_free(sql);
    *out = NULL;
    return status;
}

void weft_sql_budget(weft_sql *sql, uint64_t steps)
{
    sql->budget = steps;
    sql->steps = 0;
    sqlite3_progress_handler(sql->db, steps ? BUDGET_PERIOD : 0, tick, sql);
}

void weft_sql_free(weft_sql *sql)
{
    if (!sql)
        return;
    sqlite3_finalize(sql->statement);
    sqlite3_close(sql->db);
    sqlite3_close(sql->store);
    weft_tables_free(sql->tables);
    free(sql);
}

/* -------- statements -------- */

int weft_sql_prepare(weft_sql *sql, const char *text, size_t size, size_t *used)
{
    sqlite3_finalize(sql->statement);
    sql->statement = NULL;
    *used = 0;
    int limit = size > INT32_MAX ? INT32_MAX : (int)size;
    while (!sql->statement && *used < size) {
        const char *tail = text + *used;
        int code = sqlite3_prepare_v2(sql->db, tail, limit - (int)*used, &sql->statement, &tail);
        if (code != SQLITE_OK) {
            int status = fail(sql, code);
            if (sql->offset >= 0)
                sql->offset += (ptrdiff_t)*used;
            return status;
        }
        if (tail == text + *used)
            break;
        *used = (size_t)(tail - text);
    }
    return sql->statement ? 1 : 0;
}

int weft_sql_step(weft_sql *sql)
{
    int code = sqlite3_step(sql->statement);
    return code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : fail(sql, code);
}

size_t weft_sql_columns(const weft_sql *sql)
{
    return (size_t)sqlite3_column_count(sql->statement);
}

const char *weft_sql_column(const weft_sql *sql, size_t index)
{
    const char *name = sqlite3_column_name(sql->statement, (int)index);
    return name ? name : "";
}

weft_value weft_sql_value(const weft_sql *sql, size_t index)
{
    sqlite3_stmt *statement = sql->statement;
    weft_value value = {.type = WEFT_VALUE_NULL};
    switch (sqlite3_column_type(statement, (int)index)) {
    case SQLITE_INTEGER:
        value.type = WEFT_VALUE_INTEGER;
        value.u.integer = sqlite3_column_int64(statement, (int)index);
        break;
    case SQLITE_FLOAT:
        value.type = WEFT_VALUE_REAL;
        value.u.real = sqlite3_column_double(statement, (int)index);
        break;
    case SQLITE_NULL:
        break;
    default:
        value.type = WEFT_VALUE_TEXT;
        value.u.text.data = sqlite3_column_blob(statement, (int)index);
        value.u.text.size = (size_t)sqlite3_column_bytes(statement, (int)index);
    }
    return value;
}

#else /* built without SQLite: weft_sql_new refuses, so that nothing else is reached */

int weft_sql_new(weft_sql **sql, weft_open_fn open, void *context)
{
    (void)open, (void)context;
    *sql = NULL;
    return -ENOTSUP;
}

int weft_sql_export(weft_open_fn open, void *context, const char *path, weft_reader_error *error)
{
    (void)open, (void)context, (void)path;
    if (error)
        *error = (weft_reader_error){"", 0, 0, "built without SQLite"};
    return -ENOTSUP;
}

void weft_sql_budget(weft_sql *sql, uint64_t steps)
{
    (void)sql, (void)steps;
}

int weft_sql_prepare(weft_sql *sql, const char *text, size_t size, size_t *used)
{
    (void)sql, (void)text, (void)size;
    *used = 0;
    return -ENOTSUP;
}

int weft_sql_step(weft_sql *sql)
{
    (void)sql;
    return -ENOTSUP;
}

size_t weft_sql_columns(const weft_sql *sql)
{
    (void)sql;
    return 0;
}

const char *weft_sql_column(const weft_sql *sql, size_t index)
{
    (void)sql, (void)index;
    return "";
}

weft_value weft_sql_value(const weft_sql *sql, size_t index)
{
    (void)sql, (void)index;
    return (weft_value){.type = WEFT_VALUE_NULL};
}

const char *weft_sql_error(const weft_sql *sql, ptrdiff_t *offset)
{
    (void)sql;
    if (offset)
        *offset = -1;
    return "built without SQLite";
}

const weft_reader_error *weft_sql_trace_error(const weft_sql *sql)
{
    (void)sql;
    return NULL;
}

void weft_sql_free(weft_sql *sql)
{
    (void)sql;
}
#endif
