/* SPDX-License-Identifier: MIT */
#ifndef WEFT_TESTS_TRACE_TEXT_H
#define WEFT_TESTS_TRACE_TEXT_H

/* Traces in memory: from raw text or bytes, read to their end. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <weft/reader.h>

struct memory {
    uint8_t *data;
    size_t size, room, read;
    size_t step; /* most bytes that one read gives, or 0 */
};

static inline int memory_write(void *context, const void *data, size_t size)
{
    struct memory *m = context;
    if (m->size + size > m->room) {
        m->room = (m->size + size) * 2;
        m->data = realloc(m->data, m->room);
    }
    if (size)
        memcpy(m->data + m->size, data, size);
    m->size += size;
    return 0;
}

static inline ptrdiff_t memory_read(void *context, void *data, size_t size)
{
    struct memory *m = context;
    size_t n = m->size - m->read < size ? m->size - m->read : size;
    if (m->step && n > m->step)
        n = m->step;
    if (n)
        memcpy(data, m->data + m->read, n);
    m->read += n;
    return (ptrdiff_t)n;
}

static inline void append_text(struct memory *m, const char *text)
{
    memory_write(m, text, strlen(text));
}

/* Assembles raw text and appends it. Returns what weft_raw_assemble does. */
static inline int memory_assemble(struct memory *m, const char *text, size_t size,
                                  weft_reader_error *error)
{
    struct memory from = {(uint8_t *)(uintptr_t)text, size, size, 0, 0};
    return weft_raw_assemble(memory_read, &from, memory_write, m, error);
}

#define NO_ID  "18446744073709551615"
#define BATCH  "EventBatch gen=1 m=7 time=1 size=auto\n"
#define NOBODY "EventBatch gen=1 m=" NO_ID " time=1 size=auto\n"
#define SYNC   NOBODY "Sync\nFrequency freq=15625000\nClockSnapshot dt=1 mono=5 sec=6 nsec=7\n"
#define SYNC2                                                                                      \
    "EventBatch gen=2 m=" NO_ID " time=90 size=auto\nSync\nFrequency freq=15625000\n"              \
    "ClockSnapshot dt=1 mono=6 sec=7 nsec=7\n"
#define OLD     NOBODY "Frequency freq=15625000\n"
#define END     "EndOfGeneration\n"
#define STRINGS NOBODY "Strings\nString id=1\n\tdata=\"text\"\nString id=2\n\tdata=\"other\"\n"
#define RUNNING "ProcStatus dt=1 p=0 pstatus=1\nGoStatus dt=1 g=1 m=7 gstatus=2\n"
#define SYSCALL "GoSyscallBegin dt=1 p_seq=1 stack=0\n"

#endif
