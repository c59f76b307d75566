/* SPDX-License-Identifier: MIT */
#ifndef WEFT_EXPORT_H
#define WEFT_EXPORT_H

/*
 * Profiles and whole traces in the formats of other tools. The functions write through a callback
 * and return 0, -ENOMEM, or what the callback returned other than 0. They may be called from any
 * one thread at a time.
 */

#include <weft/analysis.h>

WEFT_BEGIN_DECLS

/*
 * The profile.proto of pprof, not compressed: tools take it with and without gzip around it. Values
 * are a count and nanoseconds, as `go tool trace -pprof` has them; for CPU samples, as Go's CPU
 * profiles have them. Source: github.com/google/pprof, proto/profile.proto.
 */
WEFT_API WEFT_MUST_USE int weft_export_pprof(const weft_profile *profile, weft_write_fn write,
                                             void *context);

/*
 * Folded stacks, which flame graphs are made from: a line for each stack, "outermost;…;innermost
 * N", N in nanoseconds, or a number of samples for a profile of CPU samples.
 */
WEFT_API WEFT_MUST_USE int weft_export_folded(const weft_profile *profile, weft_write_fn write,
                                              void *context);

/*
 * A whole trace, read to its end. Memory is bounded by what the trace names and what is under way.
 * They return 0, -ENOMEM, what the callback returned, or how reading ended (weft_reader_error_get
 * explains); the output is complete as far as the trace was sound. The reader must be fresh.
 */

/*
 * Perfetto's protobuf stream of track events: procs, threads and goroutines as tracks with slices,
 * regions nested below their goroutine, tasks, collections and stops of the world as tracks, logs
 * as instants, CPU samples as instants of their thread, counters for the heap and the goroutines in
 * each state, and flows from a wake-up to where the woken goroutine runs. Slices and samples have
 * their call stacks, of which the viewer (since 2025) makes flame graphs. Source: perfetto.dev,
 * "Synthetic track events".
 */
WEFT_API WEFT_MUST_USE int weft_export_perfetto(weft_reader *reader, weft_write_fn write,
                                                void *context);

/*
 * The same as Chrome's JSON, which chrome://tracing and other viewers open. Source: the "Trace
 * Event Format" of catapult.
 */
WEFT_API WEFT_MUST_USE int weft_export_chrome(weft_reader *reader, weft_write_fn write,
                                              void *context);

/*
 * Folded stacks of the time of all goroutines: "outermost;…;innermost;[blocked: sync] N", N in
 * nanoseconds. States that begin without a stack stand below the entry function.
 */
WEFT_API WEFT_MUST_USE int weft_export_states(weft_reader *reader, weft_write_fn write,
                                              void *context);

WEFT_END_DECLS

#endif
