/* SPDX-License-Identifier: MIT */
#if WEFT_WITH_SQLITE
#include "export/sql_store.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

char *sql_definition(const weft_table *table)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendf(text, "CREATE TABLE \"%w\"(", table->name);
    for (size_t i = 0; i < table->count; i++)
        sqlite3_str_appendf(text, "%s\"%w\" %s", i ? ", " : "", table->columns[i].name,
                            table->columns[i].type == WEFT_VALUE_TEXT ? "TEXT" : "INTEGER");
    sqlite3_str_appendall(text, ")");
    return sqlite3_str_finish(text);
}

/* Runs a text made by sqlite3_mprintf and frees it. */
static int run(sqlite3 *db, char *text)
{
    int code = text ? sqlite3_exec(db, text, NULL, NULL, NULL) : SQLITE_NOMEM;
    sqlite3_free(text);
    return code;
}

int sql_create(sqlite3 *db, const weft_table *table)
{
    return run(db, sql_definition(table));
}

int sql_index(sqlite3 *db, const weft_table *table, size_t column)
{
    const char *name = table->columns[column].name;
    return run(db, sqlite3_mprintf("CREATE INDEX IF NOT EXISTS \"%w_%w\" ON \"%w\"(\"%w\")",
                                   table->name, name, table->name, name));
}

int sql_index_keys(sqlite3 *db, const weft_table *table)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < table->count && code == SQLITE_OK; i++)
        if (table->columns[i].is_key)
            code = sql_index(db, table, i);
    return code;
}

int sql_inserter(sqlite3 *db, const weft_table *table, sqlite3_stmt **statement)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendf(text, "INSERT INTO \"%w\" VALUES(?", table->name);
    for (size_t i = 1; i < table->count; i++)
        sqlite3_str_appendall(text, ",?");
    sqlite3_str_appendall(text, ")");
    char *sql = sqlite3_str_finish(text);
    *statement = NULL;
    int code = sql ? sqlite3_prepare_v2(db, sql, -1, statement, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    return code;
}

static int bind(sqlite3_stmt *statement, int at, const weft_value *value)
{
    if (value->type == WEFT_VALUE_INTEGER)
        return sqlite3_bind_int64(statement, at, value->u.integer);
    if (value->type == WEFT_VALUE_TEXT)
        return sqlite3_bind_text64(statement, at, value->u.text.data, value->u.text.size,
                                   SQLITE_STATIC, SQLITE_UTF8);
    return sqlite3_bind_null(statement, at);
}

int sql_insert(sqlite3_stmt *statement, const weft_rows *rows)
{
    int code = SQLITE_OK;
    const weft_value *value;
    for (size_t i = 0; code == SQLITE_OK && (value = weft_rows_value(rows, i)); i++)
        code = bind(statement, (int)i + 1, value);
    if (code != SQLITE_OK)
        return code;
    code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int insert_all(sqlite3_stmt *const *statements, weft_rows *rows, int *trace_status)
{
    int code = SQLITE_OK;
    *trace_status = 0;
    while (code == SQLITE_OK && (*trace_status = weft_rows_next(rows)) == 1)
        code = sql_insert(statements[weft_rows_table(rows)], rows);
    return *trace_status == -ENOMEM ? SQLITE_NOMEM : code;
}

int sql_fill(sqlite3 *db, const weft_table *table, weft_rows *rows, int *trace_status)
{
    sqlite3_stmt *statement = NULL;
    int code = sql_create(db, table);
    if (code == SQLITE_OK)
        code = sql_inserter(db, table, &statement);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = insert_all(&statement, rows, trace_status);
    sqlite3_finalize(statement);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    return code;
}

/* -------- a database file -------- */

struct database {
    sqlite3 *db;
    const weft_table *tables[32];
    sqlite3_stmt *statements[32];
    size_t count;
};

static int open_database(struct database *database, const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return SQLITE_CANTOPEN;
    int code =
        sqlite3_open_v2(path, &database->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(database->db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN",
                            NULL, NULL, NULL);
    const weft_table *table;
    for (size_t i = 0; code == SQLITE_OK && i < 32 && (table = weft_table_get(i)); i++) {
        database->tables[database->count] = table;
        code = sql_create(database->db, table);
        if (code == SQLITE_OK)
            code = sql_inserter(database->db, table, &database->statements[database->count++]);
    }
    return code;
}

static int finish_database(struct database *database, int code)
{
    for (size_t i = 0; i < database->count; i++)
        sqlite3_finalize(database->statements[i]);
    for (size_t i = 0; i < database->count && code == SQLITE_OK; i++)
        code = sql_index_keys(database->db, database->tables[i]);
    if (code == SQLITE_OK)
        code = sqlite3_exec(database->db, "COMMIT", NULL, NULL, NULL);
    return code;
}

/* Says what SQLite had to say. */
static int explain(const struct database *database, int code, weft_reader_error *error)
{
    static _Thread_local char text[256];
    if (code == SQLITE_NOMEM)
        return -ENOMEM;
    snprintf(text, sizeof text, "cannot write the database: %s",
             database->db && code != SQLITE_CANTOPEN ? sqlite3_errmsg(database->db)
                                                     : sqlite3_errstr(code));
    if (error)
        *error = (weft_reader_error){"", 0, 0, text};
    return -EIO;
}

/* The error of a pass, whose texts must outlive it. */
static void keep_error(const weft_rows *rows, weft_reader_error *error)
{
    static _Thread_local char rule[16], message[512];
    if (!error)
        return;
    *error = *weft_rows_error(rows);
    snprintf(rule, sizeof rule, "%s", error->rule);
    snprintf(message, sizeof message, "%s", error->message);
    error->rule = rule;
    error->message = message;
}

int weft_sql_export(weft_open_fn open, void *context, const char *path, weft_reader_error *error)
{
    struct database database = {0};
    weft_tables *tables;
    weft_rows *rows = NULL;
    int code = SQLITE_OK, trace_status = weft_tables_new(&tables, open, context);
    if (error)
        *error = (weft_reader_error){"", 0, 0, ""};
    if (trace_status)
        return trace_status;
    code = open_database(&database, path);
    if (code == SQLITE_OK)
        trace_status = weft_rows_open_many(&rows, tables, database.tables, database.count);
    if (code == SQLITE_OK && trace_status == 0)
        code = insert_all(database.statements, rows, &trace_status);
    if (rows && trace_status < 0)
        keep_error(rows, error);
    weft_rows_close(rows);
    weft_tables_free(tables);
    code = finish_database(&database, code);
    int status = code == SQLITE_OK ? trace_status : explain(&database, code, error);
    sqlite3_close(database.db);
    return status;
}
#endif
