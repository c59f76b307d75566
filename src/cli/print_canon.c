/* SPDX-License-Identifier: MIT */
/* The canonical text of an event: made to be compared between readers, byte for byte. */
#include <string.h>

#include "cli.h"

static void put_quoted_bytes(weft_text text)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            cli_put_char((char)c);
        } else {
            char escape[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
            cli_put(escape, 4);
        }
    }
}

static void put_string(const weft_reader *reader, const char *key, weft_string string)
{
    cli_put_text(key);
    cli_put_char('"');
    put_quoted_bytes(weft_reader_string(reader, string));
    cli_put_char('"');
}

static void put_id(const char *key, uint64_t id)
{
    cli_put_text(key);
    if (id == WEFT_ID_NONE)
        cli_put_char('-');
    else
        cli_put_unsigned(id);
}

static void put_number(const char *key, uint64_t number)
{
    cli_put_text(key);
    cli_put_unsigned(number);
}

static void put_resource(const char *key, const weft_event *event)
{
    cli_put_text(key);
    cli_put_text(weft_resource_name(event->resource));
    if (event->resource == WEFT_RESOURCE_NONE)
        return;
    cli_put_char('(');
    cli_put_signed((int64_t)event->id);
    cli_put_char(')');
}

static void put_stack(const weft_reader *reader, const char *key, weft_stack stack)
{
    size_t depth = weft_reader_stack_depth(reader, stack);
    if (depth == 0)
        return;
    cli_put_text(key);
    for (size_t i = 0; i < depth; i++) {
        weft_frame frame;
        weft_reader_stack_frame(reader, stack, i, &frame);
        put_string(reader, i ? ";" : "", frame.function);
    }
}

static void put_sync(const weft_reader *reader)
{
    weft_sync sync;
    weft_reader_sync(reader, &sync);
    put_number(" n=", sync.number);
    if (sync.has_clock) {
        cli_put_text(" trace=");
        cli_put_signed(sync.trace_time);
        put_number(" mono=", sync.mono);
        cli_put_text(" wall=");
        cli_put_signed(sync.wall_sec);
        char nsec[16];
        snprintf(nsec, sizeof nsec, ".%09u", (unsigned)sync.wall_nsec);
        cli_put_text(nsec);
    }
    uint64_t batches = 0;
    for (size_t i = 0; i < sync.batches; i++) {
        weft_batch batch;
        batches += weft_reader_batch(reader, i, &batch) == 0 && batch.experiment == 1;
    }
    if (batches)
        put_number(" AllocFree=", batches);
}

static void put_range(const weft_reader *reader, const weft_event *event)
{
    put_string(reader, " name=", event->name);
    put_resource(" scope=", event);
    if (event->kind == WEFT_EVENT_RANGE_END && event->argc == 2) {
        put_number(" bytes_swept=", event->u.sweep.bytes_swept);
        put_number(" bytes_reclaimed=", event->u.sweep.bytes_reclaimed);
    }
}

static void put_transition(const weft_reader *reader, const weft_event *event)
{
    put_resource(" ", event);
    cli_put_char(' ');
    cli_put_text(weft_state_name(event->from));
    cli_put_text("->");
    cli_put_text(weft_state_name(event->to));
    put_string(reader, " reason=", event->name);
}

static void put_experimental(const weft_reader *reader, const weft_event *event)
{
    weft_text experiment = weft_reader_string(reader, event->message);
    weft_text name = weft_reader_string(reader, event->name);
    cli_put_text(" experiment=");
    cli_put(experiment.data, experiment.size);
    cli_put_text(" name=");
    cli_put(name.data, name.size);
    for (unsigned i = 0; i < event->argc; i++) {
        cli_put_char(' ');
        cli_put_text(weft_event_arg_name(event, i));
        put_number("=", event->u.args[i]);
    }
}

static void put_details(const weft_reader *reader, const weft_event *event)
{
    switch (event->kind) {
    case WEFT_EVENT_SYNC:
        put_sync(reader);
        break;
    case WEFT_EVENT_METRIC:
        put_string(reader, " name=", event->name);
        put_number(" value=", event->u.value);
        break;
    case WEFT_EVENT_LABEL:
        put_string(reader, " label=", event->name);
        put_resource(" scope=", event);
        break;
    case WEFT_EVENT_RANGE_BEGIN:
    case WEFT_EVENT_RANGE_ACTIVE:
    case WEFT_EVENT_RANGE_END:
        put_range(reader, event);
        break;
    case WEFT_EVENT_TASK_BEGIN:
    case WEFT_EVENT_TASK_END:
        put_id(" id=", event->id);
        put_id(" parent=", event->u.parent);
        put_string(reader, " type=", event->name);
        break;
    case WEFT_EVENT_REGION_BEGIN:
    case WEFT_EVENT_REGION_END:
        put_id(" task=", event->id);
        put_string(reader, " type=", event->name);
        break;
    case WEFT_EVENT_LOG:
        put_id(" task=", event->id);
        put_string(reader, " category=", event->name);
        put_string(reader, " message=", event->message);
        break;
    case WEFT_EVENT_STATE_TRANSITION:
        put_transition(reader, event);
        break;
    case WEFT_EVENT_EXPERIMENTAL:
        put_experimental(reader, event);
        break;
    default:
        break;
    }
}

void cli_print_canon(const weft_reader *reader, const weft_event *event)
{
    cli_put_signed(event->time);
    const uint64_t context[] = {event->m, event->p, event->g};
    for (unsigned i = 0; i < 3; i++) {
        cli_put_char(' ');
        if (context[i] == WEFT_ID_NONE)
            cli_put_char('-');
        else
            cli_put_signed((int64_t)context[i]);
    }
    cli_put_char(' ');
    cli_put_text(weft_event_kind_name(event->kind));
    put_details(reader, event);
    put_stack(reader, " stack=", event->stack);
    if (event->resource_stack != event->stack)
        put_stack(reader, " tstack=", event->resource_stack);
    cli_put_char('\n');
}
