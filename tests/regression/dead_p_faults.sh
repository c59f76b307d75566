#!/bin/sh
# SPDX-License-Identifier: MIT
# The tests of dead Ps can fail: with each part of the tracer's reset left out, `weft validate` rejects the trace in exactly
# the cases in which that part matters.
#
#   dead_p_faults.sh DEAD_P_FAULTY [EMULATOR…]
set -eu
program=$1
shift
failures=0

# verdict FAULTS MODE D EXPECTED EMULATOR…
verdict() {
    faults=$1 mode=$2 dead=$3 expected=$4
    shift 4
    trace=$WEFT_TRACE_DIR/dead_p_${mode}_${dead}_2.trace
    "$@" "$program" "$mode" "$dead" 2 "$faults"
    got=valid
    "$@" "$WEFT_TOOL" validate "$trace" 2>"$WEFT_TRACE_DIR/message" || got=invalid
    echo "faults $faults, $mode, dead for $dead generations: $got"
    sed 's/^/    /' "$WEFT_TRACE_DIR/message"
    [ "$got" = "$expected" ] || {
        echo "    but it should be $expected"
        failures=$((failures + 1))
    }
}

# Bits: 1 no reset when advancing, 2 none when stopping, 8 only the marks of statuses are kept.
for dead in 1 2; do
    verdict 0 advance $dead valid "$@"
    verdict 0 restart $dead valid "$@"
    verdict 1 advance $dead invalid "$@"
    verdict 1 restart $dead valid "$@"
    verdict 2 advance $dead valid "$@"
    verdict 2 restart $dead invalid "$@"
    verdict 3 advance $dead invalid "$@"
    verdict 3 restart $dead invalid "$@"
    verdict 8 advance $dead invalid "$@"
    verdict 8 restart $dead invalid "$@"
done
# 4: only the sequence numbers are kept. That shows when the P has a number in the generation in which it died, which
# the load makes likely but cannot force; dead for two generations it never shows.
verdict 4 advance 2 valid "$@"
verdict 4 restart 2 valid "$@"
[ $failures -eq 0 ]
