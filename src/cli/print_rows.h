/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_PRINT_ROWS_H
#define WEFT_CLI_PRINT_ROWS_H

/*
 * Rows of values as text. A table for people is as wide as its first rows need: they are kept until
 * there are enough of them, the others are printed as they come.
 */

#include <stdio.h>

#include <weft/table.h>

enum cli_rows_format { CLI_ROWS_TABLE, CLI_ROWS_CSV, CLI_ROWS_JSON, CLI_ROWS_JSONL };

struct cli_rows {
    enum cli_rows_format format;
    size_t columns, count; /* rows so far */
    const char *const *names;
    size_t *widths; /* CLI_ROWS_TABLE: in characters */
    char **kept;    /* texts of the first rows */
    uint8_t *kept_type;
    size_t kept_count;
};

/* "table", "csv", … Returns 0, or -1 for another word. */
int cli_rows_format_parse(const char *word, enum cli_rows_format *format);

/* names must hold until end. Functions give 0 or -ENOMEM; end is needed in any case. */
int cli_rows_begin(struct cli_rows *rows, enum cli_rows_format format, const char *const *names,
                   size_t columns);
int cli_rows_add(struct cli_rows *rows, const weft_value *values);
void cli_rows_end(struct cli_rows *rows);

/* A value of CSV (RFC 4180): null is empty, texts are quoted where they must be. */
void cli_csv_value(FILE *file, const weft_value *value);

#endif
