/* SPDX-License-Identifier: MIT */
#ifndef WEFT_RECOVER_H
#define WEFT_RECOVER_H

/*
 * From a flight file to a trace: what a process that recorded with WEFT_FLIGHT=FILE (or
 * weft_tracer_flight) did last, after it has died in whatever way.
 *
 * The trace holds the generations which the tracer still had in memory, and of the last one
 * everything up to the end of each thread. Names of functions are taken from the files of the
 * program and its libraries, found by path and accepted only if they are the same objects.
 *
 * The library is weft-recover. Any thread may call it; it needs no runtime.
 */

#include <weft/reader.h>

WEFT_BEGIN_DECLS

typedef struct weft_recovery {
    size_t size;          /* sizeof(weft_recovery), set by the caller */
    uint64_t pid;         /* of the process */
    unsigned format;      /* of the trace: 22, 23, 25, 26 */
    uint64_t generations; /* in the trace, the last of which may be unfinished */
    uint64_t first, last; /* their numbers */
    uint64_t events;
    uint64_t bytes;
    uint64_t dropped_events; /* could not be put in order with the others: 0 unless the file is
                                damaged */
    char message[256];       /* one line: why it failed, or why events were dropped; else empty */
} weft_recovery;

/*
 * Reads the flight file at path, makes a trace of it, checks that with a reader and the strict
 * validator, and gives it to `write`. Where events do not fit together the rest is dropped, so what
 * is written is always valid. Holds it in memory meanwhile: at most twice the size of the file.
 *
 * Returns 0 or a negative errno value, with a message: -EBUSY the process lives, -EBADMSG it is no
 * flight file or is damaged beyond use, -ENODATA nothing is recorded in it, -ENOMEM, or what
 * opening, reading or `write` gave. result is required.
 */
WEFT_API WEFT_MUST_USE int weft_recover(const char *path, weft_write_fn write, void *context,
                                        weft_recovery *result);

WEFT_END_DECLS

#endif
