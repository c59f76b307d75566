/* SPDX-License-Identifier: MIT */
#ifndef WEFT_SLICE_H
#define WEFT_SLICE_H

/*
 * Traces made from parts of traces: a smaller one out of a long one, or one out of the segments
 * that a run was recorded in. Generations are copied as they are, since each is complete in itself;
 * only exact slices rewrite the events.
 * Every result has been read to its end before the first byte of it is written.
 *
 * The functions open their inputs several times and hold one generation in memory. They return 0,
 * -EBADMSG with an explanation in *error (where given; its texts hold until the next call on the
 * same thread), -ENOMEM, or what a callback returned other than 0. Any thread.
 */

#include <weft/reader.h>

WEFT_BEGIN_DECLS

/* What was written. */
typedef struct weft_slice_info {
    uint64_t generations;
    int64_t begin, end; /* times of the first event and of the last */
    uint64_t events, bytes;
} weft_slice_info;

/*
 * Writes the generations that have a part in the time from `from` to `to` (ns on the trace's clock,
 * the second excluded). What lies behind the last of them is not looked at. -ENODATA: there is
 * none.
 */
WEFT_API WEFT_MUST_USE int weft_slice(weft_open_fn open, void *open_context, int64_t from,
                                      int64_t to, weft_write_fn write, void *write_context,
                                      weft_slice_info *info, weft_reader_error *error);

/*
 * The same, but with no event that is not in that time. Where the time begins within a generation,
 * events are put in that tell the state which all goroutines and procs are in.
 */
WEFT_API WEFT_MUST_USE int weft_slice_exact(weft_open_fn open, void *open_context, int64_t from,
                                            int64_t to, weft_write_fn write, void *write_context,
                                            weft_slice_info *info, weft_reader_error *error);

/*
 * Writes one trace out of segments of one run, given in order. Each has to go on where the one
 * before ends: its generations are numbered on without a gap. Where they overlap (two snapshots of
 * a flight recorder, say), the generations of the earlier one are taken. Refused, with the number
 * of the segment in *segment (where given, from 0):
 *  - segments of different versions of the format;
 *  - a gap: goroutines created in it would come out of nowhere, which the format forbids;
 *  - segments out of order: one that goes back behind the first;
 *  - clocks that go back, or that differ in a generation which both have: not of one run;
 *  - all that a reader rejects in the result.
 * Traces of different processes cannot be merged: their goroutines, procs and tasks have the same
 * ids, and generations of the two would have to be interleaved.
 */
WEFT_API WEFT_MUST_USE int weft_merge(weft_open_fn open, void *const *contexts, size_t count,
                                      weft_write_fn write, void *write_context,
                                      weft_slice_info *info, size_t *segment,
                                      weft_reader_error *error);

WEFT_END_DECLS

#endif
