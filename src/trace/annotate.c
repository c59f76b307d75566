/* SPDX-License-Identifier: MIT */
/* Tasks, regions, logs and labels: events whose texts come from the user. */
#include "trace/emit.h"
#include "trace/tables.h"

static void prologue(weft_trace_section *s, weft_trace_context c)
{
    trace_prologue(s, c, WEFT_TRACE_G_RUNNING, WEFT_TRACE_P_RUNNING);
}

static uint64_t text_id(const weft_trace_section *s, const char *text, size_t size)
{
    return trace_string(s->tracer, s->generation, text, size);
}

void weft_trace_task_begin(weft_trace_section *s, weft_trace_context c, uint64_t task,
                           uint64_t parent, const char *name, size_t size, uint64_t stack)
{
    uint64_t id = text_id(s, name, size);
    prologue(s, c);
    EMIT_ORDERED(s, NULL, USER_TASK_BEGIN, .task = task, .parent_task = parent, .name_string = id,
                 .stack = stack);
}

void weft_trace_task_end(weft_trace_section *s, weft_trace_context c, uint64_t task, uint64_t stack)
{
    prologue(s, c);
    EMIT_ORDERED(s, NULL, USER_TASK_END, .task = task, .stack = stack);
}

void weft_trace_region_begin(weft_trace_section *s, weft_trace_context c, uint64_t task,
                             const char *name, size_t size, uint64_t stack)
{
    uint64_t id = text_id(s, name, size);
    prologue(s, c);
    EMIT(s, USER_REGION_BEGIN, .task = task, .name_string = id, .stack = stack);
}

void weft_trace_region_end(weft_trace_section *s, weft_trace_context c, uint64_t task,
                           const char *name, size_t size, uint64_t stack)
{
    uint64_t id = text_id(s, name, size);
    prologue(s, c);
    EMIT(s, USER_REGION_END, .task = task, .name_string = id, .stack = stack);
}

void weft_trace_log(weft_trace_section *s, weft_trace_context c, uint64_t task, const char *key,
                    size_t key_size, const char *value, size_t value_size, uint64_t stack)
{
    uint64_t key_id = text_id(s, key, key_size), value_id = text_id(s, value, value_size);
    prologue(s, c);
    EMIT(s, USER_LOG, .task = task, .key_string = key_id, .value_string = value_id, .stack = stack);
}

void weft_trace_label(weft_trace_section *s, weft_trace_context c, const char *label, size_t size)
{
    if (size == 0)
        return;
    uint64_t id = text_id(s, label, size);
    prologue(s, c);
    EMIT(s, GO_LABEL, .label_string = id);
}
