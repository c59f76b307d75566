#!/bin/sh
# SPDX-License-Identifier: MIT
# without_scheduler.sh WEFT TRACE PROGRAM: nothing that the archive WEFT has and the archive TRACE has not, that is, of
# the runtime, is linked into PROGRAM.
set -eu
export LC_ALL=C
work=$WEFT_TRACE_DIR

# symbols FILE [option…]: what it defines.
symbols() {
    file=$1
    shift
    nm "$@" --defined-only "$file" | awk 'NF == 3 { print $3 }' | sort -u
}

symbols "$1" -g >"$work/weft"
symbols "$2" -g >"$work/trace"
symbols "$3" >"$work/program"
comm -23 "$work/weft" "$work/trace" >"$work/runtime"
grep -qx weft_run "$work/runtime" || { echo "$1 is no archive of the runtime" >&2; exit 1; }
grep -qx weft_tracer_new "$work/program" || { echo "$3 has no tracer in it" >&2; exit 1; }
if comm -12 "$work/runtime" "$work/program" | grep . >&2; then
    echo "$3 has parts of the runtime in it" >&2
    exit 1
fi
