#!/bin/sh
# SPDX-License-Identifier: MIT
# run_example.sh COMMAND…: runs it untraced, then traced into WEFT_TRACE_DIR in every format at several
# numbers of Ps.
set -eu

# one_run WHAT COMMAND…: prints what failed.
one_run() {
    what=$1
    shift
    timeout 60 "$@" >"$WEFT_TRACE_DIR/output" 2>&1 </dev/null || {
        echo "example failed ($?), $what: $*" >&2
        cat "$WEFT_TRACE_DIR/output" >&2
        exit 1
    }
}

one_run untraced "$@"
[ -s "$WEFT_TRACE_DIR/output" ] || { echo "the example says nothing" >&2; exit 1; }
for procs in 1 2 4 16; do
    for format in 1.22 1.23 1.25 1.26; do
        one_run "$procs Ps, format $format" env WEFT_PROCS=$procs WEFT_TRACE_FORMAT=$format \
            WEFT_TRACE="$WEFT_TRACE_DIR/p$procs-$format.trace" "$@"
    done
done
