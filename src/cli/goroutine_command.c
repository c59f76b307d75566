/* SPDX-License-Identifier: MIT */
/* The story of one goroutine. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

typedef unsigned long long ull;

struct story {
    uint64_t id;
    weft_watch *watch;
    weft_summary *summary;
    weft_goroutine_stats found;
    weft_share *blocked, *ranges;
    bool seen;
    int64_t origin; /* of the trace: times are shown from there */
};

/* -------- collecting -------- */

static int copy_shares(weft_shares *shares, weft_share **copy)
{
    free(*copy);
    *copy = malloc((shares->count + 1) * sizeof **copy);
    if (!*copy)
        return -ENOMEM;
    if (shares->count)
        memcpy(*copy, shares->at, shares->count * sizeof **copy);
    shares->at = *copy;
    return 0;
}

static int on_goroutine(void *context, const weft_goroutine_stats *goroutine)
{
    struct story *story = context;
    if (goroutine->id != story->id)
        return weft_watch_name(story->watch, goroutine);
    story->seen = true;
    story->found = *goroutine;
    int status = copy_shares(&story->found.blocked, &story->blocked);
    return status ? status : copy_shares(&story->found.ranges, &story->ranges);
}

static int read_all(weft_reader *reader, struct story *story)
{
    weft_event event;
    int status = 1, failed = 0;
    while (!failed && (status = weft_reader_next(reader, &event)) == 1) {
        failed = weft_watch_event(story->watch, &event);
        if (!failed)
            failed = weft_summary_event(story->summary, &event);
    }
    if (!failed)
        failed = weft_summary_finish(story->summary);
    weft_watch_finish(story->watch);
    return failed ? failed : status;
}

/* -------- for people -------- */

static void put_stack(const weft_watch *watch, const char *title, uint32_t stack)
{
    size_t depth = weft_watch_depth(watch, stack);
    if (depth)
        cli_printf("\n%s\n", title);
    for (size_t i = 0; i < depth; i++) {
        weft_place place;
        if (weft_watch_place(watch, stack, i, &place) != 0)
            break;
        cli_put_text("  ");
        cli_put_place(&place);
        cli_put_char('\n');
    }
}

static void put_head(const struct story *story)
{
    const weft_goroutine_stats *found = &story->found;
    cli_printf("Goroutine %llu  ", (ull)found->id);
    cli_put_name(found->name.size ? found->name : (weft_text){"(no stack seen)", 15}, 0);
    cli_put_text(found->seen_created ? "\ncreated at " : "\nexisted at ");
    cli_put_text(cli_duration(found->created - story->origin).text);
    if (found->creator != WEFT_ID_NONE)
        cli_printf(" by goroutine %llu", (ull)found->creator);
    cli_put_text(found->seen_ended ? ", ended at " : ", existed until ");
    cli_put_text(cli_duration(found->ended - story->origin).text);
    cli_put_text(" of the trace\n\n");
}

static void put_row(weft_text name, int64_t time, int64_t whole, uint64_t count, int64_t max)
{
    cli_put_text("  ");
    cli_put_name(name, 40);
    cli_put_right(cli_duration(time).text, 11);
    cli_put_right(cli_percent(time, whole).text, 9);
    cli_printf("  %10llu times, at most %s\n", (ull)count, cli_duration(max).text);
}

static void put_share_rows(const char *title, weft_shares shares, int64_t whole)
{
    if (shares.count)
        cli_printf("\n%s\n", title);
    for (size_t i = 0; i < shares.count; i++) {
        const weft_share *share = &shares.at[i];
        put_row(share->name.size ? share->name : (weft_text){"(no reason given)", 17}, share->time,
                whole, share->count, share->max);
    }
}

static void put_breakdown(const struct story *story)
{
    static const char *const names[] = {"running", "runnable", "blocked", "in system calls",
                                        "in system calls, without a proc"};
    const weft_times *times = &story->found.times;
    int64_t whole = story->found.ended - story->found.created;
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++)
        put_row((weft_text){names[i], strlen(names[i])}, times->time[i], whole, times->count[i],
                times->max[i]);
    put_share_rows("Blocked, by reason", story->found.blocked, whole);
    put_share_rows("Ranges", story->found.ranges, whole);
}

static void put_relations(const weft_watch *watch)
{
    size_t count;
    const weft_relation *relations = weft_watch_relations(watch, &count);
    if (count)
        cli_printf("\n%10s  %-40s%14s%14s\n", "Related", "entry function", "woke it",
                   "woken by it");
    for (size_t i = 0; i < count; i++) {
        const weft_relation *other = &relations[i];
        cli_printf("%10llu  ", (ull)other->id);
        cli_put_name(other->name, 40);
        cli_printf("%14llu%14llu%s%s\n", (ull)other->woke_it, (ull)other->woken_by_it,
                   other->created_it ? "  created it" : "",
                   other->created_by_it ? "  created by it" : "");
    }
}

static void put_interval(const struct story *story, const weft_interval *interval)
{
    weft_place place;
    cli_put_right(cli_duration(interval->begin - story->origin).text, 10);
    cli_put_right(cli_duration(interval->end - interval->begin).text, 11);
    cli_put_text("  ");
    cli_put_text(weft_state_name(interval->state));
    if (interval->reason.size) {
        cli_put_text(", ");
        cli_put_name(interval->reason, 0);
    }
    if (interval->p != WEFT_ID_NONE)
        cli_printf(" on P%llu", (ull)interval->p);
    if (interval->by != WEFT_ID_NONE)
        cli_printf(", until woken by G%llu", (ull)interval->by);
    if (weft_watch_place(story->watch, interval->stack, 0, &place) == 0) {
        cli_put_text("  at ");
        cli_put_place(&place);
    }
    cli_put_char('\n');
}

static void put_timeline(const struct story *story)
{
    size_t count;
    const weft_interval *intervals = weft_watch_intervals(story->watch, &count);
    cli_printf("\n%10s%11s  %s\n", "Begin", "duration", "state");
    for (size_t i = 0; i < count; i++)
        put_interval(story, &intervals[i]);
}

/* -------- JSON -------- */

static void json_stack(const weft_watch *watch, const char *key, uint32_t stack)
{
    cli_json_begin(key, '[');
    for (size_t i = 0; i < weft_watch_depth(watch, stack); i++) {
        weft_place place;
        if (weft_watch_place(watch, stack, i, &place) != 0)
            break;
        cli_json_place(NULL, &place);
    }
    cli_json_end();
}

static void json_relations(const weft_watch *watch)
{
    size_t count;
    const weft_relation *relations = weft_watch_relations(watch, &count);
    cli_json_begin("related", '[');
    for (size_t i = 0; i < count; i++) {
        cli_json_begin(NULL, '{');
        cli_json_unsigned("id", relations[i].id);
        cli_json_text("name", relations[i].name);
        cli_json_unsigned("woke_it", relations[i].woke_it);
        cli_json_unsigned("woken_by_it", relations[i].woken_by_it);
        cli_json_bool("created_it", relations[i].created_it);
        cli_json_bool("created_by_it", relations[i].created_by_it);
        cli_json_end();
    }
    cli_json_end();
}

static void json_timeline(const weft_watch *watch)
{
    size_t count;
    const weft_interval *intervals = weft_watch_intervals(watch, &count);
    cli_json_begin("timeline", '[');
    for (size_t i = 0; i < count; i++) {
        cli_json_begin(NULL, '{');
        cli_json_signed("begin_ns", intervals[i].begin);
        cli_json_signed("end_ns", intervals[i].end);
        cli_json_string("state", weft_state_name(intervals[i].state));
        cli_json_text("reason", intervals[i].reason);
        cli_json_id("proc", intervals[i].p);
        cli_json_id("woken_by", intervals[i].by);
        json_stack(watch, "stack", intervals[i].stack);
        cli_json_end();
    }
    cli_json_end();
}

/* -------- the command -------- */

static void put_text_story(const struct story *story, bool timeline)
{
    put_head(story);
    put_breakdown(story);
    put_stack(story->watch, "Its stack when first seen", weft_watch_entry_stack(story->watch));
    put_stack(story->watch, "Created at", weft_watch_creation_stack(story->watch));
    put_relations(story->watch);
    if (timeline)
        put_timeline(story);
}

static void put_json_story(const struct story *story, bool timeline, bool complete)
{
    cli_json_begin(NULL, '{');
    cli_json_bool("complete", complete);
    cli_json_goroutine(&story->found);
    json_stack(story->watch, "entry_stack", weft_watch_entry_stack(story->watch));
    json_stack(story->watch, "creation_stack", weft_watch_creation_stack(story->watch));
    json_relations(story->watch);
    if (timeline)
        json_timeline(story->watch);
    cli_json_end();
}

static int tell(const char *path, weft_reader *reader, struct story *story, bool timeline,
                bool json)
{
    int status = weft_watch_new(&story->watch, reader, story->id);
    if (status == 0)
        status = weft_summary_new(&story->summary, reader);
    if (status == 0) {
        weft_summary_each_goroutine(story->summary, on_goroutine, story);
        status = read_all(reader, story);
    }
    if (status != -ENOMEM && story->seen) {
        story->origin = weft_summary_totals(story->summary)->begin;
        if (json)
            put_json_story(story, timeline, status == 0);
        else
            put_text_story(story, timeline);
    }
    int exit_status = cli_flush(0) | cli_finish(path, reader, status);
    if (status != -ENOMEM && !story->seen) {
        cli_message("%s: there is no goroutine %llu\n", cli_file_name(path), (ull)story->id);
        exit_status = 1;
    }
    return exit_status;
}

int cli_goroutine(int argc, char **argv)
{
    struct story story = {0};
    bool timeline = false, json = false;
    const char *path;
    const struct cli_option options[] = {CLI_FLAG('t', "timeline", &timeline),
                                         CLI_FLAG('j', "json", &json), CLI_END};
    bool has_id = cli_take_id(&argc, argv, &story.id);
    int status = cli_parse(argc, argv, options, &path);
    if (status >= 0)
        return status;
    if (!has_id)
        return cli_usage(argv[0], "which goroutine? Its id comes behind the file");
    weft_reader *reader = cli_open(path);
    if (!reader)
        return 1;
    status = tell(path, reader, &story, timeline, json);
    free(story.blocked);
    free(story.ranges);
    weft_summary_free(story.summary);
    weft_watch_free(story.watch);
    weft_reader_free(reader);
    return status;
}
