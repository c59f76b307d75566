/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_INDEX_FILE_H
#define WEFT_READER_INDEX_FILE_H

/*
 * An index file:
 *
 *     magic       8 bytes
 *     states      each as index_state.h has it, one behind the other
 *     table       numbers, unsigned LEB128: the trace's identity, the number of generations, and
 * for each: number, offset, begin, end, events, size of its state or 0; where it has one, the
 * state's place and checksum footer      table's offset, size and checksum, 8 bytes each, least
 * significant byte first; magic
 */

#include "reader/index_state.h"
#include <weft/index.h>

#define INDEX_MAGIC  "weftidx\1"
#define INDEX_FOOTER 32

struct index_entry {
    weft_index_entry shown;
    uint64_t state, state_size, state_sum; /* place in the index file; 0, 0, 0 for none */
};

/* What a trace is recognised by. */
struct index_identity {
    uint64_t size, changed; /* bytes; ns since 1970 */
    uint64_t ends;          /* checksum of the first and the last bytes */
};

/* Both return 0 or a negative errno value. */
int index_identify(int fd, struct index_identity *identity);
/* The path of an index: given, or made from that of the trace. *path must be freed. */
int index_path(const char *trace_path, const char *given, char **path);

/* FNV-1a over eight bytes at a time; a short rest by single bytes. */
static inline uint64_t index_checksum(uint64_t sum, const uint8_t *data, size_t size)
{
    for (; size >= 8; size -= 8, data += 8) {
        uint64_t word;
        __builtin_memcpy(&word, data, 8);
        sum = (sum ^ word) * 0x100000001b3ull;
        sum ^= sum >> 32;
    }
    for (; size > 0; size--)
        sum = (sum ^ *data++) * 0x100000001b3ull;
    return sum ^ sum >> 32;
}

#define INDEX_CHECKSUM_START 0xcbf29ce484222325ull

#endif
