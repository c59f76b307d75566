/* SPDX-License-Identifier: MIT */
#include "twins/twin_walk.h"

static WEFT_NORETURN void reject(const char *path, const weft_reader *reader, const char *rule,
                                 const char *message)
{
    fprintf(stderr, "%s: generation %llu, offset %llu: %s: %s\n", path,
            (unsigned long long)weft_reader_generation(reader),
            (unsigned long long)weft_reader_event_offset(reader), rule, message);
    abort();
}

static weft_reader *open_trace(const char *path)
{
    weft_reader *reader = NULL;
    if (weft_reader_open_path(&reader, path) < 0 && reader)
        reject(path, reader, weft_reader_error_get(reader)->rule,
               weft_reader_error_get(reader)->message);
    check(reader);
    check(weft_reader_version(reader) == twin.format);
    return reader;
}

static bool next(const char *path, weft_reader *reader, weft_event *event)
{
    int status = weft_reader_next(reader, event);
    if (status < 0)
        reject(path, reader, weft_reader_error_get(reader)->rule,
               weft_reader_error_get(reader)->message);
    return status == 1;
}

uint64_t twin_walk(const char *path, twin_seen_fn seen, void *arg)
{
    weft_reader *reader = open_trace(path);
    weft_validator *validator;
    weft_event event;
    uint64_t count = 0;
    check(weft_validator_new(&validator, reader) == 0);
    for (; next(path, reader, &event); count++) {
        weft_complaint complaint;
        if (weft_validator_event(validator, &event, &complaint) != 0)
            reject(path, reader, complaint.rule, complaint.message);
        if (seen)
            seen(arg, reader, &event);
    }
    weft_validator_free(validator);
    weft_reader_free(reader);
    return count;
}

/* ---- Twice ---- */

static void same_text(const weft_reader *a, weft_string x, const weft_reader *b, weft_string y)
{
    weft_text one = weft_reader_string(a, x), two = weft_reader_string(b, y);
    check(one.size == two.size && (one.size == 0 || memcmp(one.data, two.data, one.size) == 0));
}

static void same_stack(const weft_reader *a, weft_stack x, const weft_reader *b, weft_stack y)
{
    size_t depth = weft_reader_stack_depth(a, x);
    check(weft_reader_stack_depth(b, y) == depth);
    for (size_t i = 0; i < depth; i++) {
        weft_frame one, two;
        check(weft_reader_stack_frame(a, x, i, &one) == 0);
        check(weft_reader_stack_frame(b, y, i, &two) == 0);
        check(one.pc == two.pc && one.line == two.line);
        same_text(a, one.function, b, two.function);
        same_text(a, one.file, b, two.file);
    }
}

static void same_event(const weft_reader *a, const weft_event *x, const weft_reader *b,
                       const weft_event *y)
{
    check(x->time == y->time && x->m == y->m && x->p == y->p && x->g == y->g);
    check(x->kind == y->kind && x->resource == y->resource && x->from == y->from);
    check(x->to == y->to && x->id == y->id && x->wire == y->wire && x->argc == y->argc);
    check(x->kind != WEFT_EVENT_METRIC || x->u.value == y->u.value);
    same_text(a, x->name, b, y->name);
    same_text(a, x->message, b, y->message);
    same_stack(a, x->stack, b, y->stack);
    same_stack(a, x->resource_stack, b, y->resource_stack);
}

void twin_walk_twice(const char *path)
{
    weft_reader *a = open_trace(path), *b = open_trace(path);
    weft_event x, y;
    while (next(path, a, &x)) {
        check(next(path, b, &y));
        same_event(a, &x, b, &y);
    }
    check(!next(path, b, &y));
    weft_reader_free(a);
    weft_reader_free(b);
}

/* ---- Questions ---- */

bool twin_text_is(const weft_reader *reader, weft_string string, const char *text)
{
    weft_text is = weft_reader_string(reader, string);
    return is.size == strlen(text) && memcmp(is.data, text, is.size) == 0;
}

bool twin_frame_is(const weft_reader *reader, weft_stack stack, size_t index, const char *function)
{
    weft_frame frame;
    return weft_reader_stack_frame(reader, stack, index, &frame) == 0 &&
           twin_text_is(reader, frame.function, function);
}

bool twin_goroutine_goes(const weft_event *event, weft_state from, weft_state to)
{
    return event->kind == WEFT_EVENT_STATE_TRANSITION &&
           event->resource == WEFT_RESOURCE_GOROUTINE && event->from == from && event->to == to;
}

bool twin_creates(const weft_reader *reader, const weft_event *event, const char *function)
{
    return twin_goroutine_goes(event, WEFT_STATE_NOT_EXIST, WEFT_STATE_RUNNABLE) &&
           twin_frame_is(reader, event->resource_stack, 0, function);
}
