/* SPDX-License-Identifier: MIT */
#include "trace/check.h"

#include "base/cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sink_write(void *context, const void *data, size_t size)
{
    sink *s = context;
    s->calls++;
    if (s->room - s->size < size) {
        s->room = (s->room + size) * 2;
        s->data = realloc(s->data, s->room);
        if (!s->data)
            abort();
    }
    memcpy(s->data + s->size, data, size);
    s->size += size;
    return 0;
}

void sink_free(sink *s)
{
    free(s->data);
    *s = (sink){0};
}

void sink_save(const sink *s, const char *name)
{
    const char *dir = getenv("WEFT_TRACE_DIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.trace", dir ? dir : ".", name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(s->data, 1, s->size, file) != s->size || fclose(file) != 0)
        fail_msg("%s: %s", path, strerror(errno));
}

typedef struct source {
    const sink *from;
    size_t at;
} source;

static ptrdiff_t source_read(void *context, void *data, size_t size)
{
    source *s = context;
    size_t left = s->from->size - s->at;
    if (size > left)
        size = left;
    memcpy(data, s->from->data + s->at, size);
    s->at += size;
    return (ptrdiff_t)size;
}

static __thread char complaint_text[1024];

static const char *complain(const char *rule, uint64_t generation, const char *message)
{
    snprintf(complaint_text, sizeof complaint_text, "generation %llu: %s: %s",
             (unsigned long long)generation, rule, message);
    return complaint_text;
}

static const char *read_all(weft_reader *reader, weft_validator *validator, check_seen_fn seen,
                            void *arg)
{
    weft_event event;
    int status;
    while ((status = weft_reader_next(reader, &event)) == 1) {
        weft_complaint complaint;
        if (weft_validator_event(validator, &event, &complaint) != 0)
            return complain(complaint.rule, weft_reader_generation(reader), complaint.message);
        if (seen)
            seen(arg, reader, &event);
    }
    const weft_reader_error *error = weft_reader_error_get(reader);
    return status < 0 ? complain(error->rule, error->generation, error->message) : NULL;
}

const char *check_sink(const sink *s, check_seen_fn seen, void *arg)
{
    source from = {s, 0};
    weft_reader *reader = NULL;
    weft_validator *validator = NULL;
    const char *result = "no memory";
    if (weft_reader_open_callback(&reader, source_read, &from) < 0) {
        if (reader)
            result = complain(weft_reader_error_get(reader)->rule, 0,
                              weft_reader_error_get(reader)->message);
    } else if (weft_validator_new(&validator, reader) == 0) {
        result = read_all(reader, validator, seen, arg);
    }
    weft_validator_free(validator);
    weft_reader_free(reader);
    return result;
}

void assert_valid(const sink *s, const char *name)
{
    sink_save(s, name);
    const char *complaint = check_sink(s, NULL, NULL);
    if (complaint)
        fail_msg("%s: %s", name, complaint);
}

static void count_sync(void *arg, weft_reader *reader, const weft_event *event)
{
    (void)reader;
    if (event->kind == WEFT_EVENT_SYNC)
        ++*(unsigned *)arg;
}

unsigned count_generations(const sink *s)
{
    unsigned syncs = 0;
    const char *complaint = check_sink(s, count_sync, &syncs);
    if (complaint)
        fail_msg("%s", complaint);
    return syncs > 0 ? syncs - 1 : 0;
}
