/* SPDX-License-Identifier: MIT */
/* What can be asked of a reader beside events, and names for texts. */
#include <errno.h>
#include <string.h>

#include "reader/reader.h"
#include "reader/stable.h"

const weft_reader_error *weft_reader_error_get(const weft_reader *reader)
{
    return &reader->fault.error;
}

unsigned weft_reader_version(const weft_reader *reader)
{
    return reader->version;
}

uint64_t weft_reader_generation(const weft_reader *reader)
{
    return reader->shown;
}

uint64_t weft_reader_generations(const weft_reader *reader)
{
    return reader->generations;
}

uint64_t weft_reader_event_offset(const weft_reader *reader)
{
    return reader->offset;
}

uint64_t weft_reader_offset(const weft_reader *reader)
{
    return reader->source.offset;
}

weft_text reader_table_string(const weft_reader *reader, weft_string string)
{
    if (string & READER_POOL_BIT) {
        const struct reader_pool *pool = &reader->order.pool;
        string &= ~READER_POOL_BIT;
        if (string < pool->texts.count && pool->texts.at[string].data)
            return (weft_text){pool->texts.at[string].data, pool->texts.at[string].size};
    } else if (string < reader->gen.strings.count) {
        const struct reader_string *of = &reader->gen.strings.at[string];
        return (weft_text){(const char *)of->data, of->size};
    }
    return (weft_text){"", 0};
}

size_t reader_table_depth(const weft_reader *reader, weft_stack stack)
{
    return stack < reader->gen.stacks.count ? reader->gen.stacks.at[stack].count : 0;
}

int reader_table_frame(const weft_reader *reader, weft_stack stack, size_t index, weft_frame *frame)
{
    if (index >= reader_table_depth(reader, stack)) {
        *frame = (weft_frame){0, 0, 0, 0};
        return -ERANGE;
    }
    const struct reader_generation *gen = &reader->gen;
    const struct reader_pc *pc =
        &gen->pcs.at[gen->frames.at[gen->stacks.at[stack].first + (uint32_t)index]];
    *frame = (weft_frame){pc->pc, pc->line, (weft_string)pc->function, (weft_string)pc->file};
    return 0;
}

weft_text weft_reader_string(const weft_reader *reader, weft_string string)
{
    return reader->stable ? reader_stable_string(reader->stable, string)
                          : reader_table_string(reader, string);
}

size_t weft_reader_stack_depth(const weft_reader *reader, weft_stack stack)
{
    return reader->stable ? analysis_intern_depth(reader->stable, stack)
                          : reader_table_depth(reader, stack);
}

int weft_reader_stack_frame(const weft_reader *reader, weft_stack stack, size_t index,
                            weft_frame *frame)
{
    return reader->stable ? reader_stable_frame(reader->stable, stack, index, frame)
                          : reader_table_frame(reader, stack, index, frame);
}

/* Seconds and nanoseconds with the latter in range, as wall clocks have them. */
static void normalise(weft_sync *sync, uint64_t sec, uint64_t nsec)
{
    int64_t rest = (int64_t)nsec % 1000000000, carry = (int64_t)nsec / 1000000000;
    if (rest < 0) {
        rest += 1000000000;
        carry--;
    }
    sync->wall_sec = (int64_t)(sec + (uint64_t)carry);
    sync->wall_nsec = (uint32_t)rest;
}

void weft_reader_sync(const weft_reader *reader, weft_sync *sync)
{
    const struct reader_generation *gen = &reader->gen;
    *sync = (weft_sync){.number = reader->syncs};
    if (!reader->sync_has_data)
        return;
    sync->batches = gen->experiments.count;
    if (!gen->has_clock)
        return;
    sync->has_clock = 1;
    sync->trace_time = reader_time(gen->unit, gen->clock.units);
    sync->mono = gen->clock.mono;
    normalise(sync, gen->clock.sec, gen->clock.nsec);
}

int weft_reader_batch(const weft_reader *reader, size_t index, weft_batch *batch)
{
    *batch = (weft_batch){0, WEFT_ID_NONE, "", 0};
    if (!reader->sync_has_data || index >= reader->gen.experiments.count)
        return -ERANGE;
    const struct reader_batch *of = &reader->gen.experiments.at[index];
    *batch = (weft_batch){of->experiment, of->m, of->data, of->size};
    return 0;
}

int weft_reader_warning_get(const weft_reader *reader, size_t index, weft_reader_warning *warning)
{
    for (unsigned i = 0; i < READER_ODD_LIMIT; i++) {
        if (reader->warnings[i].count && index-- == 0) {
            *warning = reader->warnings[i];
            return 1;
        }
    }
    return 0;
}

const char *weft_event_arg_name(const weft_event *event, size_t index)
{
    if (event->kind != WEFT_EVENT_EXPERIMENTAL || event->wire >= WIRE_EVENT_LIMIT ||
        index >= wire_event_specs[event->wire].argc)
        return "";
    return wire_event_specs[event->wire].args[index].name;
}

const char *weft_event_kind_name(unsigned kind)
{
    static const char *const names[] = {
        "Sync",        "Metric",   "Label",           "StackSample",  "RangeBegin",
        "RangeActive", "RangeEnd", "TaskBegin",       "TaskEnd",      "RegionBegin",
        "RegionEnd",   "Log",      "StateTransition", "Experimental",
    };
    return kind < sizeof names / sizeof *names ? names[kind] : "";
}

const char *weft_state_name(unsigned state)
{
    static const char *const names[] = {"Undetermined", "NotExist", "Runnable", "Running",
                                        "Waiting",      "Syscall",  "Idle"};
    return state < sizeof names / sizeof *names ? names[state] : "";
}

const char *weft_resource_name(unsigned resource)
{
    static const char *const names[] = {"None", "Goroutine", "Proc", "Thread"};
    return resource < sizeof names / sizeof *names ? names[resource] : "";
}
