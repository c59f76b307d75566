/* SPDX-License-Identifier: MIT */
#include "wire/profile_proto.h"

#include <stdlib.h>
#include <string.h>

/* Numbers of fields. */
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING = 6,
    PROFILE_TIME = 9,
    PROFILE_DURATION = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    VALUE_TYPE = 1,
    VALUE_UNIT = 2,
    SAMPLE_LOCATIONS = 1,
    SAMPLE_VALUES = 2,
    SAMPLE_LABEL = 3,
    LABEL_KEY = 1,
    LABEL_TEXT = 2,
    LABEL_NUMBER = 3,
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

enum { VARINT = 0, BYTES = 2 }; /* types of fields */

/* -------- messages -------- */

static bool reserve(struct wire_pprof *pprof, struct wire_pprof_message *message, size_t size)
{
    if (message->room - message->size >= size)
        return true;
    size_t room = message->room * 2 + size + 256;
    unsigned char *at = realloc(message->at, room);
    if (!at) {
        pprof->failed = true;
        return false;
    }
    message->at = at;
    message->room = room;
    return true;
}

static size_t encode_varint(unsigned char out[10], uint64_t number)
{
    size_t size = 0;
    for (; number >= 0x80; number >>= 7)
        out[size++] = (unsigned char)(number | 0x80);
    out[size++] = (unsigned char)number;
    return size;
}

static void put_varint(struct wire_pprof *pprof, struct wire_pprof_message *message,
                       uint64_t number)
{
    if (reserve(pprof, message, 10))
        message->size += encode_varint(message->at + message->size, number);
}

/* Zero is what a field without a value has. */
static void put_number(struct wire_pprof *pprof, struct wire_pprof_message *message, unsigned field,
                       uint64_t number)
{
    if (number == 0)
        return;
    put_varint(pprof, message, field << 3 | VARINT);
    put_varint(pprof, message, number);
}

/* Puts the part into the message as a field and empties it. */
static void put_part(struct wire_pprof *pprof, struct wire_pprof_message *message, unsigned field,
                     struct wire_pprof_message *part)
{
    put_varint(pprof, message, field << 3 | BYTES);
    put_varint(pprof, message, part->size);
    if (part->size && reserve(pprof, message, part->size)) {
        memcpy(message->at + message->size, part->at, part->size);
        message->size += part->size;
    }
    part->size = 0;
}

static void write_number(struct wire_pprof *pprof, unsigned field, uint64_t number)
{
    unsigned char head[20];
    if (number == 0)
        return;
    size_t size = encode_varint(head, field << 3 | VARINT);
    size += encode_varint(head + size, number);
    pprof->write(pprof->context, head, size);
}

static void write_bytes(struct wire_pprof *pprof, unsigned field, const void *data, size_t size)
{
    unsigned char head[20];
    size_t n = encode_varint(head, field << 3 | BYTES);
    n += encode_varint(head + n, size);
    pprof->write(pprof->context, head, n);
    if (size)
        pprof->write(pprof->context, data, size);
}

/* Writes the message as a field of the profile and empties it. */
static void write_message(struct wire_pprof *pprof, unsigned field)
{
    if (!pprof->failed)
        write_bytes(pprof, field, pprof->message.at, pprof->message.size);
    pprof->message.size = 0;
}

/* -------- the profile -------- */

void wire_pprof_start(struct wire_pprof *pprof,
                      void (*write)(void *context, const void *data, size_t size), void *context)
{
    *pprof = (struct wire_pprof){.write = write, .context = context};
}

bool wire_pprof_end(struct wire_pprof *pprof)
{
    free(pprof->message.at);
    free(pprof->part.at);
    return !pprof->failed;
}

static void write_value_type(struct wire_pprof *pprof, unsigned field, uint64_t type, uint64_t unit)
{
    put_number(pprof, &pprof->message, VALUE_TYPE, type);
    put_number(pprof, &pprof->message, VALUE_UNIT, unit);
    write_message(pprof, field);
}

void wire_pprof_sample_type(struct wire_pprof *pprof, uint64_t type, uint64_t unit)
{
    write_value_type(pprof, PROFILE_SAMPLE_TYPE, type, unit);
}

void wire_pprof_period(struct wire_pprof *pprof, uint64_t type, uint64_t unit, uint64_t period)
{
    write_value_type(pprof, PROFILE_PERIOD_TYPE, type, unit);
    write_number(pprof, PROFILE_PERIOD, period);
}

void wire_pprof_time(struct wire_pprof *pprof, uint64_t time, uint64_t duration)
{
    write_number(pprof, PROFILE_TIME, time);
    write_number(pprof, PROFILE_DURATION, duration);
}

static void put_label(struct wire_pprof *pprof, const struct wire_pprof_label *label)
{
    put_number(pprof, &pprof->part, LABEL_KEY, label->key);
    put_number(pprof, &pprof->part, LABEL_TEXT, label->text);
    if (!label->text)
        put_number(pprof, &pprof->part, LABEL_NUMBER, label->number);
    put_part(pprof, &pprof->message, SAMPLE_LABEL, &pprof->part);
}

void wire_pprof_sample(struct wire_pprof *pprof, const uint64_t *locations, size_t depth,
                       const uint64_t values[2], const struct wire_pprof_label *labels,
                       size_t label_count)
{
    for (size_t i = 0; i < depth; i++)
        put_varint(pprof, &pprof->part, locations[i]);
    if (depth)
        put_part(pprof, &pprof->message, SAMPLE_LOCATIONS, &pprof->part);
    put_varint(pprof, &pprof->part, values[0]);
    put_varint(pprof, &pprof->part, values[1]);
    put_part(pprof, &pprof->message, SAMPLE_VALUES, &pprof->part);
    for (size_t i = 0; i < label_count; i++)
        put_label(pprof, &labels[i]);
    write_message(pprof, PROFILE_SAMPLE);
}

void wire_pprof_location(struct wire_pprof *pprof, uint64_t id, uint64_t address,
                         const struct wire_pprof_line *lines, size_t count)
{
    put_number(pprof, &pprof->message, LOCATION_ID, id);
    put_number(pprof, &pprof->message, LOCATION_ADDRESS, address);
    for (size_t i = 0; i < count; i++) {
        put_number(pprof, &pprof->part, LINE_FUNCTION, lines[i].function);
        put_number(pprof, &pprof->part, LINE_NUMBER, lines[i].line);
        put_part(pprof, &pprof->message, LOCATION_LINE, &pprof->part);
    }
    write_message(pprof, PROFILE_LOCATION);
}

void wire_pprof_function(struct wire_pprof *pprof, uint64_t id, uint64_t name, uint64_t file)
{
    put_number(pprof, &pprof->message, FUNCTION_ID, id);
    put_number(pprof, &pprof->message, FUNCTION_NAME, name);
    put_number(pprof, &pprof->message, FUNCTION_SYSTEM_NAME, name);
    put_number(pprof, &pprof->message, FUNCTION_FILE, file);
    write_message(pprof, PROFILE_FUNCTION);
}

void wire_pprof_string(struct wire_pprof *pprof, const void *text, size_t size)
{
    write_bytes(pprof, PROFILE_STRING, text, size);
}
