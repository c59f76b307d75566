/* SPDX-License-Identifier: MIT */
/*
 * Design. A flight file is the memory of a tracer at an arbitrary moment (wire/flight_layout.h).
 * Its generations are complete but for the last, and for the one before that while it was being
 * collected; what those lack is made up for here: tables, clock data, statuses. The events that are
 * there are closed under causes (trace/flight.c), so a reader can order all of them. Should it not,
 * as the file is damaged, exactly that is kept which it can order.
 */
#include "recover/recover.h"

#include "trace/symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Which generations ---- */

/* The numbers after which nothing is missing: trace/status.h says why it is 4. */
static uint64_t number_before(uint64_t n)
{
    return n == 4 ? UINT64_MAX : n - 1;
}

static const wire_flight_generation *record_of(const flight_file *file, uint64_t number)
{
    const wire_flight_generation *record = &file->generations[number % file->head.chunks];
    bool usable = record->number == number && record->state >= WIRE_FLIGHT_WRITTEN &&
                  record->state <= WIRE_FLIGHT_COMPLETE;
    return usable ? record : NULL;
}

/* The usable generation with the highest number below `below`, or NULL. */
static const wire_flight_generation *newest(const flight_file *file, uint64_t below)
{
    const wire_flight_generation *best = NULL;
    for (uint64_t i = 0; i < file->head.chunks; i++) {
        const wire_flight_generation *record = record_of(file, file->generations[i].number);
        if (record == &file->generations[i] && record->number && record->number < below &&
            (!best || record->number > best->number))
            best = record;
    }
    return best;
}

/* Loads into *g; 1: it has events; 0: it has none, or no clock data of its own where it needs them;
 * or a negative errno value. */
static int load(recover_generation *g, const flight_file *file,
                const wire_flight_generation *record)
{
    *g = (recover_generation){.number = record->number, .state = record->state};
    int status = generation_load(g, file);
    if (status == 0 && generation_has_events(g))
        return 1;
    generation_free(g);
    return status;
}

/* The newest generations that follow each other without a gap, oldest last in `list`. */
static int load_run(const flight_file *file, recover_generation *list, size_t *count)
{
    const wire_flight_generation *record = NULL;
    uint64_t below = UINT64_MAX;
    int status = 0;
    while (status == 0 && (record = newest(file, below))) {
        below = record->number;
        status = load(&list[0], file, record);
    }
    *count = status == 1;
    while (status == 1 && *count < file->head.chunks) {
        record = record_of(file, number_before(list[*count - 1].number));
        status = record ? load(&list[*count], file, record) : 0;
        *count += status == 1;
    }
    return status < 0 ? status : 0;
}

static void reverse(recover_generation *list, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        recover_generation swap = list[i];
        list[i] = list[count - 1 - i];
        list[count - 1 - i] = swap;
    }
}

/* ---- What they lack ---- */

static void drop_first(recover_trace *trace)
{
    generation_free(&trace->generations[0]);
    trace->count--;
    memmove(trace->generations, trace->generations + 1, trace->count * sizeof *trace->generations);
}

static int complete(recover_trace *trace, trace_symbols *symbols)
{
    recover_generation *g = trace->generations;
    int status = 0;
    while (trace->count && !generation_has_sync(g))
        drop_first(trace);
    if (trace->count > 1 && g[0].state != WIRE_FLIGHT_COMPLETE)
        status = recover_statuses(&g[0], &g[1]);
    for (size_t i = 0; status == 0 && i < trace->count; i++) {
        status = recover_sync(&g[i], i ? &g[i - 1] : NULL);
        if (status == 0)
            status = recover_tables(&g[i], symbols);
        if (status == 0)
            generation_sort(&g[i]);
    }
    return status;
}

/* ---- What does not fit ---- */

/* Ends the trace where generation number `at` could not be read on. */
static void end_at(recover_trace *trace, size_t at, weft_recovery *result)
{
    uint64_t dropped = generation_cut(&trace->generations[at]);
    size_t keep = at + (dropped > 0 && generation_has_events(&trace->generations[at]));
    if (keep == at)
        dropped += generation_events(&trace->generations[at]);
    for (size_t i = trace->count; i-- > keep;) {
        if (i > at)
            dropped += generation_events(&trace->generations[i]);
        generation_free(&trace->generations[i]);
    }
    trace->count = keep;
    result->dropped_events += dropped;
}

static int make_valid(recover_trace *trace, weft_recovery *result)
{
    int status = 0;
    while (status == 0 && trace->count) {
        size_t failed;
        status = recover_assemble(trace);
        if (status == 0)
            status = recover_check(trace, &failed, result);
        if (status == 0)
            end_at(trace, failed, result);
    }
    return status < 0 ? status : 0;
}

/* ---- All of it ---- */

static void summarise(const recover_trace *trace, weft_recovery *result)
{
    result->format = trace->format;
    result->generations = trace->count;
    result->bytes = trace->size;
    for (size_t i = 0; i < trace->count; i++)
        result->events += generation_events(&trace->generations[i]);
    if (trace->count) {
        result->first = trace->generations[0].number;
        result->last = trace->generations[trace->count - 1].number;
    }
}

static int make_trace(const flight_file *file, recover_trace *trace, weft_recovery *result)
{
    trace_symbols *symbols = NULL;
    int status = load_run(file, trace->generations, &trace->count);
    reverse(trace->generations, trace->count);
    if (status == 0)
        status = flight_file_symbols(file, &symbols);
    if (status == 0)
        status = complete(trace, symbols);
    trace_symbols_free(symbols);
    if (status == 0 && trace->count == 0)
        return recover_say(result, -ENODATA, "no event was recorded in it");
    if (status == 0)
        status = make_valid(trace, result);
    if (status == 0 && trace->count == 0) {
        char why[sizeof result->message / 2];
        memcpy(why, result->message, sizeof why);
        why[sizeof why - 1] = 0;
        return recover_say(result, -EBADMSG, "damaged: nothing in it can be ordered: %s", why);
    }
    return status;
}

static int recover(const flight_file *file, weft_write_fn write, void *context,
                   weft_recovery *result)
{
    recover_trace trace = {.format = file->head.format};
    trace.generations = calloc(file->head.chunks, sizeof *trace.generations);
    if (!trace.generations)
        return -ENOMEM;
    int status = make_trace(file, &trace, result);
    if (status == 0) {
        summarise(&trace, result);
        status = write(context, trace.bytes, trace.size);
    }
    for (size_t i = 0; i < trace.count; i++)
        generation_free(&trace.generations[i]);
    free(trace.generations);
    free(trace.bytes);
    return status;
}

int weft_recover(const char *path, weft_write_fn write, void *context, weft_recovery *result)
{
    flight_file file;
    weft_recovery full = {.size = result->size};
    int status = flight_file_open(&file, path, &full);
    if (status == 0) {
        full.pid = file.head.pid;
        status = recover(&file, write, context, &full);
        flight_file_close(&file);
    }
    if (status < 0 && !full.message[0])
        recover_say(&full, status, "%s", strerror(-status));
    memcpy(result, &full, result->size < sizeof full ? result->size : sizeof full);
    return status;
}
