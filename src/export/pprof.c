/* SPDX-License-Identifier: MIT */
/* A profile of a trace as pprof's profile.proto; the encoder is wire/profile_proto.c. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <weft/export.h>

#include "export/output.h"
#include "wire/profile_proto.h"

struct encoder {
    const weft_profile *profile;
    struct export_output output;
    struct wire_pprof pprof;
    uint32_t *function_of; /* frame → id of its function */
    uint64_t *locations;   /* of one sample */
    size_t locations_room;
};

static void put(void *context, const void *data, size_t size)
{
    export_put(context, data, size);
}

/* Room for the locations of a sample that deep. */
static bool reserve_locations(struct encoder *encoder, size_t depth)
{
    if (depth <= encoder->locations_room)
        return true;
    uint64_t *locations = realloc(encoder->locations, depth * sizeof *locations);
    if (!locations)
        return false;
    encoder->locations = locations;
    encoder->locations_room = depth;
    return true;
}

/* 0 or -ENOMEM. */
static int write_samples(struct encoder *encoder)
{
    weft_sample sample;
    for (size_t i = 0; weft_profile_sample(encoder->profile, i, &sample) == 0; i++) {
        if (sample.count == 0)
            continue;
        if (!reserve_locations(encoder, sample.depth))
            return -ENOMEM;
        for (size_t k = 0; k < sample.depth; k++)
            encoder->locations[k] = (uint64_t)sample.frames[k] + 1;
        const uint64_t values[2] = {sample.count, (uint64_t)sample.time};
        wire_pprof_sample(&encoder->pprof, encoder->locations, sample.depth, values, NULL, 0);
    }
    return 0;
}

static void write_locations(struct encoder *encoder)
{
    weft_profile_frame frame;
    for (size_t i = 0; weft_profile_frame_get(encoder->profile, i, &frame) == 0; i++) {
        const struct wire_pprof_line line = {encoder->function_of[i], frame.line};
        wire_pprof_location(&encoder->pprof, i + 1, frame.pc, &line, 1);
    }
}

struct named_frame {
    weft_profile_frame frame;
    size_t index;
};

static int by_function(const void *left, const void *right)
{
    const struct named_frame *a = left, *b = right;
    if (a->frame.function != b->frame.function)
        return a->frame.function < b->frame.function ? -1 : 1;
    return (a->frame.file > b->frame.file) - (a->frame.file < b->frame.file);
}

/* Gives frames of one function and file one id, and writes the functions. 0 or -ENOMEM. */
static int write_functions(struct encoder *encoder)
{
    size_t count = weft_profile_frames(encoder->profile);
    struct named_frame *frames = malloc((count + 1) * sizeof *frames);
    encoder->function_of = malloc((count + 1) * sizeof *encoder->function_of);
    if (!frames || !encoder->function_of) {
        free(frames);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        frames[i].index = i;
        if (weft_profile_frame_get(encoder->profile, i, &frames[i].frame) != 0)
            frames[i].frame = (weft_profile_frame){0, 0, 0, 0};
    }
    qsort(frames, count, sizeof *frames, by_function);
    uint32_t id = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || by_function(&frames[i - 1], &frames[i]) != 0)
            wire_pprof_function(&encoder->pprof, ++id, frames[i].frame.function,
                                frames[i].frame.file);
        encoder->function_of[frames[i].index] = id;
    }
    free(frames);
    return 0;
}

/* What the values and the period of each kind are called. */
static const char *const *value_names(weft_profile_kind kind)
{
    static const char *const cpu[] = {"samples",     "count", "cpu",
                                      "nanoseconds", "cpu",   "nanoseconds"};
    static const char *const stays[] = {"contentions", "count", "delay",
                                        "nanoseconds", "trace", "count"};
    static const char *const regions[] = {"regions",     "count", "time",
                                          "nanoseconds", "trace", "count"};
    return kind == WEFT_PROFILE_CPU ? cpu : kind == WEFT_PROFILE_REGION ? regions : stays;
}

static void write_strings(struct encoder *encoder)
{
    for (size_t i = 0; i < weft_profile_texts(encoder->profile); i++) {
        weft_text text = weft_profile_text(encoder->profile, i);
        wire_pprof_string(&encoder->pprof, text.data, text.size);
    }
    const char *const *names = value_names(weft_profile_kind_get(encoder->profile));
    for (unsigned i = 0; i < 6; i++)
        wire_pprof_string(&encoder->pprof, names[i], strlen(names[i]));
}

/* The texts of value_names() come behind those of the profile. */
static void write_types(struct encoder *encoder)
{
    const weft_profile *profile = encoder->profile;
    uint64_t names = weft_profile_texts(profile);
    bool sampled = weft_profile_kind_get(profile) == WEFT_PROFILE_CPU;
    wire_pprof_sample_type(&encoder->pprof, names, names + 1);
    wire_pprof_sample_type(&encoder->pprof, names + 2, names + 3);
    wire_pprof_period(&encoder->pprof, names + 4, names + 5,
                      sampled ? (uint64_t)weft_profile_period(profile) : 1);
    wire_pprof_time(&encoder->pprof, 0, (uint64_t)weft_profile_duration(profile));
}

static int encode(struct encoder *encoder)
{
    write_types(encoder);
    int status = write_functions(encoder);
    if (status == 0)
        status = write_samples(encoder);
    if (status)
        return status;
    write_locations(encoder);
    write_strings(encoder);
    return export_flush(&encoder->output);
}

int weft_export_pprof(const weft_profile *profile, weft_write_fn write, void *context)
{
    struct encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return -ENOMEM;
    encoder->profile = profile;
    encoder->output.write = write;
    encoder->output.context = context;
    wire_pprof_start(&encoder->pprof, put, &encoder->output);
    int status = encode(encoder);
    if (!wire_pprof_end(&encoder->pprof) && status == 0)
        status = -ENOMEM;
    free(encoder->locations);
    free(encoder->function_of);
    free(encoder);
    return status;
}
