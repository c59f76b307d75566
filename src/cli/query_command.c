/* SPDX-License-Identifier: MIT */
/* SQL over a trace. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/sql.h>

#include "print_rows.h"
#include "report.h"
#include "reopen.h"

struct query {
    const char *path;   /* of the trace */
    const char *origin; /* of the SQL: a file's name, or NULL */
    char *text;
    size_t size;
    enum cli_rows_format format;
};

/* -------- the schema -------- */

static void put_table(const weft_table *table)
{
    cli_printf("%s: %s", table->name, table->help);
    if (table->order >= 0)
        cli_printf("; in the order of %s", table->columns[table->order].name);
    cli_put_char('\n');
    for (size_t i = 0; i < table->count; i++) {
        const weft_column *column = &table->columns[i];
        cli_printf("    %-16s %-8s %s\n", column->name,
                   column->type == WEFT_VALUE_TEXT ? "text" : "integer", column->help);
    }
    cli_put_char('\n');
}

static int put_schema(void)
{
    const weft_table *table;
    for (size_t i = 0; (table = weft_table_get(i)); i++)
        put_table(table);
    cli_put_text(
        "Times are nanoseconds on the trace's clock; what is not known is null. Stacks have the\n"
        "same number in every table: JOIN stacks ON stacks.id = intervals.stack, for instance.\n");
    return cli_flush(0);
}

/* -------- mistakes -------- */

/* Says what is wrong, and where in the SQL: line and column, from 1. */
static int complain(const struct query *query, const char *message, size_t offset, bool placed)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < offset && i < query->size; i++) {
        column = query->text[i] == '\n' ? 1 : column + 1;
        line += query->text[i] == '\n';
    }
    const char *origin = query->origin ? cli_file_name(query->origin) : "SQL";
    if (placed)
        cli_message("%s: %zu:%zu: %s\n", origin, line, column, message);
    else
        cli_message("%s: statement at %zu:%zu: %s\n", origin, line, column, message);
    return 1;
}

static int complain_sql(const struct query *query, const weft_sql *sql, size_t at)
{
    ptrdiff_t offset;
    const char *message = weft_sql_error(sql, &offset);
    bool placed = offset >= 0;
    return complain(query, message, at + (placed ? (size_t)offset : 0), placed);
}

/* -------- running -------- */

static int print_result(weft_sql *sql, enum cli_rows_format format)
{
    size_t columns = weft_sql_columns(sql);
    const char **names = calloc(columns + 1, sizeof *names);
    weft_value *values = calloc(columns + 1, sizeof *values);
    int status = names && values ? 0 : -ENOMEM;
    for (size_t i = 0; i < columns && !status; i++)
        names[i] = weft_sql_column(sql, i);
    struct cli_rows rows = {0};
    if (!status)
        status = cli_rows_begin(&rows, format, names, columns);
    if (!status) {
        int failed = 0;
        while (!failed && (status = weft_sql_step(sql)) == 1) {
            for (size_t i = 0; i < columns; i++)
                values[i] = weft_sql_value(sql, i);
            failed = cli_rows_add(&rows, values);
        }
        status = failed ? failed : status;
    }
    cli_rows_end(&rows);
    free(names);
    free(values);
    return status;
}

static int run_all(const struct query *query, weft_sql *sql)
{
    size_t at = 0, used;
    int status;
    while ((status = weft_sql_prepare(sql, query->text + at, query->size - at, &used)) == 1) {
        size_t start = at + strspn(query->text + at, " \t\r\n;");
        at += used;
        status = print_result(sql, query->format);
        if (status < 0)
            return complain_sql(query, sql, start);
    }
    return status < 0 ? complain_sql(query, sql, at) : 0;
}

static int run_query(const struct query *query, struct cli_source *source)
{
    weft_sql *sql;
    int status = weft_sql_new(&sql, cli_source_reader, source);
    if (status) {
        cli_message("weft query: %s\n",
                    status == -ENOTSUP ? "this tool was built without SQLite" : strerror(-status));
        return 1;
    }
    status = cli_flush(run_all(query, sql));
    const weft_reader_error *error = weft_sql_trace_error(sql);
    if (error) {
        status = cli_report(query->path, error);
        cli_message("%s: incomplete: what is shown ends there\n", cli_file_name(query->path));
    }
    weft_sql_free(sql);
    return status;
}

/* -------- the command -------- */

/* Reads a whole file. Returns 0, or 1 after saying why not. */
static int read_text(struct query *query)
{
    bool standard = strcmp(query->origin, "-") == 0;
    FILE *file = standard ? stdin : fopen(query->origin, "rb");
    size_t room = 0, n = 1;
    while (file && n > 0) {
        if (query->size + 1 >= room) {
            char *text = realloc(query->text, room = 2 * room + 4096);
            if (!text)
                break;
            query->text = text;
        }
        n = fread(query->text + query->size, 1, room - query->size - 1, file);
        query->size += n;
        query->text[query->size] = 0;
    }
    bool bad = !file || n > 0 || ferror(file);
    if (bad)
        cli_message("%s: %s\n", cli_file_name(query->origin), strerror(errno));
    if (file && !standard)
        fclose(file);
    return bad;
}

static int prepare(struct query *query, const char *text)
{
    if (query->origin)
        return read_text(query);
    query->text = strdup(text);
    query->size = strlen(text);
    return query->text == NULL;
}

int cli_query(int argc, char **argv)
{
    struct query query = {0};
    bool schema = false;
    const char *format = "table", *operands[2];
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--schema") == 0)
            return put_schema();
    const struct cli_option options[] = {CLI_TEXT(0, "format", &format),
                                         CLI_TEXT('f', "file", &query.origin),
                                         CLI_FLAG(0, "schema", &schema), CLI_END};
    int status = cli_parse_operands(argc, argv, options, operands, 1, 2);
    if (status >= 0)
        return status;
    query.path = operands[0];
    if (cli_rows_format_parse(format, &query.format) != 0)
        return cli_usage(argv[0], "--format is table, csv, json or jsonl, not %s", format);
    if (!query.origin == !operands[1])
        return cli_usage(argv[0], "one query: either behind the file, or from a file with -f");
    if (query.origin && strcmp(query.origin, "-") == 0 && strcmp(query.path, "-") == 0)
        return cli_usage(argv[0], "the standard input is either the trace or the SQL");
    struct cli_source source;
    status = prepare(&query, operands[1]);
    if (!status) {
        status = cli_source_open(&source, query.path);
        if (!status)
            status = run_query(&query, &source);
        cli_source_close(&source);
    }
    free(query.text);
    return status;
}
