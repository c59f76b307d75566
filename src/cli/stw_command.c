/* SPDX-License-Identifier: MIT */
/* Stops of the world. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/collector.h>

#include "report.h"

typedef unsigned long long ull;

#define NAME_WIDTH 44

/* -------- for people -------- */

static void put_lengths(const weft_histogram *lengths)
{
    static const double points[] = {0.5, 0.9, 0.99};
    cli_printf("%9llu", (ull)lengths->count);
    cli_put_right(cli_duration(lengths->sum).text, 11);
    for (size_t i = 0; i < 3; i++)
        cli_put_right(cli_duration(weft_histogram_quantile(lengths, points[i])).text, 11);
    cli_put_right(cli_duration(lengths->max).text, 11);
    cli_put_char('\n');
}

static void put_groups(const weft_collector *collector)
{
    weft_pause_group group;
    cli_printf("%-*s%9s%11s%11s%11s%11s%11s\n", NAME_WIDTH, "Stops", "count", "total", "p50", "p90",
               "p99", "max");
    for (size_t i = 0; weft_collector_pause_group(collector, i, &group) == 0; i++) {
        cli_put_name(group.name, NAME_WIDTH);
        put_lengths(group.lengths);
    }
}

static int by_length(const void *left, const void *right)
{
    const weft_pause *a = left, *b = right;
    int64_t x = a->end - a->begin, y = b->end - b->begin;
    return x != y ? (x < y) - (x > y) : (a->begin > b->begin) - (a->begin < b->begin);
}

static void put_pause(const weft_collector *collector, const weft_pause *pause, int64_t origin)
{
    weft_place place;
    cli_put_right(cli_duration(pause->begin - origin).text, 10);
    cli_put_right(cli_duration(pause->end - pause->begin).text, 11);
    cli_put_text("  ");
    cli_put_name(pause->name, 0);
    if (pause->goroutine != WEFT_ID_NONE)
        cli_printf(" by G%llu", (ull)pause->goroutine);
    if (weft_collector_place(collector, pause->stack, 0, &place) == 0) {
        cli_put_text(" at ");
        cli_put_place(&place);
    }
    cli_put_char('\n');
}

/* The longest stops. 0 or -ENOMEM. */
static int put_longest(const weft_collector *collector, uint64_t top, int64_t origin)
{
    size_t count;
    const weft_pause *pauses = weft_collector_pauses(collector, &count);
    weft_pause *sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    if (count)
        memcpy(sorted, pauses, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_length);
    cli_printf("\n%10s%11s  %s\n", "Begin", "length", "the longest");
    for (size_t i = 0; i < count && (!top || i < top); i++)
        put_pause(collector, &sorted[i], origin);
    if (top && count > top)
        cli_printf("… and %zu more (--top 0 shows all)\n", count - (size_t)top);
    free(sorted);
    return 0;
}

static int put_text(const weft_collector *collector, uint64_t top)
{
    int64_t begin, end, stopped = 0;
    size_t count;
    const weft_pause *pauses = weft_collector_pauses(collector, &count);
    weft_collector_span(collector, &begin, &end);
    for (size_t i = 0; i < count; i++)
        stopped += pauses[i].end - pauses[i].begin;
    cli_printf("%zu stops of the world, %s in all,", count, cli_duration(stopped).text);
    cli_printf(" %s of the time\n", cli_percent(stopped, end - begin).text);
    if (count == 0)
        return 0;
    cli_put_char('\n');
    put_groups(collector);
    return put_longest(collector, top, begin);
}

/* -------- JSON -------- */

static void put_json(const weft_collector *collector, bool complete)
{
    int64_t begin, end;
    size_t count;
    weft_pause_group group;
    const weft_pause *pauses = weft_collector_pauses(collector, &count);
    weft_collector_span(collector, &begin, &end);
    cli_json_begin(NULL, '{');
    cli_json_bool("complete", complete);
    cli_json_signed("begin_ns", begin);
    cli_json_signed("end_ns", end);
    cli_json_begin("groups", '[');
    for (size_t i = 0; weft_collector_pause_group(collector, i, &group) == 0; i++) {
        cli_json_begin(NULL, '{');
        cli_json_text("name", group.name);
        cli_json_lengths(group.lengths);
        cli_json_end();
    }
    cli_json_end();
    cli_json_begin("pauses", '[');
    for (size_t i = 0; i < count; i++) {
        weft_place place;
        cli_json_begin(NULL, '{');
        cli_json_text("name", pauses[i].name);
        cli_json_signed("begin_ns", pauses[i].begin);
        cli_json_signed("end_ns", pauses[i].end);
        cli_json_id("goroutine", pauses[i].goroutine);
        cli_json_begin("stack", '[');
        for (size_t k = 0; weft_collector_place(collector, pauses[i].stack, k, &place) == 0; k++)
            cli_json_place(NULL, &place);
        cli_json_end();
        cli_json_end();
    }
    cli_json_end();
    cli_json_end();
}

/* -------- the command -------- */

int cli_collector_read(weft_reader *reader, weft_collector *collector)
{
    weft_event event;
    int status = 1, failed = 0;
    while (!failed && (status = weft_reader_next(reader, &event)) == 1)
        failed = weft_collector_event(collector, &event);
    if (!failed)
        failed = weft_collector_finish(collector);
    return failed ? failed : status;
}

static int show(const char *path, weft_reader *reader, uint64_t top, bool json)
{
    weft_collector *collector;
    int status = weft_collector_new(&collector, reader);
    if (status == 0)
        status = cli_collector_read(reader, collector);
    if (status != -ENOMEM && json)
        put_json(collector, status == 0);
    else if (status != -ENOMEM && put_text(collector, top) != 0)
        status = -ENOMEM;
    weft_collector_free(collector);
    return cli_flush(0) | cli_finish(path, reader, status);
}

int cli_stw(int argc, char **argv)
{
    bool json = false;
    const char *path;
    uint64_t top = 10;
    const struct cli_option options[] = {CLI_FLAG('j', "json", &json), CLI_NUMBER('n', "top", &top),
                                         CLI_END};
    int status = cli_parse(argc, argv, options, &path);
    if (status >= 0)
        return status;
    weft_reader *reader = cli_open(path);
    if (!reader)
        return 1;
    status = show(path, reader, top, json);
    weft_reader_free(reader);
    return status;
}
