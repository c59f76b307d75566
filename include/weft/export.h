/* SPDX-License-Identifier: MIT */
#ifndef WEFT_EXPORT_H
#define WEFT_EXPORT_H

/*
 * Profiles in the formats of other tools. The functions write through a callback and return 0,
 * -ENOMEM, or what the callback returned other than 0. They may be called from any one thread at a
 * time.
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

WEFT_END_DECLS

#endif
