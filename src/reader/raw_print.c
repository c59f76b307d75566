/* SPDX-License-Identifier: MIT */
/* From a trace's bytes to raw text: trace-format.md 11. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/reader.h>

#include "reader/fault.h"
#include "reader/header.h"
#include "reader/source.h"
#include "wire/batch.h"

typedef unsigned long long ull;

struct printer {
    struct reader_source source;
    weft_write_fn write;
    void *context;
    unsigned version;
    struct reader_fault *fault;
    char text[4096];
    size_t used;
    int status; /* first failed write */
};

static void drain(struct printer *p)
{
    if (p->used && !p->status)
        p->status = p->write(p->context, p->text, p->used);
    p->used = 0;
}

static void put(struct printer *p, const char *text, size_t size)
{
    if (sizeof p->text - p->used < size)
        drain(p);
    memcpy(p->text + p->used, text, size);
    p->used += size;
}

WEFT_PRINTF(2, 3)
static void print(struct printer *p, const char *format, ...)
{
    char line[128];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    put(p, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

static int fail(struct printer *p, const char *rule, const char *what)
{
    if (p->source.error)
        return reader_fail_input(p->fault, p->source.error, 0, p->source.offset);
    return reader_fail(p->fault, rule, 0, p->source.offset, "%s", what);
}

/* One number, printed with its name. */
static int number(struct printer *p, const char *before, const char *name, uint64_t *value)
{
    if (reader_source_varint(&p->source, value) != READER_VARINT_OK)
        return fail(p, "RAW-2", "bad or cut off number");
    print(p, "%s%s=%llu", before, name, (ull)*value);
    return 0;
}

static void put_quoted(struct printer *p, const uint8_t *data, size_t size)
{
    static const char plain[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";
    put(p, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        const char *found = data[i] ? strchr(plain, data[i]) : NULL;
        if (found)
            print(p, "\\%c", letters[found - plain]);
        else if (data[i] >= 0x20 && data[i] < 0x7f)
            put(p, (const char *)&data[i], 1);
        else
            print(p, "\\x%02x", data[i]);
    }
    put(p, "\"", 1);
}

/* Length and data of a string or an experimental batch, whose line is there even without data. */
static int print_data(struct printer *p, uint64_t limit, bool always)
{
    static const char too_long[] = "more data than an entry may have";
    uint64_t size;
    uint8_t chunk[512];
    if (reader_source_varint(&p->source, &size) != READER_VARINT_OK)
        return fail(p, "RAW-2", "bad or cut off number");
    if (size > limit)
        return fail(p, "RAW-3", too_long);
    if (size == 0 && !always)
        return 0;
    uint8_t *data = size <= sizeof chunk ? chunk : malloc(size);
    if (!data)
        return reader_fail_memory(p->fault, 0, p->source.offset);
    int status = 0;
    if (reader_source_take(&p->source, data, size) < size) {
        status = fail(p, "RAW-4", "data is cut off");
    } else {
        put(p, "\n\tdata=", 7);
        put_quoted(p, data, size);
    }
    if (data != chunk)
        free(data);
    return status;
}

static int print_frames(struct printer *p, uint64_t count)
{
    static const char *const names[] = {"pc", "func", "file", "line"};
    if (count > WIRE_FRAMES_MAX)
        return fail(p, "RAW-3", "more frames than a stack may have");
    for (uint64_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < 4; j++) {
            uint64_t value;
            int status = number(p, j ? " " : "\n\t", names[j], &value);
            if (status)
                return status;
        }
    }
    return 0;
}

static int print_args(struct printer *p, unsigned id, uint64_t *last)
{
    const struct wire_event_spec *spec = &wire_event_specs[id];
    int status = 0;
    if (wire_event_is_timed(id))
        status = number(p, " ", "dt", last);
    unsigned i = 0;
    if (!status && id == WIRE_EV_EXPERIMENTAL_BATCH) {
        int experiment = reader_source_byte(&p->source);
        if (experiment < 0)
            return fail(p, "RAW-2", "bad or cut off number");
        print(p, " exp=%d", experiment);
        i = 1;
    }
    for (; i < spec->argc && !status; i++)
        status = number(p, " ", spec->args[i].name, last);
    return status;
}

static int print_event(struct printer *p, unsigned id)
{
    if (!wire_event_has_name(id, p->version))
        return reader_fail(p->fault, "RAW-1", 0, p->source.offset - 1,
                           "no event of version 1.%u has tag %u", p->version, id);
    put(p, wire_event_specs[id].name, strlen(wire_event_specs[id].name));
    uint64_t last = 0;
    int status = print_args(p, id, &last);
    if (!status && id == WIRE_EV_STRING)
        status = print_data(p, WIRE_STRING_MAX, false);
    else if (!status && id == WIRE_EV_EXPERIMENTAL_BATCH)
        status = print_data(p, WIRE_PAYLOAD_MAX, true);
    else if (!status && id == WIRE_EV_STACK)
        status = print_frames(p, last);
    put(p, "\n", 1);
    return status;
}

static int print_trace(struct printer *p)
{
    int status = reader_header_read(&p->source, &p->version, p->fault);
    if (status)
        return status;
    print(p, "Trace Go1.%u\n", p->version);
    int tag;
    while (!status && !p->status && (tag = reader_source_byte(&p->source)) >= 0)
        status = print_event(p, (unsigned)tag);
    if (!status && p->source.error)
        status = fail(p, "IO", "");
    return status;
}

int weft_raw_print(weft_read_fn read, void *read_context, weft_write_fn write, void *write_context,
                   weft_reader_error *error)
{
    static _Thread_local struct reader_fault fault;
    fault = (struct reader_fault){.error = {"", 0, 0, ""}};
    struct printer p = {.write = write, .context = write_context, .fault = &fault};
    int status = reader_source_init(&p.source, read, read_context)
                     ? print_trace(&p)
                     : reader_fail_memory(&fault, 0, 0);
    drain(&p);
    reader_source_fini(&p.source);
    if (error)
        *error = fault.error;
    return status ? status : p.status;
}
