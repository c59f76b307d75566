#!/bin/sh
# SPDX-License-Identifier: MIT
# The CPU profile of a whole run, as Go's pprof and weft's own trace tools see it.
#
#   pprof.sh REFERENCE PROGRAM
#
# REFERENCE  where tools/reference put Go's tools
# PROGRAM    profile_burn
# Exits 77 where Go's pprof is not there.
set -eu
pprof=$1/go1.27/pprof program=$2
if [ ! -x "$pprof" ]; then
    echo "SKIPPED: $pprof is missing (tools/reference builds it)" >&2
    exit 77
fi
cd "$WEFT_TRACE_DIR"

die() {
    echo "$*" >&2
    exit 1
}

# flat FILE FUNCTION: samples in the function itself, as pprof counts them
flat() {
    "$pprof" -top -sample_index=samples "$1" 2>/dev/null >top
    awk -v name="$2" '$6 == name { print $1 }' top
}

# shares WHAT FILE: burn_b has about three times the samples of burn_a, both below share
shares() {
    a=$(flat "$2" burn_a) b=$(flat "$2" burn_b)
    [ "${a:-0}" -ge 5 ] || die "$1: ${a:-no} samples in burn_a"
    [ $((b * 10 / a)) -ge 15 ] && [ $((b * 10 / a)) -le 60 ] || die "$1: burn_a $a, burn_b $b samples"
    "$pprof" -peek '^share$' "$2" 2>/dev/null >peek
    grep -q 'burn_b' peek || die "$1: burn_b was not called by share"
    echo "$1: burn_a $a, burn_b $b samples"
}

WEFT_CPUPROFILE=plain.pb.gz WEFT_CPUPROFILE_HZ=250 "$program"
shares "without a trace" plain.pb.gz
"$pprof" -list '^burn_b$' plain.pb.gz 2>/dev/null >list
grep -q 'burn.c' list || die "no file and line of burn_b"

"$pprof" -tags plain.pb.gz 2>/dev/null >tags
for label in goroutine: left right; do
    grep -q "$label" tags || die "no label $label in: $(cat tags)"
done

WEFT_CPUPROFILE=both.pb.gz WEFT_TRACE=both.trace WEFT_TRACE_CPU=250 "$program"
shares "with a trace" both.pb.gz
"$WEFT_TOOL" profile --kind cpu -o trace.pb.gz both.trace
shares "of the trace" trace.pb.gz

WEFT_TRACE=none.trace "$program"
"$WEFT_TOOL" profile --kind cpu --folded none.trace >none
[ ! -s none ] || die "a trace has samples that nobody asked for"

for bad in WEFT_CPUPROFILE_HZ=0 WEFT_CPUPROFILE_HZ=x WEFT_TRACE_CPU=10001; do
    if env WEFT_CPUPROFILE=bad.pb.gz WEFT_TRACE=bad.trace "$bad" "$program" 2>err; then
        die "$bad is taken"
    fi
    grep -q "${bad%=*}" err || die "$bad: no message that names it"
done
rm -f bad.trace
