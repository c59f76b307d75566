/* SPDX-License-Identifier: MIT */
/*
 * Encoder of pprof's profile.proto: the dozen fields that a profile of a trace has. A message
 * within the profile is put together in a growing buffer, since its length stands before it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <weft/export.h>

#include "export/output.h"

/* Numbers of fields. */
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING = 6,
    PROFILE_DURATION = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    VALUE_TYPE = 1,
    VALUE_UNIT = 2,
    SAMPLE_LOCATIONS = 1,
    SAMPLE_VALUES = 2,
    LOCATION_ID = 1,
    LOCATION_ADDRESS = 3,
    LOCATION_LINE = 4,
    LINE_FUNCTION = 1,
    LINE_NUMBER = 2,
    FUNCTION_ID = 1,
    FUNCTION_NAME = 2,
    FUNCTION_SYSTEM_NAME = 3,
    FUNCTION_FILE = 4,
};

struct message {
    unsigned char *at;
    size_t size, room;
    bool failed;
};

struct encoder {
    const weft_profile *profile;
    struct export_output output;
    struct message message, part;
    uint32_t *function_of; /* frame → id of its function */
    size_t next_string;    /* number of the next string beyond those of the profile */
};

/* -------- messages -------- */

static void put_byte(struct message *message, unsigned char byte)
{
    if (message->size == message->room) {
        size_t room = message->room * 2 + 256;
        unsigned char *at = realloc(message->at, room);
        if (!at) {
            message->failed = true;
            return;
        }
        message->at = at;
        message->room = room;
    }
    message->at[message->size++] = byte;
}

static void put_varint(struct message *message, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        put_byte(message, (unsigned char)(number | 0x80));
    put_byte(message, (unsigned char)number);
}

static void put_number(struct message *message, unsigned field, uint64_t number)
{
    if (number == 0)
        return;
    put_varint(message, field << 3);
    put_varint(message, number);
}

static void put_part(struct message *message, unsigned field, const struct message *part)
{
    put_varint(message, field << 3 | 2);
    put_varint(message, part->size);
    for (size_t i = 0; i < part->size; i++)
        put_byte(message, part->at[i]);
    message->failed |= part->failed;
}

/* Writes bytes as a field of the profile. */
static void write_field(struct encoder *encoder, unsigned field, const void *data, size_t size)
{
    unsigned char head[16];
    size_t n = 0;
    head[n++] = (unsigned char)(field << 3 | 2);
    for (uint64_t rest = size; n == 1 || rest; rest >>= 7)
        head[n++] = (unsigned char)((rest & 0x7f) | (rest >= 0x80 ? 0x80 : 0));
    export_put(&encoder->output, head, n);
    export_put(&encoder->output, data, size);
}

/* Writes the message as a field of the profile and empties it. */
static void write_message(struct encoder *encoder, unsigned field)
{
    struct message *message = &encoder->message;
    write_field(encoder, field, message->at, message->size);
    message->size = 0;
}

static void write_number(struct encoder *encoder, unsigned field, uint64_t number)
{
    encoder->message.size = 0;
    put_number(&encoder->message, field, number);
    export_put(&encoder->output, encoder->message.at, encoder->message.size);
    encoder->message.size = 0;
}

/* -------- parts of a profile -------- */

/* Describes a value. Its texts come behind those of the profile, in the order of the calls. */
static void write_value_type(struct encoder *encoder, unsigned field)
{
    put_number(&encoder->message, VALUE_TYPE, encoder->next_string++);
    put_number(&encoder->message, VALUE_UNIT, encoder->next_string++);
    write_message(encoder, field);
}

static void write_samples(struct encoder *encoder)
{
    struct message *part = &encoder->part;
    weft_sample sample;
    for (size_t i = 0; weft_profile_sample(encoder->profile, i, &sample) == 0; i++) {
        if (sample.count == 0)
            continue;
        part->size = 0;
        for (size_t k = 0; k < sample.depth; k++)
            put_varint(part, (uint64_t)sample.frames[k] + 1);
        if (part->size)
            put_part(&encoder->message, SAMPLE_LOCATIONS, part);
        part->size = 0;
        put_varint(part, sample.count);
        put_varint(part, (uint64_t)sample.time);
        put_part(&encoder->message, SAMPLE_VALUES, part);
        write_message(encoder, PROFILE_SAMPLE);
    }
}

static void write_locations(struct encoder *encoder)
{
    weft_profile_frame frame;
    for (size_t i = 0; weft_profile_frame_get(encoder->profile, i, &frame) == 0; i++) {
        put_number(&encoder->message, LOCATION_ID, i + 1);
        put_number(&encoder->message, LOCATION_ADDRESS, frame.pc);
        encoder->part.size = 0;
        put_number(&encoder->part, LINE_FUNCTION, encoder->function_of[i]);
        put_number(&encoder->part, LINE_NUMBER, frame.line);
        put_part(&encoder->message, LOCATION_LINE, &encoder->part);
        write_message(encoder, PROFILE_LOCATION);
    }
}

static void write_function(struct encoder *encoder, uint32_t id, const weft_profile_frame *frame)
{
    put_number(&encoder->message, FUNCTION_ID, id);
    put_number(&encoder->message, FUNCTION_NAME, frame->function);
    put_number(&encoder->message, FUNCTION_SYSTEM_NAME, frame->function);
    put_number(&encoder->message, FUNCTION_FILE, frame->file);
    write_message(encoder, PROFILE_FUNCTION);
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
            write_function(encoder, ++id, &frames[i].frame);
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
        write_field(encoder, PROFILE_STRING, text.data, text.size);
    }
    const char *const *names = value_names(weft_profile_kind_get(encoder->profile));
    for (unsigned i = 0; i < 6; i++)
        write_field(encoder, PROFILE_STRING, names[i], strlen(names[i]));
}

static int encode(struct encoder *encoder)
{
    const weft_profile *profile = encoder->profile;
    encoder->next_string = weft_profile_texts(profile);
    write_value_type(encoder, PROFILE_SAMPLE_TYPE);
    write_value_type(encoder, PROFILE_SAMPLE_TYPE);
    write_value_type(encoder, PROFILE_PERIOD_TYPE);
    bool sampled = weft_profile_kind_get(profile) == WEFT_PROFILE_CPU;
    write_number(encoder, PROFILE_PERIOD, sampled ? (uint64_t)weft_profile_period(profile) : 1);
    write_number(encoder, PROFILE_DURATION, (uint64_t)weft_profile_duration(profile));
    int status = write_functions(encoder);
    if (status)
        return status;
    write_samples(encoder);
    write_locations(encoder);
    write_strings(encoder);
    if (encoder->message.failed || encoder->part.failed)
        return -ENOMEM;
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
    int status = encode(encoder);
    free(encoder->message.at);
    free(encoder->part.at);
    free(encoder->function_of);
    free(encoder);
    return status;
}
