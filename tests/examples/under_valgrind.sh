#!/bin/sh
# SPDX-License-Identifier: MIT
# under_valgrind.sh COMMAND…: the program, traced, under valgrind: no error, no leak, and no complaint
# that it does not know the stacks. Skipped where valgrind is missing or cannot run this machine's code.
set -eu
if ! valgrind -q true >/dev/null 2>&1; then
    echo "under_valgrind.sh: SKIPPED: no valgrind that works here; nothing was checked" >&2
    exit 77
fi
log=$WEFT_TRACE_DIR/valgrind
status=0
WEFT_TRACE=$WEFT_TRACE_DIR/valgrind.trace timeout 100 \
    valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9 --log-file="$log" \
    "$@" >"$WEFT_TRACE_DIR/output" 2>&1 </dev/null || status=$?
# What valgrind does not know of the kernel is no matter of ours.
grep -v -e '^--[0-9]*-- ' "$log" >"$log.errors" || true
if [ $status -ne 0 ] || [ -s "$log.errors" ]; then
    echo "under_valgrind.sh: status $status: $*" >&2
    cat "$log.errors" "$WEFT_TRACE_DIR/output" >&2
    exit 1
fi
