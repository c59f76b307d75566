/* SPDX-License-Identifier: MIT */
#include "print_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "report.h"

/* Rows of a table that are looked at before it is printed, and how wide one column may get. */
#define KEPT_ROWS 200
#define WIDEST    60

int cli_rows_format_parse(const char *word, enum cli_rows_format *format)
{
    static const char *const words[] = {"table", "csv", "json", "jsonl"};
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        *format = (enum cli_rows_format)i;
        if (strcmp(word, words[i]) == 0)
            return 0;
    }
    return -1;
}

/* -------- CSV -------- */

static bool needs_quotes(weft_text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (strchr("\",\r\n", text.data[i]) && text.data[i])
            return true;
    return text.size == 0;
}

static void csv_text(FILE *file, weft_text text)
{
    if (!needs_quotes(text)) {
        fwrite(text.data, 1, text.size, file);
        return;
    }
    putc('"', file);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            putc('"', file);
        putc(text.data[i], file);
    }
    putc('"', file);
}

/* Digits of a number that read back as the same number. */
static void real_text(char *text, size_t size, double real)
{
    snprintf(text, size, "%.15g", real);
    if (strtod(text, NULL) != real)
        snprintf(text, size, "%.17g", real);
}

void cli_csv_value(FILE *file, const weft_value *value)
{
    char number[32];
    if (value->type == WEFT_VALUE_TEXT) {
        csv_text(file, value->u.text);
    } else if (value->type == WEFT_VALUE_INTEGER) {
        fprintf(file, "%lld", (long long)value->u.integer);
    } else if (value->type == WEFT_VALUE_REAL) {
        real_text(number, sizeof number, value->u.real);
        fputs(number, file);
    }
}

static void csv_row(const struct cli_rows *rows, const weft_value *values)
{
    for (size_t i = 0; i < rows->columns; i++) {
        if (i)
            putc(',', stdout);
        cli_csv_value(stdout, &values[i]);
    }
    putc('\n', stdout);
}

static void csv_head(const struct cli_rows *rows)
{
    for (size_t i = 0; i < rows->columns; i++) {
        if (i)
            putc(',', stdout);
        csv_text(stdout, (weft_text){rows->names[i], strlen(rows->names[i])});
    }
    putc('\n', stdout);
}

/* -------- JSON -------- */

/* Infinity has no number in JSON. */
static void json_value(const weft_value *value)
{
    char number[32];
    if (value->type == WEFT_VALUE_TEXT) {
        cli_json_quote(value->u.text);
    } else if (value->type == WEFT_VALUE_INTEGER) {
        cli_put_signed(value->u.integer);
    } else if (value->type == WEFT_VALUE_REAL && value->u.real - value->u.real == 0) {
        real_text(number, sizeof number, value->u.real);
        cli_put_text(number);
    } else {
        cli_put_text("null");
    }
}

static void json_row(const struct cli_rows *rows, const weft_value *values)
{
    if (rows->format == CLI_ROWS_JSON)
        cli_put_text(rows->count ? ",\n" : "\n");
    cli_put_char('{');
    for (size_t i = 0; i < rows->columns; i++) {
        if (i)
            cli_put_char(',');
        cli_json_quote((weft_text){rows->names[i], strlen(rows->names[i])});
        cli_put_char(':');
        json_value(&values[i]);
    }
    cli_put_char('}');
    if (rows->format == CLI_ROWS_JSONL)
        cli_put_char('\n');
}

/* -------- tables -------- */

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* A copy of what a value looks like. NULL without memory. */
static char *text_of(const weft_value *value)
{
    char number[32] = "";
    if (value->type == WEFT_VALUE_TEXT) {
        char *copy = malloc(value->u.text.size + 1);
        if (copy && value->u.text.size)
            memcpy(copy, value->u.text.data, value->u.text.size);
        if (copy)
            copy[value->u.text.size] = 0;
        return copy;
    }
    if (value->type == WEFT_VALUE_INTEGER)
        snprintf(number, sizeof number, "%lld", (long long)value->u.integer);
    else if (value->type == WEFT_VALUE_REAL)
        snprintf(number, sizeof number, "%.6g", value->u.real);
    return strdup(number);
}

/* The last column is neither cut nor padded, unless it is a number. */
static void put_cell(const struct cli_rows *rows, size_t column, const char *text, uint8_t type)
{
    bool last = column + 1 == rows->columns;
    if (column)
        cli_put_text("  ");
    if (type == WEFT_VALUE_INTEGER || type == WEFT_VALUE_REAL)
        cli_put_right(text, rows->widths[column]);
    else
        cli_put_name((weft_text){text, strlen(text)}, last ? 0 : rows->widths[column]);
    if (last)
        cli_put_char('\n');
}

/* A heading stands where the values stand: at the right if the first one is a number. */
static void table_head(const struct cli_rows *rows)
{
    for (size_t i = 0; i < rows->columns; i++)
        put_cell(rows, i, rows->names[i],
                 rows->kept_count ? rows->kept_type[i] : (uint8_t)WEFT_VALUE_TEXT);
    for (size_t i = 0; i < rows->columns; i++) {
        if (i)
            cli_put_text("  ");
        for (size_t k = 0; k < rows->widths[i]; k++)
            cli_put_char('-');
    }
    cli_put_char('\n');
}

/* Prints what was kept, with the heading. */
static void release(struct cli_rows *rows)
{
    if (!rows->columns || !rows->widths)
        return;
    table_head(rows);
    for (size_t i = 0; i < rows->kept_count * rows->columns; i++)
        put_cell(rows, i % rows->columns, rows->kept[i], rows->kept_type[i]);
}

static void forget(struct cli_rows *rows)
{
    for (size_t i = 0; rows->kept && i < rows->kept_count * rows->columns; i++)
        free(rows->kept[i]);
    rows->kept_count = 0;
}

static int keep(struct cli_rows *rows, const weft_value *values)
{
    char **kept = &rows->kept[rows->kept_count * rows->columns];
    uint8_t *types = &rows->kept_type[rows->kept_count * rows->columns];
    for (size_t i = 0; i < rows->columns; i++) {
        kept[i] = text_of(&values[i]);
        if (!kept[i]) {
            while (i-- > 0)
                free(kept[i]);
            return -ENOMEM;
        }
        types[i] = values[i].type;
        size_t width = characters(kept[i]);
        if (width > WIDEST)
            width = WIDEST;
        if (width > rows->widths[i])
            rows->widths[i] = width;
    }
    rows->kept_count++;
    return 0;
}

static int table_row(struct cli_rows *rows, const weft_value *values)
{
    if (rows->count < KEPT_ROWS)
        return keep(rows, values);
    if (rows->count == KEPT_ROWS) {
        release(rows);
        forget(rows);
    }
    for (size_t i = 0; i < rows->columns; i++) {
        char *text = text_of(&values[i]);
        if (!text)
            return -ENOMEM;
        put_cell(rows, i, text, values[i].type);
        free(text);
    }
    return 0;
}

static int table_begin(struct cli_rows *rows)
{
    size_t cells = (rows->columns + 1) * KEPT_ROWS;
    rows->widths = calloc(rows->columns + 1, sizeof *rows->widths);
    rows->kept = calloc(cells, sizeof *rows->kept);
    rows->kept_type = calloc(cells, 1);
    if (!rows->widths || !rows->kept || !rows->kept_type)
        return -ENOMEM;
    for (size_t i = 0; i < rows->columns; i++)
        rows->widths[i] = characters(rows->names[i]);
    return 0;
}

/* -------- any format -------- */

int cli_rows_begin(struct cli_rows *rows, enum cli_rows_format format, const char *const *names,
                   size_t columns)
{
    *rows = (struct cli_rows){.format = format, .columns = columns, .names = names};
    if (format == CLI_ROWS_TABLE)
        return table_begin(rows);
    if (format == CLI_ROWS_CSV) {
        cli_progress_output(); /* values go there without cli_put */
        csv_head(rows);
    }
    if (format == CLI_ROWS_JSON)
        cli_put_char('[');
    return 0;
}

int cli_rows_add(struct cli_rows *rows, const weft_value *values)
{
    int status = 0;
    if (rows->format == CLI_ROWS_TABLE)
        status = table_row(rows, values);
    else if (rows->format == CLI_ROWS_CSV)
        csv_row(rows, values);
    else
        json_row(rows, values);
    rows->count++;
    return status;
}

void cli_rows_end(struct cli_rows *rows)
{
    if (rows->format == CLI_ROWS_JSON)
        cli_put_text("\n]\n");
    if (rows->format == CLI_ROWS_TABLE && rows->count <= KEPT_ROWS)
        release(rows);
    forget(rows);
    free(rows->widths);
    free(rows->kept);
    free(rows->kept_type);
}
