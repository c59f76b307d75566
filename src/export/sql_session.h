/* SPDX-License-Identifier: MIT */
#ifndef WEFT_EXPORT_SQL_SESSION_H
#define WEFT_EXPORT_SQL_SESSION_H

/* What the parts of weft_sql share. */

#include "export/sql_store.h"

/* A table that one cursor goes through again, or that is opened more often, is stored. */
#define SQL_SCANS_BEFORE_STORE 4

/* A virtual table of a connection. */
struct sql_table {
    struct weft_sql *sql;
    const weft_table *table;
    unsigned scans;
    bool stored; /* in sql->store */
};

struct weft_sql {
    sqlite3 *db;
    sqlite3 *store; /* an unnamed temporary file; NULL until needed */
    weft_tables *tables;
    sqlite3_stmt *statement;
    struct sql_table each[32];
    uint64_t budget, steps;
    bool declaring;    /* a virtual table is being declared, which no query could do */
    char message[512]; /* the error */
    ptrdiff_t offset;
    bool trace_failed;
    weft_reader_error trace_error;
    char trace_rule[16], trace_message[512];
};

/* The module behind all virtual tables (sql_module.c); its client data is a struct sql_table. */
extern const sqlite3_module sql_module;

/* A pass has ended with a negative status: keeps why. */
void sql_keep_trace_error(struct weft_sql *sql, const weft_rows *rows, int status);

#endif
