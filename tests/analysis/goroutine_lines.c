/* SPDX-License-Identifier: MIT */
/*
 * Prints what weft_summary says of each goroutine of a trace, one a line and sorted by id, as
 * tests/reader/reference/goroutines.go prints what Go's summary says. Exits 1 if the times of a
 * goroutine do not add up to its lifetime, or one is negative.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/analysis.h>

struct line {
    uint64_t id;
    char *text;
};

static struct line *lines;
static size_t count, room;
static int bad;

static int by_name(const void *left, const void *right)
{
    const weft_share *a = left, *b = right;
    return strcmp(a->name.data, b->name.data);
}

static void put_shares(FILE *out, const char *word, weft_shares shares)
{
    weft_share *sorted = malloc((shares.count + 1) * sizeof *sorted);
    if (shares.count)
        memcpy(sorted, shares.at, shares.count * sizeof *sorted);
    qsort(sorted, shares.count, sizeof *sorted, by_name);
    for (size_t i = 0; i < shares.count; i++)
        if (sorted[i].time && strcmp(sorted[i].name.data, "GC incremental sweep") != 0)
            fprintf(out, " %s[%s]=%" PRId64, word, sorted[i].name.data, sorted[i].time);
    free(sorted);
}

static void check(const weft_goroutine_stats *g)
{
    int64_t sum = 0, reasons = 0;
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++) {
        sum += g->times.time[i];
        bad |= g->times.time[i] < 0 || g->times.max[i] > g->times.time[i];
    }
    for (size_t i = 0; i < g->blocked.count; i++)
        reasons += g->blocked.at[i].time;
    bad |= sum != g->ended - g->created || reasons != g->times.time[WEFT_SPENT_BLOCKED];
    if (bad)
        fprintf(stderr, "goroutine %" PRIu64 ": the times do not add up\n", g->id);
}

static int keep(void *context, const weft_goroutine_stats *g)
{
    static const char *const words[] = {"running", "runnable", "blocked", "syscall",
                                        "syscall-blocked"};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    (void)context;
    check(g);
    fprintf(out, "%" PRIu64 " \"%s\" created=%" PRId64 " started=%" PRId64 " ended=%" PRId64, g->id,
            g->name.data, g->created, g->started == INT64_MIN ? 0 : g->started,
            g->seen_ended ? g->ended : 0);
    fprintf(out, " total=%" PRId64, g->ended - g->created);
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++)
        fprintf(out, " %s=%" PRId64, words[i], g->times.time[i]);
    put_shares(out, "reason", g->blocked);
    put_shares(out, "range", g->ranges);
    fclose(out);
    if (count == room)
        lines = realloc(lines, (room = room * 2 + 64) * sizeof *lines);
    lines[count++] = (struct line){g->id, text};
    return 0;
}

static int by_id(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    return (a->id > b->id) - (a->id < b->id);
}

int main(int argc, char **argv)
{
    weft_reader *reader;
    weft_summary *summary;
    weft_event event;
    int status = argc == 2 ? weft_reader_open_path(&reader, argv[1]) : -1;
    if (status || weft_summary_new(&summary, reader))
        return 2;
    weft_summary_each_goroutine(summary, keep, NULL);
    while ((status = weft_reader_next(reader, &event)) == 1)
        if (weft_summary_event(summary, &event))
            return 2;
    if (status || weft_summary_finish(summary))
        return 2;
    qsort(lines, count, sizeof *lines, by_id);
    for (size_t i = 0; i < count; i++) {
        puts(lines[i].text);
        free(lines[i].text);
    }
    free(lines);
    weft_summary_free(summary);
    weft_reader_free(reader);
    return bad;
}
