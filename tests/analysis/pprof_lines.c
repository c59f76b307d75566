/* SPDX-License-Identifier: MIT */
/*
 * Decodes an uncompressed pprof profile from the standard input and prints its samples, one a line:
 * "count nanoseconds frame;frame;…", a frame being "function@file:line". Independent of the
 * encoder, and strict: exits 1 where a field is not what profile.proto says, or an id leads
 * nowhere.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct slice {
    const unsigned char *at, *end;
};

struct field {
    unsigned number, type;
    uint64_t value;
    struct slice bytes;
};

struct location {
    uint64_t id, function, line;
};

struct function {
    uint64_t id, name, file;
};

static struct slice strings[1 << 16];
static struct location locations[1 << 16];
static struct function functions[1 << 16];
static size_t string_count, location_count, function_count;

static void fail(const char *why)
{
    fprintf(stderr, "pprof_lines: %s\n", why);
    exit(1);
}

static uint64_t varint(struct slice *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; in->at < in->end && shift < 64; shift += 7) {
        unsigned char byte = *in->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    fail("bad varint");
    return 0;
}

static int next(struct slice *in, struct field *field)
{
    if (in->at == in->end)
        return 0;
    uint64_t key = varint(in);
    *field = (struct field){.number = (unsigned)(key >> 3), .type = key & 7};
    field->value = varint(in);
    if (field->type == 0)
        return 1;
    if (field->type != 2 || field->value > (uint64_t)(in->end - in->at))
        fail("bad field");
    field->bytes = (struct slice){in->at, in->at + field->value};
    in->at += field->value;
    return 1;
}

static struct slice text(uint64_t index)
{
    if (index >= string_count)
        fail("there is no such string");
    return strings[index];
}

static void read_location(struct slice in)
{
    struct field field, line;
    struct location *to = &locations[location_count++];
    while (next(&in, &field)) {
        if (field.number == 1)
            to->id = field.value;
        while (field.number == 4 && next(&field.bytes, &line))
            *(line.number == 1 ? &to->function : &to->line) = line.value;
    }
    if (to->id == 0 || to->function == 0)
        fail("a location without id or function");
}

static void read_function(struct slice in)
{
    struct field field;
    struct function *to = &functions[function_count++];
    while (next(&in, &field)) {
        if (field.number == 1)
            to->id = field.value;
        else if (field.number == 2)
            to->name = field.value;
        else if (field.number == 4)
            to->file = field.value;
    }
    if (to->id == 0)
        fail("a function without id");
}

static void put(struct slice bytes)
{
    fwrite(bytes.at, 1, (size_t)(bytes.end - bytes.at), stdout);
}

static void put_frame(uint64_t id)
{
    for (size_t i = 0; i < location_count; i++) {
        if (locations[i].id != id)
            continue;
        for (size_t k = 0; k < function_count; k++) {
            if (functions[k].id != locations[i].function)
                continue;
            put(text(functions[k].name));
            putchar('@');
            put(text(functions[k].file));
            printf(":%" PRIu64 ";", locations[i].line);
            return;
        }
    }
    fail("there is no such location or function");
}

/* A list of numbers, packed or one by one. */
static size_t take(struct field *field, uint64_t *list, size_t count, size_t limit)
{
    do {
        if (count == limit)
            fail("too many numbers in a sample");
        list[count++] = field->type == 0 ? field->value : varint(&field->bytes);
    } while (field->bytes.at < field->bytes.end);
    return count;
}

static void put_sample(struct slice in)
{
    struct field field;
    uint64_t values[2], ids[256];
    size_t value_count = 0, id_count = 0;
    while (next(&in, &field)) {
        if (field.number == 1)
            id_count = take(&field, ids, id_count, 256);
        else if (field.number == 2)
            value_count = take(&field, values, value_count, 2);
    }
    if (value_count != 2)
        fail("a sample has two values");
    printf("%" PRIu64 " %" PRIu64 " ", values[0], values[1]);
    for (size_t i = 0; i < id_count; i++)
        put_frame(ids[i]);
    putchar('\n');
}

int main(void)
{
    static unsigned char data[1 << 24];
    size_t size = fread(data, 1, sizeof data, stdin);
    struct slice all = {data, data + size};
    struct field field;
    size_t types = 0;
    for (struct slice in = all; next(&in, &field);) {
        if (string_count == 1 << 16 || location_count == 1 << 16 || function_count == 1 << 16)
            fail("too large");
        types += field.number == 1;
        if (field.number == 4)
            read_location(field.bytes);
        else if (field.number == 5)
            read_function(field.bytes);
        else if (field.number == 6)
            strings[string_count++] = field.bytes;
    }
    if (types != 2 || string_count == 0 || strings[0].at != strings[0].end)
        fail("two types of values, and the empty string first");
    for (struct slice in = all; next(&in, &field);)
        if (field.number == 2)
            put_sample(field.bytes);
    return 0;
}
