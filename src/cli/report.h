/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_REPORT_H
#define WEFT_CLI_REPORT_H

/* What the commands that print analyses share: numbers for people, tables, and JSON. */

#include <weft/analysis.h>
#include <weft/collector.h>

#include "cli.h"
#include "moment.h"

/* To the command's output, in order with cli_put. */
void cli_printf(const char *format, ...) WEFT_PRINTF(1, 2);

/* Text of a trace, control characters replaced; cut or padded to width characters if that is not 0.
 */
void cli_put_name(weft_text text, size_t width);

/* "1.23 ms" and "4.50 MiB", in a buffer of the caller. */
struct cli_number {
    char text[32];
};
/* A text at the right of a column; printf counts bytes, which "µs" has more of than characters. */
void cli_put_right(const char *text, size_t width);
struct cli_number cli_duration(int64_t ns);
struct cli_number cli_bytes(uint64_t bytes);
/* "12.3 %", or "-" where there is nothing to divide by. */
struct cli_number cli_percent(int64_t part, int64_t whole);

/* "network 1.2 s (120), select 3 ms (2)": at most a number of them, all if it is 0. */
void cli_put_shares(weft_shares shares, size_t most);

/* "function  file:line"; nothing for a place without a function. */
void cli_put_place(const weft_place *place);

/* All times that a goroutine can spend, in the order of the columns. */
int64_t cli_sum_times(const weft_times *times);

/*
 * Says on stderr why reading ended early, if it did (status < 0), after the results that were
 * sound. Returns the exit status.
 */
int cli_finish(const char *path, const weft_reader *reader, int status);

/* Feeds all events of a reader and finishes. Returns 0, or what went wrong. */
int cli_summary_read(weft_reader *reader, weft_summary *summary);

int cli_collector_read(weft_reader *reader, weft_collector *collector);

/* A number of an option: digits only. False if it is none. */
bool cli_number_parse(const char *text, uint64_t *number);

/* Takes an id, the last operand, out of argv: the rest is as with other commands. */
bool cli_take_id(int *argc, char **argv, uint64_t *id);

/* A text of JSON, in quotes. */
void cli_json_quote(weft_text text);

/* JSON: values, with a key within an object and NULL within an array; brackets are closed by end.
 */
void cli_json_begin(const char *key, char bracket);
void cli_json_end(void);
void cli_json_unsigned(const char *key, uint64_t number);
void cli_json_signed(const char *key, int64_t number);
void cli_json_real(const char *key, double number);
void cli_json_bool(const char *key, bool value);
void cli_json_null(const char *key);
void cli_json_string(const char *key, const char *string);
void cli_json_text(const char *key, weft_text text);
/* An id, null for WEFT_ID_NONE. */
void cli_json_id(const char *key, uint64_t id);
/* Members: the number of durations, their sum, and quantiles. */
void cli_json_lengths(const weft_histogram *lengths);
/* Objects of several members. */
void cli_json_shares(const char *key, weft_shares shares);
void cli_json_times(const weft_times *times, weft_shares blocked, weft_shares ranges);
void cli_json_place(const char *key, const weft_place *place);
/* The members of a goroutine's object. */
void cli_json_goroutine(const weft_goroutine_stats *stats);

#endif
