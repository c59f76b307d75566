/* SPDX-License-Identifier: MIT */
#include "reader/stable.h"

#include <errno.h>

#include "reader/reader.h"

struct analysis_intern *reader_stable_new(weft_reader *reader)
{
    struct analysis_intern *stable = calloc(1, sizeof *stable);
    if (!stable || !analysis_intern_init(stable, reader)) {
        reader_stable_free(stable);
        return NULL;
    }
    stable->exact = true;
    stable->texts.budget = stable->texts.texts.budget = &reader->budget;
    stable->frames.budget = stable->stacks.budget = &reader->budget;
    stable->stack_frames.budget = stable->scratch.budget = &reader->budget;
    return stable;
}

void reader_stable_free(struct analysis_intern *stable)
{
    if (stable)
        analysis_intern_fini(stable);
    free(stable);
}

int reader_stable_event(struct analysis_intern *stable, weft_event *event)
{
    if (event->kind == WEFT_EVENT_SYNC)
        analysis_intern_forget(stable);
    event->name = analysis_intern_text(stable, event->name);
    event->message = analysis_intern_text(stable, event->message);
    event->stack = analysis_intern_stack(stable, event->stack);
    event->resource_stack = analysis_intern_stack(stable, event->resource_stack);
    return event->name == READER_ABSENT || event->message == READER_ABSENT ||
                   event->stack == READER_ABSENT || event->resource_stack == READER_ABSENT
               ? -ENOMEM
               : 0;
}

weft_text reader_stable_string(const struct analysis_intern *stable, weft_string string)
{
    return string < stable->texts.texts.count ? analysis_intern_get(stable, string)
                                              : (weft_text){"", 0};
}

int reader_stable_frame(const struct analysis_intern *stable, weft_stack stack, size_t index,
                        weft_frame *frame)
{
    *frame = (weft_frame){0, 0, 0, 0};
    if (index >= analysis_intern_depth(stable, stack))
        return -ERANGE;
    uint32_t number = stable->stack_frames.at[stable->stacks.at[stack].first + (uint32_t)index];
    const struct analysis_frame *of = &stable->frames.at[number];
    *frame = (weft_frame){of->pc, of->line, of->function, of->file};
    return 0;
}
