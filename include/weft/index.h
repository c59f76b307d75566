/* SPDX-License-Identifier: MIT */
#ifndef WEFT_INDEX_H
#define WEFT_INDEX_H

/*
 * Indexes of traces: a small file beside a trace with which a reader starts at any generation at
 * once, and goes on as if it had read all before. It holds, for each generation, its place, time
 * span and number of events, and for most of them the state of all goroutines, procs and threads at
 * its beginning. The states take at most a quarter of the trace; a generation without one is
 * reached from the next before it that has one.
 *
 *     weft_index *index;
 *     if (weft_index_open(&index, path, NULL) == 0) {
 *         status = weft_index_seek(index, reader, time);
 *         weft_index_free(index);
 *     }
 *
 * An index knows the size of its trace, when it was last changed, and both of its ends. One that
 * does not fit is stale and is not opened; nor is one that is damaged: its parts have checksums.
 * What is in an index file cannot make a reader crash, hang or allocate much.
 *
 * Threads: an index that is open does not change; any number of threads may seek with it.
 */

#include <weft/reader.h>

WEFT_BEGIN_DECLS

#define WEFT_INDEX_SUFFIX ".weft-index"

typedef struct weft_index weft_index;

typedef struct weft_index_entry {
    uint64_t number; /* of the generation */
    uint64_t offset; /* where it begins in the trace */
    int64_t begin;   /* time of its SYNC, in ns on the trace's clock */
    int64_t end;     /* time of its last event */
    uint64_t events; /* with the SYNC */
    int has_state;   /* a reader can start here */
} weft_index_entry;

/*
 * Reads a trace and writes its index to index_path; NULL stands for the path of the trace and
 * WEFT_INDEX_SUFFIX. The file appears when it is complete. Returns 0, or a negative errno value,
 * explained in *error (which may be NULL and else holds until the next call on the same thread).
 * A trace that is cut off or damaged is indexed up to there, and -EBADMSG is returned.
 */
WEFT_API WEFT_MUST_USE int weft_index_build(const char *trace_path, const char *index_path,
                                            weft_reader_error *error);

/*
 * Opens the index of a trace. Returns 0, -ENOENT if there is none, -ESTALE if it is that of another
 * file or of an earlier state of this one, -EBADMSG if it is damaged, or what open() and read()
 * said.
 */
WEFT_API WEFT_MUST_USE int weft_index_open(weft_index **index, const char *trace_path,
                                           const char *index_path);

/* Generations, in order of time, numbered from 0. weft_index_entry_get gives 0 or -ERANGE. */
WEFT_API size_t weft_index_count(const weft_index *index);
WEFT_API int weft_index_entry_get(const weft_index *index, size_t at, weft_index_entry *entry);

/*
 * Lets a reader of the trace go on with the SYNC of the last generation that begins at or before a
 * time and has a state; of the first generation if there is none. It may have read before, come to
 * its end, or failed. The reader must be one of a path or of a descriptor that can seek. What it
 * had warned of is forgotten.
 *
 * Returns 0, or: -ESPIPE the input cannot seek, -EBADMSG this state is damaged (the reader is as it
 * was), or -ENOMEM (it can only be freed).
 */
WEFT_API WEFT_MUST_USE int weft_index_seek(const weft_index *index, weft_reader *reader,
                                           int64_t time);

/* NULL accepted. */
WEFT_API void weft_index_free(weft_index *index);

WEFT_END_DECLS

#endif
