/* SPDX-License-Identifier: MIT */
/*
 * The tables of a generation that the tracer had not dumped: strings as they were interned, stacks
 * as program counters, whose names are looked up here, in the files of the program that has died.
 *
 * Space in a table is claimed before it is filled, so what stands there may be anything, also an
 * entry of the chunk's earlier use. An entry counts if its key has its hash and it bears the mark
 * of the generation; from anything else the search goes on 8 bytes further.
 *
 * Names get new ids. A text may have several in one generation; only ids have to be unique.
 */
#include "recover/recover.h"

#include "trace/intern.h"
#include "trace/symbols.h"
#include "trace/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Entries ---- */

typedef struct entry_cursor {
    const recover_generation *generation;
    unsigned which; /* table */
    size_t chunk, at;
} entry_cursor;

static bool is_entry(const wire_flight_entry *entry, size_t room, uint32_t mark)
{
    return entry->id && entry->mark == mark && entry->size > 0 && entry->size <= 4096 &&
           entry->size <= room && base_hash(entry->key, entry->size) == entry->hash;
}

/* The next entry, or NULL at the end. */
static const wire_flight_entry *next_entry(entry_cursor *c)
{
    const recover_generation *g = c->generation;
    const size_t room = TRACE_CHUNK_SIZE - sizeof(wire_flight_table);
    for (; c->chunk < g->table_count[c->which]; c->chunk++, c->at = 0) {
        const wire_flight_table *table = (const void *)g->tables[c->which][c->chunk];
        uint64_t used = table->used < room ? table->used : room;
        while (used - c->at >= sizeof(wire_flight_entry)) {
            const wire_flight_entry *entry = (const void *)(table->data + c->at);
            if (is_entry(entry, used - c->at - sizeof *entry, (uint32_t)g->number)) {
                c->at += sizeof *entry + ((entry->size + 7) & ~(size_t)7);
                c->at = c->at < used ? c->at : used;
                return entry;
            }
            c->at += 8;
        }
    }
    return NULL;
}

/* ---- Names ---- */

/* An open hash from texts, known by their addresses (symbols are interned), to ids. */
typedef struct names {
    struct {
        const char *text;
        uint64_t id;
    } * at;
    size_t size, used; /* size: a power of two */
    uint64_t last_id;
    recover_writer strings;
} names;

static size_t name_slot(const names *n, const char *text)
{
    size_t i = (size_t)(((uintptr_t)text * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (n->size - 1);
    while (n->at[i].text && n->at[i].text != text)
        i = (i + 1) & (n->size - 1);
    return i;
}

static bool names_grow(names *n)
{
    if (n->used * 2 < n->size)
        return true;
    names larger = *n;
    larger.size = n->size ? n->size * 2 : 1024;
    larger.at = calloc(larger.size, sizeof *larger.at);
    if (!larger.at)
        return false;
    for (size_t i = 0; i < n->size; i++)
        if (n->at[i].text)
            larger.at[name_slot(&larger, n->at[i].text)] = n->at[i];
    free(n->at);
    *n = larger;
    return true;
}

static void write_string(recover_writer *writer, uint64_t id, const void *text, size_t size)
{
    if (!recover_writer_reserve(writer, 2 + 2 * WIRE_VARINT_MAX + size))
        return;
    uint8_t *at = writer->batch.end;
    *at++ = WIRE_EV_STRING;
    at = wire_varint_encode(at, id);
    at = wire_varint_encode(at, size);
    memcpy(at, text, size);
    writer->batch.end = at + size;
}

static uint64_t name_id(names *n, const char *text)
{
    size_t size = strlen(text), cut = size > WIRE_STRING_MAX ? size - WIRE_STRING_MAX : 0;
    if (size == 0 || !names_grow(n)) {
        n->strings.failed |= size != 0;
        return 0;
    }
    size_t i = name_slot(n, text);
    if (!n->at[i].text) {
        n->at[i].text = text;
        n->at[i].id = ++n->last_id;
        n->used++;
        write_string(&n->strings, n->last_id, text + cut, size - cut);
    }
    return n->at[i].id;
}

/* ---- Strings ---- */

static void write_texts(recover_writer *writer, uint64_t first, const char *const *texts,
                        unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        write_string(writer, first + i, texts[i], strlen(texts[i]));
}

static void write_strings(names *n, const recover_generation *g)
{
    write_texts(&n->strings, TRACE_STRING_STOP, wire_stop_texts, WIRE_STOP_LIMIT);
    write_texts(&n->strings, TRACE_STRING_BLOCK, wire_block_texts, WIRE_BLOCK_LIMIT);
    write_texts(&n->strings, TRACE_STRING_STW, wire_stw_texts, WIRE_STW_LIMIT);
    n->last_id = TRACE_STRING_FREE;
    entry_cursor cursor = {.generation = g, .which = 1};
    for (const wire_flight_entry *entry; (entry = next_entry(&cursor));) {
        if (entry->size <= WIRE_STRING_MAX)
            write_string(&n->strings, entry->id, entry->key, entry->size);
        n->last_id = entry->id > n->last_id ? entry->id : n->last_id;
    }
}

/* ---- Stacks ---- */

/* All logical frames of a stack, leaf first, as in trace/stacktab.c. */
static unsigned resolve(trace_symbols *symbols, const wire_flight_entry *entry, trace_frame *frames)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < entry->size / 8 && count < WIRE_FRAMES_MAX; i++) {
        uint64_t pc;
        memcpy(&pc, entry->key + 8 * (size_t)i, sizeof pc);
        count += trace_symbols_resolve(symbols, (uintptr_t)pc, i == 0, frames + count,
                                       WIRE_FRAMES_MAX - count);
    }
    return count;
}

static void write_stack(recover_writer *writer, names *n, trace_symbols *symbols,
                        const wire_flight_entry *entry)
{
    trace_frame frames[WIRE_FRAMES_MAX];
    unsigned count = resolve(symbols, entry, frames);
    if (!recover_writer_reserve(writer, 1 + WIRE_VARINT_MAX * (2 + 4 * (size_t)count)))
        return;
    uint8_t *at = writer->batch.end;
    *at++ = WIRE_EV_STACK;
    at = wire_varint_encode(at, entry->id);
    at = wire_varint_encode(at, count);
    for (unsigned i = 0; i < count; i++) {
        at = wire_varint_encode(at, frames[i].pc);
        at = wire_varint_encode(at, name_id(n, frames[i].func));
        at = wire_varint_encode(at, name_id(n, frames[i].file));
        at = wire_varint_encode(at, frames[i].line);
    }
    writer->batch.end = at;
}

static int write_stacks(recover_generation *g, names *n, trace_symbols *symbols)
{
    recover_writer writer;
    recover_writer_start(&writer, g, BATCH_STACKS, WIRE_EV_STACKS);
    entry_cursor cursor = {.generation = g, .which = 0};
    for (const wire_flight_entry *entry; (entry = next_entry(&cursor));)
        write_stack(&writer, n, symbols, entry);
    return recover_writer_finish(&writer);
}

int recover_tables(recover_generation *g, trace_symbols *symbols)
{
    if (g->state == WIRE_FLIGHT_COMPLETE)
        return 0;
    names n = {.at = NULL};
    recover_writer_start(&n.strings, g, BATCH_STRINGS, WIRE_EV_STRINGS);
    write_strings(&n, g);
    int status = g->state == WIRE_FLIGHT_WRITTEN ? write_stacks(g, &n, symbols) : 0;
    int finished = recover_writer_finish(&n.strings);
    free(n.at);
    return status ? status : finished;
}
