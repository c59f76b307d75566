/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "report.h"

struct span {
    int64_t from, to;
    bool from_begin, to_begin; /* counted from the first event */
};

/* A time of the trace's clock, or behind "+" from its first event on. */
static bool parse_time(const char *text, int64_t *time, bool *from_begin)
{
    *from_begin = *text == '+';
    return cli_duration_parse(text + *from_begin, time);
}

static int64_t saturated_sum(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* Counts from the first event, which is at hand, and goes to where the span begins. */
static int settle(weft_reader *reader, const char *path, struct span *span, weft_event *event)
{
    int status = weft_reader_next(reader, event);
    if (status != 1)
        return status;
    if (span->from_begin)
        span->from = saturated_sum(span->from, event->time);
    if (span->to_begin)
        span->to = saturated_sum(span->to, event->time);
    if (span->from <= event->time || !cli_seek(reader, path, span->from))
        return 1;
    return weft_reader_next(reader, event);
}

static int print_events(weft_reader *reader, const char *path, struct span *span, bool canon)
{
    weft_event event;
    int status = settle(reader, path, span, &event);
    for (; status == 1 && event.time <= span->to; status = weft_reader_next(reader, &event))
        if (event.time >= span->from)
            (canon ? cli_print_canon : cli_print_event)(reader, &event);
    return status;
}

/* The exit status of a usage error, or -1. */
static int take_span(const char *command, const char *from, const char *to, struct span *span)
{
    *span = (struct span){INT64_MIN, INT64_MAX, false, false};
    if ((from && !parse_time(from, &span->from, &span->from_begin)) ||
        (to && !parse_time(to, &span->to, &span->to_begin)))
        return cli_usage(command, "--from and --to need a time such as 1.5s, +20ms or 300us");
    return -1;
}

int cli_events(int argc, char **argv)
{
    const char *path, *format = "text", *from = NULL, *to = NULL;
    const struct cli_option options[] = {CLI_TEXT('f', "format", &format),
                                         CLI_TEXT(0, "from", &from), CLI_TEXT(0, "to", &to),
                                         CLI_END};
    struct span span;
    int status = cli_parse(argc, argv, options, &path);
    if (status < 0)
        status = take_span(argv[0], from, to, &span);
    if (status >= 0)
        return status;
    bool canon = strcmp(format, "canon") == 0;
    if (!canon && strcmp(format, "text") != 0)
        return cli_usage(argv[0], "unknown format %s; there are text and canon", format);
    weft_reader *reader = cli_open(path);
    status = reader ? print_events(reader, path, &span, canon) : -1;
    if (status < 0 && canon)
        cli_put_text("ERROR\n");
    if (reader && status < 0)
        cli_report(path, weft_reader_error_get(reader));
    weft_reader_free(reader);
    return cli_flush(status < 0);
}
