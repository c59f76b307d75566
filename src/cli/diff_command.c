/* SPDX-License-Identifier: MIT */
/* Two runs compared. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/diff.h>

#include "report.h"

typedef unsigned long long ull;

#define NAME_WIDTH 36

/* One of the two runs. */
struct run {
    const char *path;
    weft_diff *diff;
    unsigned side;
    int64_t span;
    uint64_t goroutines;
    bool system; /* whether the runtime's goroutines count */
    int status;  /* of reading */
};

/* -------- reading -------- */

static int on_goroutine(void *context, const weft_goroutine_stats *goroutine)
{
    struct run *run = context;
    if (goroutine->is_system && !run->system)
        return 0;
    run->goroutines++;
    return weft_diff_goroutine(run->diff, run->side, goroutine);
}

/* Returns the exit status of reading; run->status is -ENOMEM if nothing can be shown. */
static int read_run(struct run *run)
{
    weft_summary *summary;
    weft_reader *reader = cli_open(run->path);
    if (!reader) {
        run->status = -ENOENT;
        return 1;
    }
    run->status = weft_summary_new(&summary, reader);
    if (run->status == 0) {
        weft_summary_each_goroutine(summary, on_goroutine, run);
        run->status = cli_summary_read(reader, summary);
    }
    if (run->status != -ENOMEM) {
        const weft_totals *totals = weft_summary_totals(summary);
        run->span = totals->end - totals->begin;
    }
    int exit_status = cli_finish(run->path, reader, run->status);
    weft_summary_free(summary);
    weft_reader_free(reader);
    return exit_status;
}

/* -------- for people -------- */

/* "+1.20 ms"; "-3.00 s". */
static void put_change(int64_t change, size_t width)
{
    char text[sizeof(struct cli_number) + 1];
    snprintf(text, sizeof text, "%c%s", change < 0 ? '-' : '+',
             cli_duration(change < 0 ? -change : change).text);
    cli_put_right(text, width);
}

static int64_t mean(const weft_diff_side *side)
{
    return side->goroutines ? side->time / (int64_t)side->goroutines : 0;
}

static void put_pair(int64_t first, int64_t second)
{
    cli_put_right(cli_duration(first).text, 11);
    cli_put_text(" →");
    cli_put_right(cli_duration(second).text, 9);
}

static void put_cause(const weft_diff_row *row)
{
    static const char *const words[] = {"running", "runnable", "blocked", "in system calls"};
    cli_put_text("  ");
    cli_put_text(words[row->spent]);
    if (row->spent == WEFT_SPENT_BLOCKED) {
        cli_put_text(", ");
        cli_put_name(row->reason.size ? row->reason : (weft_text){"no reason given", 15}, 0);
    }
    if (row->side[0].goroutines == 0)
        cli_put_text(" (new)");
    if (row->side[1].goroutines == 0)
        cli_put_text(" (gone)");
    cli_put_char('\n');
}

static void put_row(const weft_diff_row *row)
{
    const weft_diff_side *side = row->side;
    put_change(row->effect, 10);
    put_pair(side[0].time, side[1].time);
    put_pair(mean(&side[0]), mean(&side[1]));
    put_pair(side[0].p50, side[1].p50);
    put_pair(side[0].p99, side[1].p99);
    cli_put_text("  ");
    cli_put_name(row->group.size ? row->group : (weft_text){"(no stack seen)", 15}, NAME_WIDTH);
    put_cause(row);
}

static void put_title(const char *title)
{
    cli_printf("\n%10s%22s%22s%22s%22s  %s\n", "effect", "all goroutines", "each, mean",
               "p50 of those with", "p99 of those with", title);
}

/* The rows whose effect has a sign, the largest first. */
static void put_rows(const weft_diff_row *rows, size_t count, bool slower, uint64_t top)
{
    size_t shown = 0, all = 0;
    put_title(slower ? "what became slower" : "what became faster");
    for (size_t i = 0; i < count; i++) {
        const weft_diff_row *row = &rows[slower ? i : count - 1 - i];
        if (slower ? row->effect <= 0 : row->effect >= 0)
            break;
        all++;
        if (top && shown == top)
            continue;
        shown++;
        put_row(row);
    }
    if (all > shown)
        cli_printf("… and %zu more (--top 0 shows all)\n", all - shown);
}

static void put_run(const struct run *run)
{
    cli_put_text(run->side ? "Second  " : "First   ");
    cli_put_text(cli_file_name(run->path));
    cli_printf(": %s, %llu goroutines\n", cli_duration(run->span).text, (ull)run->goroutines);
}

/* -------- JSON -------- */

static void json_side(const char *key, const weft_diff_side *side)
{
    cli_json_begin(key, '{');
    cli_json_unsigned("goroutines", side->goroutines);
    cli_json_unsigned("goroutines_with", side->with);
    cli_json_unsigned("count", side->count);
    cli_json_signed("ns", side->time);
    cli_json_signed("mean_ns", mean(side));
    cli_json_signed("p50_ns", side->p50);
    cli_json_signed("p99_ns", side->p99);
    cli_json_end();
}

static void json_run(const char *key, const struct run *run)
{
    cli_json_begin(key, '{');
    cli_json_string("file", cli_file_name(run->path));
    cli_json_bool("complete", run->status == 0);
    cli_json_signed("span_ns", run->span);
    cli_json_unsigned("goroutines", run->goroutines);
    cli_json_end();
}

static void put_json(const struct run *runs, const weft_diff_row *rows, size_t count)
{
    cli_json_begin(NULL, '{');
    json_run("first", &runs[0]);
    json_run("second", &runs[1]);
    cli_json_begin("rows", '[');
    for (size_t i = 0; i < count; i++) {
        cli_json_begin(NULL, '{');
        cli_json_text("group", rows[i].group);
        cli_json_string("state", weft_spent_name(rows[i].spent));
        cli_json_text("reason", rows[i].reason);
        cli_json_signed("effect_ns", rows[i].effect);
        json_side("first", &rows[i].side[0]);
        json_side("second", &rows[i].side[1]);
        cli_json_end();
    }
    cli_json_end();
    cli_json_end();
}

/* -------- the command -------- */

static void show(const weft_diff *diff, const struct run *runs, uint64_t top, bool json)
{
    size_t count;
    const weft_diff_row *rows = weft_diff_rows(diff, &count);
    if (json) {
        put_json(runs, rows, count);
        return;
    }
    put_run(&runs[0]);
    put_run(&runs[1]);
    put_rows(rows, count, true, top);
    put_rows(rows, count, false, top);
}

static int out_of_memory(void)
{
    cli_message("weft: out of memory\n");
    return 1;
}

static int compare(struct run *runs, uint64_t top, bool json)
{
    weft_diff *diff;
    if (weft_diff_new(&diff) != 0)
        return out_of_memory();
    runs[0].diff = runs[1].diff = diff;
    int status = read_run(&runs[0]);
    bool usable = runs[0].status != -ENOENT && runs[0].status != -ENOMEM;
    if (usable) {
        status |= read_run(&runs[1]);
        usable = runs[1].status != -ENOENT && runs[1].status != -ENOMEM;
    }
    if (usable && weft_diff_finish(diff) != 0)
        status = out_of_memory();
    else if (usable)
        show(diff, runs, top, json);
    weft_diff_free(diff);
    return cli_flush(status);
}

int cli_diff(int argc, char **argv)
{
    struct run runs[2] = {{.side = 0}, {.side = 1}};
    const char *paths[2];
    bool json = false, system = false;
    uint64_t top = 15;
    const struct cli_option options[] = {CLI_NUMBER('n', "top", &top), CLI_FLAG('j', "json", &json),
                                         CLI_FLAG(0, "system", &system), CLI_END};
    int status = cli_parse_operands(argc, argv, options, paths, 1, 2);
    if (status >= 0)
        return status;
    if (!paths[1])
        return cli_usage(argv[0], "two files to compare");
    for (int i = 0; i < 2; i++) {
        runs[i].path = paths[i];
        runs[i].system = system;
    }
    return compare(runs, top, json);
}
