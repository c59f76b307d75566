/* SPDX-License-Identifier: MIT */
/*
 * A flight file, read piece by piece: it is not mapped, because a file that is cut short meanwhile
 * would then kill its reader.
 */
#include "recover/recover.h"

#include "base/file.h"
#include "trace/arena.h"
#include "trace/symbols.h"
#include "trace/symbols_modules.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int recover_say(weft_recovery *result, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(result->message, sizeof result->message, format, args);
    va_end(args);
    return status;
}

/* ---- Head ---- */

/* [at, at + count * unit) lies within the file. */
static bool is_inside(uint64_t size, uint64_t at, uint64_t count, uint64_t unit)
{
    return at <= size && count <= (size - at) / unit;
}

static int check_head(const wire_flight_head *head, uint64_t size, weft_recovery *result)
{
    static const uint8_t blank[sizeof head->magic];
    if (memcmp(head->magic, blank, sizeof blank) == 0)
        return recover_say(result, -ENODATA, "nothing was recorded in it");
    if (memcmp(head->magic, WIRE_FLIGHT_MAGIC, sizeof head->magic) != 0)
        return recover_say(result, -EBADMSG, "not a flight file");
    if (head->layout != WIRE_FLIGHT_LAYOUT)
        return recover_say(result, -EBADMSG,
                           "a flight file of layout %u; this version of weft reads layout %u",
                           head->layout, WIRE_FLIGHT_LAYOUT);
    if (head->chunk_size != TRACE_CHUNK_SIZE || head->chunks == 0 ||
        head->chunks > size / TRACE_CHUNK_SIZE)
        return recover_say(result, -EBADMSG, "damaged: its head describes no such file");
    if (!is_inside(size, head->generations_at, head->chunks, sizeof(wire_flight_generation)) ||
        !is_inside(size, head->directory_at, head->chunks, sizeof(wire_flight_chunk)) ||
        !is_inside(size, head->modules_at[0], head->modules_size, 1) ||
        !is_inside(size, head->modules_at[1], head->modules_size, 1) ||
        !is_inside(size, head->chunks_at, head->chunks, head->chunk_size))
        return recover_say(result, -EBADMSG, "cut off: parts that its head names are missing");
    if (head->modules > 2 || head->modules_size > (uint64_t)1 << 24)
        return recover_say(result, -EBADMSG, "damaged: its list of modules makes no sense");
    if (head->format == 0)
        return recover_say(result, -ENODATA, "nothing was recorded in it");
    if (!wire_version_is_known(head->format))
        return recover_say(result, -EBADMSG, "damaged: trace format %u", head->format);
    return 0;
}

static void *read_array(const flight_file *file, uint64_t at, uint64_t size)
{
    void *data = malloc(size);
    if (data && base_file_read(file->fd, at, data, size) == 0)
        return data;
    free(data);
    return NULL;
}

static int read_lists(flight_file *file, weft_recovery *result)
{
    const wire_flight_head *head = &file->head;
    file->generations =
        read_array(file, head->generations_at, head->chunks * sizeof *file->generations);
    file->directory = read_array(file, head->directory_at, head->chunks * sizeof *file->directory);
    return file->generations && file->directory
               ? 0
               : recover_say(result, -EIO, "its lists cannot be read");
}

static int explain_open(int status, weft_recovery *result)
{
    if (status == -EBUSY)
        return recover_say(result, status, "in use by a process that is still alive");
    if (status == -EINVAL)
        return recover_say(result, status, "not a regular file");
    return recover_say(result, status, "%s", strerror(-status));
}

int flight_file_open(flight_file *file, const char *path, weft_recovery *result)
{
    uint64_t size = 0;
    *file = (flight_file){.fd = base_shared_read(path, &size)};
    if (file->fd < 0)
        return explain_open(file->fd, result);
    int status = 0;
    if (base_file_read(file->fd, 0, &file->head, sizeof file->head) != 0)
        status = size == 0 ? recover_say(result, -ENODATA, "the file is empty")
                           : recover_say(result, -EBADMSG, "not a flight file: too short");
    if (status == 0)
        status = check_head(&file->head, size, result);
    if (status == 0)
        status = read_lists(file, result);
    if (status < 0)
        flight_file_close(file);
    return status;
}

void flight_file_close(flight_file *file)
{
    free(file->generations);
    free(file->directory);
    base_file_close(file->fd);
    *file = (flight_file){.fd = -1};
}

int flight_file_chunk(const flight_file *file, size_t index, uint8_t *data)
{
    return base_file_read(file->fd, file->head.chunks_at + index * file->head.chunk_size, data,
                          file->head.chunk_size);
}

/* ---- Modules ---- */

static bool add_module(trace_symbols *symbols, const wire_flight_module *record)
{
    char path[UINT16_MAX + 1];
    memcpy(path, record->path, record->path_size);
    path[record->path_size] = 0;
    trace_module module = {.bias = record->bias,
                           .low = record->low,
                           .high = record->high,
                           .headers = record->headers,
                           .path = path,
                           .id.size = record->id_size};
    memcpy(module.id.bytes, record->id, record->id_size);
    return trace_symbols_add_module(symbols, &module);
}

/* The record at `at`, or NULL at the end of the list, or where it is damaged. */
static const wire_flight_module *module_at(const uint8_t *list, uint64_t size, uint64_t at)
{
    const wire_flight_module *record = (const void *)(list + at);
    if (size - at < sizeof *record || record->size < sizeof *record || record->size % 8 ||
        record->size > size - at || record->path_size > record->size - sizeof *record ||
        record->id_size > sizeof record->id || record->low >= record->high)
        return NULL;
    return record;
}

static bool add_modules(trace_symbols *symbols, const uint8_t *list, uint64_t size)
{
    const wire_flight_module *record;
    for (uint64_t at = 0; (record = module_at(list, size, at)); at += record->size)
        if (!add_module(symbols, record))
            return false;
    return true;
}

int flight_file_symbols(const flight_file *file, trace_symbols **symbols)
{
    const wire_flight_head *head = &file->head;
    *symbols = NULL;
    if (!head->modules)
        return 0;
    uint8_t *list = read_array(file, head->modules_at[head->modules - 1], head->modules_size);
    *symbols = list ? trace_symbols_new() : NULL;
    bool added = *symbols && add_modules(*symbols, list, head->modules_size);
    free(list);
    if (added)
        return 0;
    trace_symbols_free(*symbols);
    *symbols = NULL;
    return -ENOMEM;
}
