/* SPDX-License-Identifier: MIT */
/* User logs, as they come. */
#define _GNU_SOURCE /* memmem */

#include <errno.h>
#include <string.h>

#include "annotation_filter.h"

typedef unsigned long long ull;

struct request {
    const char *path, *text;
    bool json, where;
    struct annotation_filter filter;
    weft_annotations *annotations;
};

static void put_log(const struct request *request, const weft_log_record *log)
{
    weft_place place;
    cli_put_right(cli_duration(log->time - request->filter.origin).text, 10);
    if (log->goroutine == WEFT_ID_NONE)
        cli_put_text("  G-        ");
    else
        cli_printf("  G%-9llu", (ull)log->goroutine);
    if (log->task && log->task != WEFT_ID_NONE)
        cli_printf(" task %-9llu ", (ull)log->task);
    else
        cli_put_text("                ");
    if (log->category.size) {
        cli_put_name(log->category, 0);
        cli_put_text(": ");
    }
    cli_put_name(log->message, 0);
    if (request->where &&
        weft_annotations_place(request->annotations, log->stack, 0, &place) == 0) {
        cli_put_text("  at ");
        cli_put_place(&place);
    }
    cli_put_char('\n');
}

static void json_log(const struct request *request, const weft_log_record *log)
{
    weft_place place;
    cli_json_begin(NULL, '{');
    cli_json_signed("time_ns", log->time);
    cli_json_id("goroutine", log->goroutine);
    cli_json_id("task", log->task ? log->task : WEFT_ID_NONE);
    cli_json_text("category", log->category);
    cli_json_text("message", log->message);
    if (weft_annotations_place(request->annotations, log->stack, 0, &place) == 0)
        cli_json_place("at", &place);
    cli_json_end();
}

static int on_log(void *context, const weft_log_record *log)
{
    struct request *request = context;
    bool found = !request->text ||
                 memmem(log->message.data, log->message.size, request->text, strlen(request->text));
    if (!found || !annotation_wanted(&request->filter, log->category, log->goroutine, log->task,
                                     log->time, log->time))
        return 1;
    if (request->json)
        json_log(request, log);
    else
        put_log(request, log);
    return 0;
}

static int list(weft_reader *reader, struct request *request)
{
    weft_annotation_sink sink = {.log = on_log, .context = request};
    int status = weft_annotations_new(&request->annotations, reader, &sink);
    if (request->json) {
        cli_json_begin(NULL, '{');
        cli_json_begin("logs", '[');
    }
    if (status == 0)
        status = annotations_read(reader, request->annotations, &request->filter);
    if (request->json) {
        cli_json_end();
        cli_json_bool("complete", status == 0);
        cli_json_signed("trace_begin_ns", request->filter.origin);
        cli_json_end();
    }
    weft_annotations_free(request->annotations);
    return cli_flush(0) | cli_finish(request->path, reader, status);
}

int cli_logs(int argc, char **argv)
{
    struct request request = {.filter = ANNOTATION_FILTER_ALL};
    const struct cli_option options[] = {
        ANNOTATION_OPTIONS(request.filter),
        CLI_TEXT('e', "text", &request.text),
        CLI_FLAG('w', "where", &request.where),
        CLI_FLAG('j', "json", &request.json),
        CLI_END,
    };
    int status = cli_parse(argc, argv, options, &request.path);
    if (status >= 0)
        return status;
    weft_reader *reader = cli_open(request.path);
    if (!reader)
        return 1;
    status = list(reader, &request);
    weft_reader_free(reader);
    return status;
}
