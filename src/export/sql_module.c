/* SPDX-License-Identifier: MIT */
/*
 * Virtual tables over passes.
 *
 * Design: a cursor is a pass over the trace or, when the query comes back to a table, a statement
 * over a copy of the table in a temporary database. Conditions that are pushed down are checked by
 * SQLite again; they only spare it rows.
 *
 * Rejected: answering `stacks WHERE id = ?` from the table of stacks in memory. It would be right
 * only for numbers that come out of a pass that was ahead; the copy with its index serves all
 * tables in one way.
 */
#if WEFT_WITH_SQLITE
#include <errno.h>
#include <string.h>

#include "export/sql_session.h"

enum { PLAN_UNTIL = 1, PLAN_BEFORE = 2, PLAN_WHERE = 4, PLAN_COLUMN_SHIFT = 8 };

/* What SQLite is told: rows of a table, and rows with one value of a key. Guesses. */
#define ROWS_ALL   1000000
#define ROWS_UNTIL 500000
#define ROWS_KEY   20

struct module_table {
    sqlite3_vtab base;
    struct sql_table *of;
};

struct cursor {
    sqlite3_vtab_cursor base;
    weft_rows *rows;         /* while it reads the trace */
    sqlite3_stmt *statement; /* over the store; kept from one scan to the next */
    int plan;                /* of the statement */
    unsigned scans;
    bool ended;
    sqlite3_int64 row;
};

static struct sql_table *table_of(const struct cursor *cursor)
{
    return ((struct module_table *)cursor->base.pVtab)->of;
}

/* -------- tables -------- */

static int module_connect(sqlite3 *db, void *client, int argc, const char *const *argv,
                          sqlite3_vtab **out, char **error)
{
    (void)argc, (void)argv, (void)error;
    struct sql_table *of = client;
    char *definition = sql_definition(of->table);
    struct module_table *table = sqlite3_malloc(sizeof *table);
    of->sql->declaring = true;
    int code = definition && table ? sqlite3_declare_vtab(db, definition) : SQLITE_NOMEM;
    of->sql->declaring = false;
    sqlite3_free(definition);
    if (code != SQLITE_OK) {
        sqlite3_free(table);
        return code;
    }
    memset(table, 0, sizeof *table);
    table->of = of;
    *out = &table->base;
    return SQLITE_OK;
}

static int module_disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

/* -------- plans -------- */

static bool is_bound(const struct sqlite3_index_constraint *c, int order)
{
    return c->usable && c->iColumn == order &&
           (c->op == SQLITE_INDEX_CONSTRAINT_LE || c->op == SQLITE_INDEX_CONSTRAINT_LT);
}

static bool is_lookup(const struct sqlite3_index_constraint *c, const weft_table *table)
{
    return c->usable && c->op == SQLITE_INDEX_CONSTRAINT_EQ && c->iColumn >= 0 &&
           table->columns[c->iColumn].type == WEFT_VALUE_INTEGER;
}

/* Chooses at most one bound and one lookup, a key before other columns. */
static void choose(const sqlite3_index_info *info, const weft_table *table, int *bound, int *lookup)
{
    *bound = *lookup = -1;
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];
        if (table->order >= 0 && is_bound(c, table->order))
            *bound = i;
        if (is_lookup(c, table) && (*lookup < 0 || table->columns[c->iColumn].is_key))
            *lookup = i;
    }
}

static int module_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const weft_table *table = ((struct module_table *)base)->of->table;
    int bound, lookup, argument = 0;
    choose(info, table, &bound, &lookup);
    double rows = ROWS_ALL;
    if (bound >= 0) {
        bool before = info->aConstraint[bound].op == SQLITE_INDEX_CONSTRAINT_LT;
        info->idxNum |= before ? PLAN_BEFORE : PLAN_UNTIL;
        info->aConstraintUsage[bound].argvIndex = ++argument;
        rows = ROWS_UNTIL;
    }
    if (lookup >= 0) {
        info->idxNum |= PLAN_WHERE | info->aConstraint[lookup].iColumn << PLAN_COLUMN_SHIFT;
        info->aConstraintUsage[lookup].argvIndex = ++argument;
        rows = ROWS_KEY;
    }
    info->estimatedRows = (sqlite3_int64)rows;
    info->estimatedCost = rows * 10;
    info->orderByConsumed =
        info->nOrderBy == 1 && !info->aOrderBy[0].desc && info->aOrderBy[0].iColumn == table->order;
    return SQLITE_OK;
}

/* -------- cursors over the store -------- */

static int open_store(struct weft_sql *sql)
{
    if (sql->store)
        return SQLITE_OK;
    int code = sqlite3_open_v2("", &sql->store, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(sql->store, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL,
                            NULL, NULL);
    return code;
}

/* Copies the table into the store unless it is there. */
static int store_table(struct sql_table *of)
{
    int code = open_store(of->sql), status = 0;
    if (code != SQLITE_OK || of->stored)
        return code;
    weft_rows *rows;
    status = weft_rows_open(&rows, of->sql->tables, of->table);
    code = status == -ENOMEM ? SQLITE_NOMEM : SQLITE_OK;
    if (code == SQLITE_OK && status == 0)
        code = sql_fill(of->sql->store, of->table, rows, &status);
    if (status < 0 && rows)
        sql_keep_trace_error(of->sql, rows, status);
    weft_rows_close(rows);
    of->stored = code == SQLITE_OK;
    return code;
}

static int stored_step(struct cursor *cursor)
{
    int code = sqlite3_step(cursor->statement);
    cursor->ended = code != SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Makes the statement for a plan, and the index that it needs. */
static int stored_prepare(struct cursor *cursor, int plan)
{
    struct sql_table *of = table_of(cursor);
    const weft_table *table = of->table;
    size_t column = (size_t)plan >> PLAN_COLUMN_SHIFT;
    sqlite3_finalize(cursor->statement);
    cursor->statement = NULL;
    cursor->plan = plan;
    int code = store_table(of);
    if (code == SQLITE_OK && plan & PLAN_WHERE)
        code = sql_index(of->sql->store, table, column);
    if (code != SQLITE_OK)
        return code;
    char *text = plan & PLAN_WHERE
                     ? sqlite3_mprintf("SELECT * FROM \"%w\" WHERE \"%w\" = ? ORDER BY rowid",
                                       table->name, table->columns[column].name)
                     : sqlite3_mprintf("SELECT * FROM \"%w\" ORDER BY rowid", table->name);
    code = text ? sqlite3_prepare_v2(of->sql->store, text, -1, &cursor->statement, NULL)
                : SQLITE_NOMEM;
    sqlite3_free(text);
    return code;
}

static int stored_filter(struct cursor *cursor, int plan, int argc, sqlite3_value **argv)
{
    int code = SQLITE_OK;
    if (!cursor->statement || cursor->plan != plan)
        code = stored_prepare(cursor, plan);
    if (code == SQLITE_OK)
        code = sqlite3_reset(cursor->statement);
    if (code == SQLITE_OK && plan & PLAN_WHERE)
        code = sqlite3_bind_value(cursor->statement, 1, argv[argc - 1]);
    return code == SQLITE_OK ? stored_step(cursor) : code;
}

/* -------- cursors over a pass -------- */

/* A trace that is bad ends its tables: the rest is told at the end of the query. */
static int pass_step(struct cursor *cursor)
{
    int status = weft_rows_next(cursor->rows);
    cursor->ended = status != 1;
    if (status == -ENOMEM)
        return SQLITE_NOMEM;
    if (status < 0)
        sql_keep_trace_error(table_of(cursor)->sql, cursor->rows, status);
    return SQLITE_OK;
}

/* The greatest integer that a bound lets pass; false if it lets everything pass. */
static bool bound_of(sqlite3_value *value, bool before, int64_t *last)
{
    if (sqlite3_value_type(value) != SQLITE_INTEGER)
        return false;
    *last = sqlite3_value_int64(value);
    if (before && *last > INT64_MIN)
        --*last;
    return true;
}

static int pass_filter(struct cursor *cursor, int plan, int argc, sqlite3_value **argv)
{
    struct sql_table *of = table_of(cursor);
    int status = weft_rows_open(&cursor->rows, of->sql->tables, of->table);
    if (status == -ENOMEM)
        return SQLITE_NOMEM;
    if (status < 0) {
        sql_keep_trace_error(of->sql, cursor->rows, status);
        cursor->ended = true;
        return SQLITE_OK;
    }
    int64_t last;
    if (plan & (PLAN_UNTIL | PLAN_BEFORE) && bound_of(argv[0], plan & PLAN_BEFORE, &last))
        weft_rows_until(cursor->rows, last);
    if (plan & PLAN_WHERE && sqlite3_value_type(argv[argc - 1]) == SQLITE_INTEGER) {
        int64_t value = sqlite3_value_int64(argv[argc - 1]);
        int column = plan >> PLAN_COLUMN_SHIFT;
        weft_rows_where(cursor->rows, (size_t)column, value);
        if (column == of->table->order)
            weft_rows_until(cursor->rows, value);
    }
    return pass_step(cursor);
}

/* -------- cursors -------- */

static int module_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    (void)table;
    struct cursor *cursor = sqlite3_malloc(sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

static int module_close(sqlite3_vtab_cursor *base)
{
    struct cursor *cursor = (struct cursor *)base;
    weft_rows_close(cursor->rows);
    sqlite3_finalize(cursor->statement);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int module_filter(sqlite3_vtab_cursor *base, int plan, const char *name, int argc,
                         sqlite3_value **argv)
{
    (void)name;
    struct cursor *cursor = (struct cursor *)base;
    struct sql_table *of = table_of(cursor);
    weft_rows_close(cursor->rows);
    cursor->rows = NULL;
    cursor->ended = false;
    cursor->row = 0;
    bool again = cursor->scans++ > 0 || of->scans++ >= SQL_SCANS_BEFORE_STORE || of->stored;
    return (again ? stored_filter : pass_filter)(cursor, plan, argc, argv);
}

static int module_next(sqlite3_vtab_cursor *base)
{
    struct cursor *cursor = (struct cursor *)base;
    cursor->row++;
    return cursor->rows ? pass_step(cursor) : stored_step(cursor);
}

static int module_eof(sqlite3_vtab_cursor *base)
{
    return ((struct cursor *)base)->ended;
}

static void give(sqlite3_context *context, const weft_value *value)
{
    if (value && value->type == WEFT_VALUE_INTEGER)
        sqlite3_result_int64(context, value->u.integer);
    else if (value && value->type == WEFT_VALUE_TEXT)
        sqlite3_result_text64(context, value->u.text.data, value->u.text.size, SQLITE_TRANSIENT,
                              SQLITE_UTF8);
    else
        sqlite3_result_null(context);
}

static int module_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct cursor *cursor = (struct cursor *)base;
    if (cursor->rows) {
        give(context, weft_rows_value(cursor->rows, (size_t)column));
    } else if (sqlite3_column_type(cursor->statement, column) == SQLITE_INTEGER) {
        sqlite3_result_int64(context, sqlite3_column_int64(cursor->statement, column));
    } else if (sqlite3_column_type(cursor->statement, column) == SQLITE_TEXT) {
        const unsigned char *text = sqlite3_column_text(cursor->statement, column);
        sqlite3_result_text(context, (const char *)text,
                            sqlite3_column_bytes(cursor->statement, column), SQLITE_TRANSIENT);
    }
    return SQLITE_OK;
}

static int module_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *row)
{
    *row = ((struct cursor *)base)->row;
    return SQLITE_OK;
}

/* Without xCreate a table exists under the module's name and cannot be created. */
const sqlite3_module sql_module = {
    .xConnect = module_connect,
    .xBestIndex = module_best_index,
    .xDisconnect = module_disconnect,
    .xOpen = module_open,
    .xClose = module_close,
    .xFilter = module_filter,
    .xNext = module_next,
    .xEof = module_eof,
    .xColumn = module_column,
    .xRowid = module_rowid,
};
#endif
