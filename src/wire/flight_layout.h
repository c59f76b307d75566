/* SPDX-License-Identifier: MIT */
#ifndef WEFT_WIRE_FLIGHT_LAYOUT_H
#define WEFT_WIRE_FLIGHT_LAYOUT_H

/*
 * The flight file: the memory of a running tracer, laid out so that a trace can be made from it
 * after the process has died at any instruction.
 *
 *     head | generations | directory | modules | modules | chunk 0 | chunk 1 | …
 *
 * Events are written to the chunks as if there were no file. The directory says what each chunk is,
 * the list of generations how far each has come, the modules what the addresses in stacks mean.
 * Pointers in chunks are those of the process; wire_flight_head.address turns them into offsets.
 *
 * What a reader of the file may rely on. A process that is killed leaves, for each thread, the
 * stores of a prefix of its program, and nothing that one thread has seen of another is missing: a
 * load sees no store that is not in the memory already. So only the compiler has to be kept from
 * moving stores, and each of these words is stored when everything that it says is true:
 *   buffer.at               the events before it are whole
 *   chunk.kind              the chunk is of that kind, of that generation; OPEN: its one batch has
 *                           its header; BATCHES: batches up to `at`, with their sizes
 *   generation.state        see there
 *   head.modules            that copy of the modules is whole
 *   entry (by its hash)     an entry of a table whose key has that hash, marked with its generation
 */

#include <stdint.h>

#define WIRE_FLIGHT_MAGIC  "weft\x1a\r\n\0" /* 8 bytes */
#define WIRE_FLIGHT_LAYOUT 1 /* grows with every change of what stands in this file */

/* What a chunk is. */
enum wire_flight_kind {
    WIRE_FLIGHT_FREE,
    WIRE_FLIGHT_OPEN,    /* a buffer: one batch, whose size is not filled in; up to `at` */
    WIRE_FLIGHT_BATCHES, /* a buffer: whole batches, up to `at` */
    WIRE_FLIGHT_STACKS,  /* a table: keys are program counters */
    WIRE_FLIGHT_STRINGS, /* a table: keys are texts */
    WIRE_FLIGHT_TYPES,   /* a table: of the AllocFree experiment */
};

/* How far a generation is. */
enum wire_flight_state {
    WIRE_FLIGHT_NONE,     /* its chunks mean nothing */
    WIRE_FLIGHT_WRITTEN,  /* tables are to be found in table chunks */
    WIRE_FLIGHT_STACKED,  /* stacks are in batches, their names in table chunks */
    WIRE_FLIGHT_COMPLETE, /* everything is in batches */
    WIRE_FLIGHT_LOST,     /* given up: something is missing */
};

typedef struct wire_flight_head {
    char magic[8]; /* stored last */
    uint32_t layout;
    uint32_t machine; /* EM_… of <elf.h> */
    uint64_t pid;
    uint64_t address; /* of chunk 0 in the process */
    uint64_t chunk_size;
    uint64_t chunks; /* so many chunks, entries of the directory, and generations */
    uint64_t generations_at, directory_at, modules_at[2], modules_size, chunks_at; /* offsets */
    uint32_t format;  /* of the trace: 22, 23, 25, 26 */
    uint32_t modules; /* 0: none; 1 or 2: which copy is whole */
} wire_flight_head;

/* Generation n is at n mod chunks. */
typedef struct wire_flight_generation {
    uint64_t number;
    uint64_t state; /* enum wire_flight_state */
} wire_flight_generation;

typedef struct wire_flight_chunk {
    uint64_t generation;
    uint64_t kind; /* enum wire_flight_kind */
} wire_flight_chunk;

/* Records one behind the other, up to one of size 0 or the end of the space. */
typedef struct wire_flight_module {
    uint32_t size; /* of the record, a multiple of 8 */
    uint16_t path_size;
    uint8_t id_size;
    uint8_t id[32];           /* the build id */
    uint64_t bias, low, high; /* as in trace_module */
    uint64_t headers;         /* hash of the program headers */
    char path[];
} wire_flight_module;

/* Chunks begin like this. */
typedef struct wire_flight_buffer {
    uint64_t next, at, end, payload; /* pointers of the process */
    uint8_t data[];
} wire_flight_buffer;

typedef struct wire_flight_table {
    uint64_t next, used; /* bytes of data handed out to entries, which may not be written yet */
    uint8_t data[];
} wire_flight_table;

typedef struct wire_flight_entry {
    uint64_t hash, id, child[4];
    uint32_t size; /* of the key, which takes a multiple of 8 bytes */
    uint32_t mark; /* the generation's lower half */
    uint8_t key[];
} wire_flight_entry;

#endif
