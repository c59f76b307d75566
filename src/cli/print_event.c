/* SPDX-License-Identifier: MIT */
/* An event as a line for people: seconds, context, what happened, where. */
#include "cli.h"

static void put_string(const weft_reader *reader, weft_string string)
{
    weft_text text = weft_reader_string(reader, string);
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        cli_put_char((unsigned char)c < 0x20 || c == 0x7f ? '?' : c);
    }
}

static void put_padded(uint64_t number, unsigned digits)
{
    char text[24];
    snprintf(text, sizeof text, "%0*llu", (int)digits, (unsigned long long)number);
    cli_put_text(text);
}

static void put_time(int64_t time)
{
    uint64_t ns = time < 0 ? 0 - (uint64_t)time : (uint64_t)time;
    if (time < 0)
        cli_put_char('-');
    cli_put_unsigned(ns / 1000000000);
    cli_put_char('.');
    put_padded(ns % 1000000000, 9);
}

static void put_id(const char *before, uint64_t id)
{
    cli_put_text(before);
    if (id == WEFT_ID_NONE)
        cli_put_char('-');
    else
        cli_put_signed((int64_t)id);
}

static void put_named(const weft_reader *reader, const char *before, weft_string string)
{
    cli_put_text(before);
    put_string(reader, string);
}

static void put_resource(const weft_event *event)
{
    static const char *const letters[] = {"", "G", "P", "M"};
    if (event->resource < 4 && event->resource != WEFT_RESOURCE_NONE)
        put_id(letters[event->resource], event->id);
}

static void put_location(const weft_reader *reader, const char *before, weft_stack stack)
{
    weft_frame frame;
    if (weft_reader_stack_frame(reader, stack, 0, &frame) != 0)
        return;
    put_named(reader, before, frame.function);
    put_named(reader, " ", frame.file);
    cli_put_char(':');
    cli_put_unsigned(frame.line);
}

static void put_transition(const weft_reader *reader, const weft_event *event)
{
    put_resource(event);
    cli_put_char(' ');
    if (event->from == event->to) {
        cli_put_text("is ");
    } else {
        cli_put_text(weft_state_name(event->from));
        cli_put_text(" -> ");
    }
    cli_put_text(weft_state_name(event->to));
    if (event->name)
        put_named(reader, ", ", event->name);
}

static void put_sync(const weft_reader *reader)
{
    weft_sync sync;
    weft_reader_sync(reader, &sync);
    put_id("sync ", sync.number);
    if (!sync.has_clock)
        return;
    put_id(", wall ", (uint64_t)sync.wall_sec);
    cli_put_char('.');
    put_padded(sync.wall_nsec, 9);
}

static void put_range(const weft_reader *reader, const weft_event *event)
{
    static const char *const verbs[] = {"begins: ", "under way: ", "ends: "};
    cli_put_text(verbs[event->kind - WEFT_EVENT_RANGE_BEGIN]);
    put_string(reader, event->name);
    if (event->resource != WEFT_RESOURCE_NONE) {
        cli_put_text(" on ");
        put_resource(event);
    }
    if (event->kind == WEFT_EVENT_RANGE_END && event->argc == 2) {
        put_id(", swept ", event->u.sweep.bytes_swept);
        put_id(" B, reclaimed ", event->u.sweep.bytes_reclaimed);
        cli_put_text(" B");
    }
}

static void put_annotation(const weft_reader *reader, const weft_event *event)
{
    static const char *const words[] = {
        "task begins: ", "task ends: ", "region begins: ", "region ends: ", "log: "};
    cli_put_text(words[event->kind - WEFT_EVENT_TASK_BEGIN]);
    put_string(reader, event->name);
    put_id(" (task ", event->id);
    if (event->kind <= WEFT_EVENT_TASK_END && event->u.parent != WEFT_ID_NONE)
        put_id(" of ", event->u.parent);
    cli_put_char(')');
    if (event->kind == WEFT_EVENT_LOG)
        put_named(reader, ": ", event->message);
}

static void put_details(const weft_reader *reader, const weft_event *event)
{
    switch (event->kind) {
    case WEFT_EVENT_SYNC:
        put_sync(reader);
        break;
    case WEFT_EVENT_METRIC:
        put_string(reader, event->name);
        put_id(" = ", event->u.value);
        break;
    case WEFT_EVENT_LABEL:
        put_resource(event);
        put_named(reader, " is labelled ", event->name);
        break;
    case WEFT_EVENT_STACK_SAMPLE:
        cli_put_text("CPU sample");
        break;
    case WEFT_EVENT_RANGE_BEGIN:
    case WEFT_EVENT_RANGE_ACTIVE:
    case WEFT_EVENT_RANGE_END:
        put_range(reader, event);
        break;
    case WEFT_EVENT_STATE_TRANSITION:
        put_transition(reader, event);
        break;
    case WEFT_EVENT_EXPERIMENTAL:
        put_string(reader, event->name);
        for (unsigned i = 0; i < event->argc; i++) {
            cli_put_char(' ');
            cli_put_text(weft_event_arg_name(event, i));
            put_id("=", event->u.args[i]);
        }
        break;
    default:
        put_annotation(reader, event);
    }
}

void cli_print_event(const weft_reader *reader, const weft_event *event)
{
    put_time(event->time);
    put_id(" M", event->m);
    put_id(" P", event->p);
    put_id(" G", event->g);
    cli_put_text("  ");
    put_details(reader, event);
    put_location(reader, "  at ", event->stack);
    if (event->resource_stack != event->stack)
        put_location(reader, "  of ", event->resource_stack);
    cli_put_char('\n');
}
