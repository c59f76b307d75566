/* SPDX-License-Identifier: MIT */
/* The story of one task. */
#include <errno.h>
#include <string.h>

#include <weft/analysis_tasks.h>

#include "report.h"

typedef unsigned long long ull;

/* -------- for people -------- */

static void put_goroutine(const char *before, uint64_t goroutine)
{
    if (goroutine != WEFT_ID_NONE)
        cli_printf("%sG%llu", before, (ull)goroutine);
}

static void put_head(const weft_task_record *task, int64_t origin)
{
    cli_printf("Task %llu  ", (ull)task->id);
    cli_put_name(task->type, 0);
    cli_printf("\n%s", cli_duration(task->end - task->begin).text);
    cli_printf(" from %s", cli_duration(task->begin - origin).text);
    cli_printf(" to %s of the trace", cli_duration(task->end - origin).text);
    put_goroutine(", begun by ", task->goroutine);
    put_goroutine(", ended by ", task->ended_by);
    if (!task->seen_end)
        cli_put_text(", where the trace ends");
    if (task->parent != WEFT_ID_NONE)
        cli_printf(", part of task %llu", (ull)task->parent);
    cli_printf("; %llu regions, %llu logs\n", (ull)task->regions, (ull)task->logs);
}

static void put_workers(const weft_story *story)
{
    size_t count;
    const weft_worker *workers = weft_story_workers(story, &count);
    cli_printf("\n%-48s%11s%11s%11s%11s%11s\n", "Goroutines that worked for it", "running",
               "runnable", "blocked", "syscall", "revoked");
    for (size_t i = 0; i < count; i++) {
        const int64_t *spent = workers[i].spent;
        cli_printf("  G%-10llu ", (ull)workers[i].goroutine);
        cli_put_name(workers[i].name.size ? workers[i].name : (weft_text){"(no stack seen)", 15},
                     34);
        cli_put_right(cli_duration(spent[WEFT_PATH_RUNNING]).text, 11);
        cli_put_right(cli_duration(spent[WEFT_PATH_RUNNABLE]).text, 11);
        cli_put_right(cli_duration(spent[WEFT_PATH_BLOCKED]).text, 11);
        cli_put_right(
            cli_duration(spent[WEFT_PATH_SYSCALL] + spent[WEFT_PATH_SYSCALL_BLOCKED]).text, 11);
        cli_put_right(cli_duration(spent[WEFT_PATH_REVOKED]).text, 11);
        cli_put_char('\n');
    }
}

static void put_what(const weft_moment *moment)
{
    switch (moment->kind) {
    case WEFT_MOMENT_TASK:
        cli_printf("task %llu, ", (ull)moment->id);
        cli_put_name(moment->name, 0);
        cli_printf(", of task %llu", (ull)moment->parent);
        break;
    case WEFT_MOMENT_REGION:
        cli_put_text("region ");
        cli_put_name(moment->name, 0);
        break;
    case WEFT_MOMENT_LOG:
        cli_put_text("log ");
        cli_put_name(moment->name, 0);
        cli_put_text(moment->name.size ? ": " : "");
        cli_put_name(moment->message, 0);
        break;
    default:
        cli_put_text(weft_path_kind_name(moment->state));
        if (moment->name.size && moment->state != WEFT_PATH_RUNNING) {
            cli_put_text(", ");
            cli_put_name(moment->name, 0);
        }
        if (moment->id != WEFT_ID_NONE)
            cli_printf(" on P%llu", (ull)moment->id);
    }
    if (!moment->ended)
        cli_put_text(", not ended");
}

static void put_moment(const weft_story *story, const weft_moment *moment, int64_t begin)
{
    weft_place place;
    cli_put_right(cli_duration(moment->begin - begin).text, 10);
    if (moment->kind == WEFT_MOMENT_LOG)
        cli_put_right("", 11);
    else
        cli_put_right(cli_duration(moment->end - moment->begin).text, 11);
    cli_printf("  G%-9llu ", (ull)moment->goroutine);
    put_what(moment);
    if (weft_story_place(story, moment->stack, 0, &place) == 0) {
        cli_put_text("  at ");
        cli_put_place(&place);
    }
    cli_put_char('\n');
}

static void put_text(const weft_story *story, bool states)
{
    int64_t origin;
    size_t count;
    const weft_task_record *task = weft_story_task(story, &origin);
    const weft_moment *moments = weft_story_moments(story, &count);
    put_head(task, origin);
    put_workers(story);
    cli_printf("\n%10s%11s  %-10s %s\n", "Begin", "duration", "", "what");
    for (size_t i = 0; i < count; i++)
        if (states || moments[i].kind != WEFT_MOMENT_STATE)
            put_moment(story, &moments[i], task->begin);
}

/* -------- JSON -------- */

static void json_moment(const weft_story *story, const weft_moment *moment)
{
    static const char *const kinds[] = {"task", "region", "log", "state"};
    bool state = moment->kind == WEFT_MOMENT_STATE;
    weft_place place;
    cli_json_begin(NULL, '{');
    cli_json_string("kind", kinds[moment->kind]);
    cli_json_signed("begin_ns", moment->begin);
    cli_json_signed("end_ns", moment->end);
    cli_json_bool("ended", moment->ended);
    cli_json_id("goroutine", moment->goroutine);
    if (state) {
        cli_json_string("state", weft_path_kind_name(moment->state));
        cli_json_text("reason", moment->name);
        cli_json_id("proc", moment->id);
    } else {
        cli_json_text("name", moment->name);
    }
    if (moment->kind == WEFT_MOMENT_TASK) {
        cli_json_unsigned("task", moment->id);
        cli_json_id("parent", moment->parent);
    }
    if (moment->kind == WEFT_MOMENT_LOG)
        cli_json_text("message", moment->message);
    if (weft_story_place(story, moment->stack, 0, &place) == 0)
        cli_json_place("at", &place);
    cli_json_end();
}

static void json_workers(const weft_story *story)
{
    static const char *const keys[] = {"running_ns", "runnable_ns",        "blocked_ns",
                                       "syscall_ns", "syscall_blocked_ns", "revoked_ns"};
    size_t count;
    const weft_worker *workers = weft_story_workers(story, &count);
    cli_json_begin("goroutines", '[');
    for (size_t i = 0; i < count; i++) {
        cli_json_begin(NULL, '{');
        cli_json_unsigned("id", workers[i].goroutine);
        cli_json_text("name", workers[i].name);
        for (unsigned kind = 0; kind < sizeof keys / sizeof *keys; kind++)
            cli_json_signed(keys[kind], workers[i].spent[kind]);
        cli_json_end();
    }
    cli_json_end();
}

static void put_json(const weft_story *story, bool states, bool complete)
{
    int64_t origin;
    size_t count;
    const weft_task_record *task = weft_story_task(story, &origin);
    const weft_moment *moments = weft_story_moments(story, &count);
    cli_json_begin(NULL, '{');
    cli_json_bool("complete", complete);
    cli_json_unsigned("task", task->id);
    cli_json_text("type", task->type);
    cli_json_id("parent", task->parent);
    cli_json_signed("trace_begin_ns", origin);
    cli_json_signed("begin_ns", task->begin);
    cli_json_signed("end_ns", task->end);
    cli_json_bool("ends_in_trace", task->seen_end);
    cli_json_id("goroutine", task->goroutine);
    cli_json_id("ended_by", task->ended_by);
    json_workers(story);
    cli_json_begin("timeline", '[');
    for (size_t i = 0; i < count; i++)
        if (states || moments[i].kind != WEFT_MOMENT_STATE)
            json_moment(story, &moments[i]);
    cli_json_end();
    cli_json_end();
}

/* -------- the command -------- */

static int read_all(weft_reader *reader, weft_story *story)
{
    weft_event event;
    int status = 1, failed = 0;
    while (!failed && (status = weft_reader_next(reader, &event)) == 1)
        failed = weft_story_event(story, &event);
    return failed ? failed : status;
}

static int tell(const char *path, weft_reader *reader, uint64_t id, bool states, bool json)
{
    weft_story *story;
    bool found = false;
    int status = weft_story_new(&story, reader, id);
    if (status == 0)
        status = read_all(reader, story);
    if (status != -ENOMEM)
        found = weft_story_finish(story) == 0;
    if (found && json)
        put_json(story, states, status == 0);
    else if (found)
        put_text(story, states);
    int exit_status = cli_flush(0) | cli_finish(path, reader, status);
    if (status != -ENOMEM && !found) {
        cli_message("%s: task %llu does not begin within the trace\n", cli_file_name(path),
                    (ull)id);
        exit_status = 1;
    }
    weft_story_free(story);
    return exit_status;
}

int cli_task(int argc, char **argv)
{
    uint64_t id = 0;
    bool no_states = false, json = false;
    const char *path;
    const struct cli_option options[] = {CLI_FLAG(0, "no-states", &no_states),
                                         CLI_FLAG('j', "json", &json), CLI_END};
    bool has_id = cli_take_id(&argc, argv, &id);
    int status = cli_parse(argc, argv, options, &path);
    if (status >= 0)
        return status;
    if (!has_id)
        return cli_usage(argv[0], "which task? Its id comes behind the file");
    weft_reader *reader = cli_open(path);
    if (!reader)
        return 1;
    status = tell(path, reader, id, !no_states, json);
    weft_reader_free(reader);
    return status;
}
