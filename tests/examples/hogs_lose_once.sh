#!/bin/sh
# SPDX-License-Identifier: MIT
# hogs_lose_once.sh WEFT HOG…: on one P, each of the two hogs of examples/hog loses the P once and never
# gets it back. So nobody waits for one a second time, however slow the machine is.
set -eu
weft=$1
shift
trace=$WEFT_TRACE_DIR/hogs.trace
WEFT_PROCS=1 WEFT_TRACE=$trace "$@" >/dev/null
"$weft" events "$trace" >"$WEFT_TRACE_DIR/events"

# count G FROM TO: transitions of that goroutine.
count() {
    grep -c " $1 $2 -> $3\$\| $1 $2 -> $3 " "$WEFT_TRACE_DIR/events" || true
}

for function in compute read_nothing; do
    g=$(sed -n "s/.* \(G[0-9]*\) NotExist -> Runnable .* of $function .*/\1/p" "$WEFT_TRACE_DIR/events")
    lost=$(count "$g" Running Syscall)
    back=$(count "$g" Syscall 'Run[a-z]*')
    [ "$lost" -eq 1 ] && [ "$back" -eq 0 ] || {
        echo "$function (${g:-not in the trace}) lost the P $lost times and got it back $back times" >&2
        exit 1
    }
done
