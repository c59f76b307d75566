/* SPDX-License-Identifier: MIT */
/*
 * Design. The file is a picture of the tracer's memory at the moment of death, so the only question
 * is which order of stores makes every such picture readable (wire/flight_layout.h). The event path
 * has one already: the position of a buffer moves on when an event is whole. What is added stands
 * here and in the few slow steps that call it.
 *
 * What a picture may show, and why that does no harm:
 *  - An event that is half written lies behind `at`.
 *  - A sequence number was drawn, or a status marked as written, and the event is missing: it would
 *    have been the last of that thread, and whoever acts on that resource next must have been given
 *    it by that thread, afterwards (INV-5, INV-13). The same goes for every event that is missing:
 *    what is there is closed under causes.
 *  - A chunk was taken and is not marked yet: nothing was written to it. It was freed and is marked
 *    still: its generation is not, that goes first.
 *  - A batch was copied behind another one and its own chunk still shows it: both are the same
 *    bytes, and a reader of the file takes one.
 *  - An entry of a table was claimed and not filled: its hash is wrong, or its mark is that of an
 *    earlier use of the chunk.
 *  - The tables are half dumped: as long as the generation does not say STACKED or COMPLETE, the
 *    tables themselves are there, and are used instead.
 *
 * Space on disk is asked for before chunks are touched: without it a full disk would kill the
 * process (SIGBUS); so it gives the generation up, as any refused memory does.
 */
#include "trace/flight.h"

#include "base/atomic.h"
#include "trace/arena.h"
#include "trace/symbols_modules.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULES_SIZE ((size_t)128 << 10)
#define LEAST_CHUNKS 16

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#endif

/* ---- The file ---- */

static uint64_t round_up(uint64_t size)
{
    return (size + TRACE_CHUNK_SIZE - 1) / TRACE_CHUNK_SIZE * TRACE_CHUNK_SIZE;
}

static void lay_out(wire_flight_head *head, size_t bytes)
{
    uint64_t chunks = bytes / TRACE_CHUNK_SIZE;
    chunks = chunks < LEAST_CHUNKS ? LEAST_CHUNKS : chunks;
    *head = (wire_flight_head){.layout = WIRE_FLIGHT_LAYOUT,
                               .machine = MACHINE,
                               .pid = (uint64_t)getpid(),
                               .chunk_size = TRACE_CHUNK_SIZE,
                               .chunks = chunks};
    head->generations_at = round_up(sizeof *head);
    head->directory_at = round_up(head->generations_at + chunks * sizeof(wire_flight_generation));
    head->modules_at[0] = round_up(head->directory_at + chunks * sizeof(wire_flight_chunk));
    head->modules_at[1] = head->modules_at[0] + MODULES_SIZE;
    head->modules_size = MODULES_SIZE;
    head->chunks_at = head->modules_at[1] + MODULES_SIZE;
}

static int make_file(trace_flight *flight, const char *path, wire_flight_head *head)
{
    int rc =
        base_shared_open(&flight->file, path, head->chunks_at + head->chunks * TRACE_CHUNK_SIZE);
    if (rc == 0)
        rc = base_shared_back(&flight->file, 0, head->chunks_at);
    if (rc < 0) {
        if (flight->file.memory)
            base_shared_close(&flight->file);
        return rc;
    }
    uint8_t *memory = flight->file.memory;
    head->address = (uintptr_t)memory + head->chunks_at;
    flight->head = memcpy(memory, head, sizeof *head);
    flight->generations = (void *)(memory + head->generations_at);
    flight->directory = (void *)(memory + head->directory_at);
    flight->chunks = memory + head->chunks_at;
    flight->count = head->chunks;
    compiler_barrier();
    memcpy(flight->head->magic, WIRE_FLIGHT_MAGIC, sizeof flight->head->magic);
    return 0;
}

int trace_flight_open(trace_flight **flight, const char *path, size_t bytes)
{
    wire_flight_head head;
    trace_flight *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    lay_out(&head, bytes);
    int rc = make_file(made, path, &head);
    if (rc < 0)
        free(made);
    else
        *flight = made;
    return rc;
}

void trace_flight_close(trace_flight *flight)
{
    base_shared_close(&flight->file);
    free(flight);
}

int trace_flight_back(const trace_flight *flight, size_t from, size_t to)
{
    return base_shared_back(&flight->file, flight->head->chunks_at + from * TRACE_CHUNK_SIZE,
                            (to - from) * TRACE_CHUNK_SIZE);
}

/* ---- Chunks and generations ---- */

/* A store that all earlier ones of this thread precede in the memory, and no later one. */
static void store_ordered(uint64_t *word, uint64_t value)
{
    compiler_barrier();
    atomic_store_relaxed(word, value);
    compiler_barrier();
}

void trace_flight_begin(trace_flight *flight, unsigned format)
{
    for (size_t i = 0; i < flight->count; i++)
        store_ordered(&flight->generations[i].state, WIRE_FLIGHT_NONE);
    for (size_t i = 0; i < flight->count; i++)
        store_ordered(&flight->directory[i].kind, WIRE_FLIGHT_FREE);
    flight->head->format = format;
    atomic_store_relaxed(&flight->closed, false);
}

void trace_flight_end(trace_flight *flight)
{
    atomic_store_relaxed(&flight->closed, true);
}

void trace_flight_mark(trace_flight *flight, const void *chunk, uint64_t kind, uint64_t generation)
{
    size_t index = (size_t)((const uint8_t *)chunk - flight->chunks) / TRACE_CHUNK_SIZE;
    wire_flight_chunk *entry = &flight->directory[index];
    if (atomic_load_relaxed(&flight->closed))
        return;
    if (kind == WIRE_FLIGHT_FREE) {
        store_ordered(&entry->kind, kind);
        return;
    }
    atomic_store_relaxed(&entry->generation, generation);
    store_ordered(&entry->kind, kind);
}

static wire_flight_generation *record_of(trace_flight *flight, uint64_t n)
{
    return &flight->generations[n % flight->count];
}

void trace_flight_open_generation(trace_flight *flight, uint64_t n)
{
    wire_flight_generation *record = record_of(flight, n);
    store_ordered(&record->state, WIRE_FLIGHT_NONE);
    record->number = n;
    store_ordered(&record->state, WIRE_FLIGHT_WRITTEN);
}

void trace_flight_advance(trace_flight *flight, uint64_t n, uint64_t state)
{
    wire_flight_generation *record = record_of(flight, n);
    if (atomic_load_relaxed(&flight->closed) || record->number != n)
        return;
    if (state == WIRE_FLIGHT_NONE || atomic_load_relaxed(&record->state) != WIRE_FLIGHT_LOST)
        store_ordered(&record->state, state);
}

/* ---- Modules ---- */

static size_t write_module(uint8_t *at, size_t room, const trace_module *module)
{
    size_t path_size = strlen(module->path);
    size_t size = (sizeof(wire_flight_module) + path_size + 7) & ~(size_t)7;
    if (size > room || path_size > UINT16_MAX)
        return 0;
    wire_flight_module *record = (void *)at;
    *record = (wire_flight_module){.size = (uint32_t)size,
                                   .path_size = (uint16_t)path_size,
                                   .id_size = module->id.size,
                                   .bias = module->bias,
                                   .low = module->low,
                                   .high = module->high,
                                   .headers = module->headers};
    memcpy(record->id, module->id.bytes, module->id.size);
    memcpy(record->path, module->path, path_size);
    return size;
}

_Static_assert(sizeof(((wire_flight_module *)0)->id) == TRACE_BUILD_ID_MAX, "build ids fit");

void trace_flight_list_modules(trace_flight *flight, const trace_modules *modules)
{
    wire_flight_head *head = flight->head;
    if (head->modules && flight->loads == modules->loads && flight->unloads == modules->unloads)
        return;
    unsigned copy = head->modules == 1; /* the other one */
    uint8_t *at = flight->file.memory + head->modules_at[copy];
    size_t room = MODULES_SIZE - sizeof(uint32_t);
    for (size_t i = 0; i < modules->count; i++) {
        size_t size = write_module(at, room, modules->at[i]);
        at += size;
        room -= size;
    }
    ((wire_flight_module *)(void *)at)->size = 0;
    compiler_barrier();
    atomic_store_relaxed(&head->modules, copy + 1);
    flight->loads = modules->loads;
    flight->unloads = modules->unloads;
}
