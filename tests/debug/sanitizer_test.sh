#!/bin/sh
# SPDX-License-Identifier: MIT
# sanitizer_test.sh PROGRAM MODE [PATTERN…]: the sanitizer reports what all patterns describe; without one, nothing.
set -eu
program=$1 mode=$2
shift 2
log=${WEFT_TRACE_DIR:-.}/$mode.txt
status=0
ASAN_OPTIONS=detect_stack_use_after_return=1 TSAN_OPTIONS=halt_on_error=1 timeout 100 "$program" "$mode" >"$log" 2>&1 || status=$?
if [ $# -eq 0 ]; then
    [ $status -eq 0 ] && [ ! -s "$log" ] && exit 0
    echo "FAILED: $mode has no fault, status $status"; cat "$log"; exit 1
fi
for pattern; do
    grep -q "$pattern" "$log" || { echo "FAILED: no \"$pattern\", status $status"; cat "$log"; exit 1; }
done
[ $status -ne 0 ]
