/* SPDX-License-Identifier: MIT */
/*
 * A CPU profile as pprof's profile.proto (wire/profile_proto.h). Strings, functions and locations
 * get the ids that the profile's own maps give them; each is written when it is met first, strings
 * at the end, in the order of their ids. On the profile's thread.
 */
#include "base/pages.h"
#include "base/torture.h"
#include "trace/cpu_profile.h"
#include "trace/symbols.h"
#include "wire/flight_layout.h"
#include "wire/profile_proto.h"

#include <errno.h>
#include <string.h>

/* Logical frames at one address: functions inlined into one another. */
#define INLINED_MAX 32
/* Longest text that a map takes as a key; of a longer one the end is kept. */
#define TEXT_MAX ((size_t)4096)

typedef struct pprof_encoder {
    trace_cpu_profile *profile;
    struct trace_symbols *symbols;
    struct wire_pprof out;
    trace_map texts, functions, places;
    uint64_t functions_written, places_written;
    bool failed; /* memory was refused */
} pprof_encoder;

static uint64_t id_of(pprof_encoder *encoder, trace_map *map, const void *key, size_t size)
{
    const trace_map_entry *entry = trace_map_intern(map, base_hash(key, size), key, size);
    if (!entry)
        encoder->failed = true;
    return entry ? entry->id : 0;
}

static uint64_t text_id(pprof_encoder *encoder, const char *text, size_t size)
{
    size_t cut = size > TEXT_MAX ? size - TEXT_MAX : 0;
    return size ? id_of(encoder, &encoder->texts, text + cut, size - cut) : 0;
}

static uint64_t name_id(pprof_encoder *encoder, const char *text)
{
    return text_id(encoder, text, strlen(text));
}

static uint64_t function_id(pprof_encoder *encoder, const trace_frame *frame)
{
    const uint64_t key[2] = {name_id(encoder, frame->func), name_id(encoder, frame->file)};
    uint64_t id = id_of(encoder, &encoder->functions, key, sizeof key);
    if (id > encoder->functions_written) {
        encoder->functions_written = id;
        wire_pprof_function(&encoder->out, id, key[0], key[1]);
    }
    return id;
}

static void write_place(pprof_encoder *encoder, uint64_t id, uintptr_t pc)
{
    trace_frame frames[INLINED_MAX];
    struct wire_pprof_line lines[INLINED_MAX];
    unsigned count = trace_symbols_resolve(encoder->symbols, pc, true, frames, INLINED_MAX);
    for (unsigned i = 0; i < count; i++)
        lines[i] =
            (struct wire_pprof_line){function_id(encoder, &frames[i]), (uint64_t)frames[i].line};
    wire_pprof_location(&encoder->out, id, pc, lines, count);
}

/* pc: an address within the instruction that is meant. */
static uint64_t place_id(pprof_encoder *encoder, uintptr_t pc)
{
    const uint64_t key = pc;
    uint64_t id = id_of(encoder, &encoder->places, &key, sizeof key);
    if (id > encoder->places_written) {
        encoder->places_written = id;
        write_place(encoder, id, pc);
    }
    return id;
}

static void write_stack(pprof_encoder *encoder, const trace_map_entry *entry)
{
    const trace_cpu_total *total = &encoder->profile->totals[entry->id];
    uint64_t shape = entry->key[0], places[TRACE_CPU_FRAMES];
    const uint64_t *data = entry->key + 1, values[2] = {total->ticks, total->ns};
    unsigned depth = trace_cpu_depth(shape);
    size_t label_size = trace_cpu_label_size(shape);
    struct wire_pprof_label label = {0};
    for (unsigned i = 0; i < depth; i++)
        places[i] = place_id(encoder, (uintptr_t)data[i] - (i > 0));
    if (label_size) {
        label.key = name_id(encoder, "goroutine");
        label.text = text_id(encoder, (const char *)(data + depth), label_size);
    }
    wire_pprof_sample(&encoder->out, places, depth, values, &label, label_size != 0);
}

static void write_types(pprof_encoder *encoder)
{
    const trace_cpu_profile *profile = encoder->profile;
    uint64_t cpu = name_id(encoder, "cpu"), ns = name_id(encoder, "nanoseconds");
    wire_pprof_sample_type(&encoder->out, name_id(encoder, "samples"), name_id(encoder, "count"));
    wire_pprof_sample_type(&encoder->out, cpu, ns);
    wire_pprof_period(&encoder->out, cpu, ns, 1000000000u / profile->hz);
    wire_pprof_time(&encoder->out, profile->wall_ns, profile->duration_ns);
}

static void write_texts(pprof_encoder *encoder)
{
    trace_map_cursor cursor;
    trace_map_start(&encoder->texts, &cursor);
    wire_pprof_string(&encoder->out, "", 0);
    for (const trace_map_entry *entry; (entry = trace_map_next(&cursor));)
        wire_pprof_string(&encoder->out, entry->key, entry->size);
}

static void write_all(pprof_encoder *encoder)
{
    trace_map_cursor cursor;
    write_types(encoder);
    trace_map_start(&encoder->profile->stacks, &cursor);
    for (const trace_map_entry *entry; (entry = trace_map_next(&cursor));)
        if (entry->id < encoder->profile->totals_room && encoder->profile->totals[entry->id].ticks)
            write_stack(encoder, entry);
    write_texts(encoder);
}

/* The maps are too large for a stack. */
static int write_with(pprof_encoder *encoder, trace_cpu_profile *profile)
{
    trace_cpu_output *output = &profile->output;
    encoder->profile = profile;
    encoder->symbols = trace_symbols_new(); /* without it names are addresses */
    trace_map_init(&encoder->texts, &profile->arena, WIRE_FLIGHT_STACKS, 0);
    trace_map_init(&encoder->functions, &profile->arena, WIRE_FLIGHT_STACKS, 0);
    trace_map_init(&encoder->places, &profile->arena, WIRE_FLIGHT_STACKS, 0);
    wire_pprof_start(&encoder->out, trace_cpu_output_put, output);
    trace_cpu_output_start(output);
    write_all(encoder);
    bool complete = wire_pprof_end(&encoder->out) && !encoder->failed;
    int rc = trace_cpu_output_finish(output);
    trace_map_reset(&encoder->texts);
    trace_map_reset(&encoder->functions);
    trace_map_reset(&encoder->places);
    if (encoder->symbols)
        trace_symbols_free(encoder->symbols);
    return complete ? rc : -ENOMEM;
}

int trace_cpu_pprof_write(trace_cpu_profile *profile)
{
    pprof_encoder *encoder = torture_refuse("cpu pprof") ? NULL : base_pages_alloc(sizeof *encoder);
    if (!encoder)
        return -ENOMEM;
    trace_arena_limit(&profile->arena, SIZE_MAX); /* for names, of which there are not many */
    int rc = write_with(encoder, profile);
    base_pages_free(encoder, sizeof *encoder);
    return rc;
}
