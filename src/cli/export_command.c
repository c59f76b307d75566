/* SPDX-License-Identifier: MIT */
/* A whole trace in the formats of other tools. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/export.h>
#include <weft/sql.h>

#include "gzip.h"
#include "print_rows.h"
#include "reopen.h"
#include "report.h"

#define TABLES 32

struct request {
    const char *path, *output, *to, *table;
};

static int cannot_write(const char *path, int status)
{
    cli_message("%s: cannot write: %s\n", path, strerror(-status));
    return 1;
}

/* -------- one stream: Perfetto, Chrome, folded stacks -------- */

typedef int (*export_fn)(weft_reader *reader, weft_write_fn write, void *context);

static bool ends_in(const char *text, const char *end)
{
    size_t size = strlen(text), tail = strlen(end);
    return size >= tail && strcmp(text + size - tail, end) == 0;
}

static int export_stream(const struct request *request, export_fn convert)
{
    struct cli_sink sink;
    weft_reader *reader = cli_open(request->path);
    if (!reader)
        return 1;
    int status = cli_sink_open(&sink, request->output, ends_in(request->output, ".gz"));
    if (status) {
        weft_reader_free(reader);
        return cannot_write(request->output, status);
    }
    status = convert(reader, cli_sink_write, &sink);
    int closed = cli_sink_close(&sink), failed = 0;
    bool bad_trace = *weft_reader_error_get(reader)->rule;
    if (closed || (status < 0 && !bad_trace))
        failed = cannot_write(request->output, closed ? closed : status);
    else
        failed = cli_finish(request->path, reader, status);
    weft_reader_free(reader);
    return failed;
}

/* -------- tables -------- */

static int report_rows(const struct request *request, const weft_rows *rows, int status)
{
    if (status >= 0)
        return 0;
    if (rows && *weft_rows_error(rows)->rule)
        cli_report(request->path, weft_rows_error(rows));
    else
        cli_message("%s: %s\n", cli_file_name(request->path), strerror(-status));
    cli_message("%s: incomplete: what is written ends there\n", cli_file_name(request->path));
    return 1;
}

struct csv {
    const weft_table *tables[TABLES];
    FILE *files[TABLES];
    size_t count;
};

static void csv_head(FILE *file, const weft_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        fprintf(file, "%s%s", i ? "," : "", table->columns[i].name);
    putc('\n', file);
}

static void csv_row(FILE *file, const weft_rows *rows)
{
    const weft_value *value;
    for (size_t i = 0; (value = weft_rows_value(rows, i)); i++) {
        if (i)
            putc(',', file);
        cli_csv_value(file, value);
    }
    putc('\n', file);
}

/* Returns 0, or 1 after saying why not. */
static int csv_open(struct csv *csv, const weft_table *table, const char *path)
{
    FILE *file = cli_output_open(path);
    if (!file)
        return cannot_write(path, -errno);
    csv->tables[csv->count] = table;
    csv->files[csv->count++] = file;
    csv_head(file, table);
    return 0;
}

static int csv_open_all(struct csv *csv, const struct request *request)
{
    if (request->table)
        return csv_open(csv, weft_table_find(request->table), request->output);
    if (mkdir(request->output, 0777) != 0 && errno != EEXIST)
        return cannot_write(request->output, -errno);
    const weft_table *table;
    int failed = 0;
    for (size_t i = 0; i < TABLES && !failed && (table = weft_table_get(i)); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.csv", request->output, table->name);
        failed = csv_open(csv, table, path);
    }
    return failed;
}

static int csv_close(struct csv *csv, const char *path)
{
    int status = 0;
    for (size_t i = 0; i < csv->count; i++) {
        bool bad = ferror(csv->files[i]) != 0;
        if ((csv->files[i] == stdout ? fflush(stdout) : fclose(csv->files[i])) != 0 || bad)
            status = errno ? -errno : -EIO;
    }
    return status ? cannot_write(path, status) : 0;
}

static int csv_write(struct csv *csv, const struct request *request, struct cli_source *source)
{
    weft_tables *tables;
    weft_rows *rows = NULL;
    int status = weft_tables_new(&tables, cli_source_reader, source);
    if (status == 0)
        status = weft_rows_open_many(&rows, tables, csv->tables, csv->count);
    while (status == 0 && (status = weft_rows_next(rows)) == 1) {
        csv_row(csv->files[weft_rows_table(rows)], rows);
        status = 0;
    }
    int failed = report_rows(request, rows, status);
    weft_rows_close(rows);
    weft_tables_free(tables);
    return failed;
}

static int export_csv(const struct request *request, struct cli_source *source)
{
    struct csv csv = {.count = 0};
    int failed = csv_open_all(&csv, request);
    if (!failed)
        failed = csv_write(&csv, request, source);
    return csv_close(&csv, request->output) | failed;
}

static int export_sqlite(const struct request *request, struct cli_source *source)
{
    weft_reader_error error;
    int status = weft_sql_export(cli_source_reader, source, request->output, &error);
    if (status == 0)
        return 0;
    if (*error.rule) {
        cli_report(request->path, &error);
        cli_message("%s: incomplete: what is written ends there\n", cli_file_name(request->path));
    } else {
        cli_message("%s: %s\n", request->output,
                    *error.message ? error.message : strerror(-status));
    }
    return 1;
}

static int export_tables(const struct request *request,
                         int (*convert)(const struct request *, struct cli_source *))
{
    struct cli_source source;
    int failed = cli_source_open(&source, request->path);
    if (!failed)
        failed = convert(request, &source);
    cli_source_close(&source);
    return failed;
}

/* -------- the command -------- */

static int run(const struct request *request)
{
    static const struct {
        const char *name;
        export_fn convert;
    } streams[] = {{"perfetto", weft_export_perfetto},
                   {"chrome", weft_export_chrome},
                   {"folded", weft_export_states}};
    for (unsigned i = 0; i < sizeof streams / sizeof *streams; i++)
        if (strcmp(request->to, streams[i].name) == 0)
            return export_stream(request, streams[i].convert);
    if (strcmp(request->to, "sqlite") == 0)
        return export_tables(request, export_sqlite);
    return export_tables(request, export_csv);
}

static bool is_format(const char *name)
{
    static const char *const names[] = {"perfetto", "chrome", "sqlite", "csv", "folded"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

int cli_export(int argc, char **argv)
{
    struct request request = {0};
    const struct cli_option options[] = {CLI_TEXT('t', "to", &request.to),
                                         CLI_TEXT('o', "output", &request.output),
                                         CLI_TEXT(0, "table", &request.table), CLI_END};
    int status = cli_parse(argc, argv, options, &request.path);
    if (status >= 0)
        return status;
    if (!request.to || !is_format(request.to))
        return cli_usage(argv[0], "--to is perfetto, chrome, sqlite, csv or folded%s%s",
                         request.to ? ", not " : "", request.to ? request.to : "");
    if (!request.output)
        return cli_usage(argv[0], "where to? -o OUTPUT");
    if (request.table && strcmp(request.to, "csv") != 0)
        return cli_usage(argv[0], "--table is for --to csv");
    if (request.table && !weft_table_find(request.table))
        return cli_usage(argv[0], "there is no table %s; weft query --schema lists them",
                         request.table);
    bool stream = strcmp(request.output, "-") == 0;
    if (stream &&
        (strcmp(request.to, "sqlite") == 0 || (strcmp(request.to, "csv") == 0 && !request.table)))
        return cli_usage(argv[0], "%s cannot go to the standard output", request.to);
    if (stream && strcmp(request.to, "perfetto") == 0 && isatty(STDOUT_FILENO))
        return cli_usage(argv[0], "a trace is no text for a terminal");
    return run(&request);
}
