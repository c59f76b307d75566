#!/bin/sh
# SPDX-License-Identifier: MIT
# gdb_test.sh PROGRAM SCRIPT: gdb lists the goroutines of a process, and of its core file, and prints their stacks.
set -eu
program=$1 script=$2
command -v gdb >/dev/null || { echo "SKIPPED: no gdb"; exit 77; }
dir=${WEFT_TRACE_DIR:-.}
core=$dir/debuggee.core

debug() { timeout 100 gdb -nx -batch -iex 'set debuginfod enabled off' -iex 'set pagination off' -iex 'set auto-load off' "$@" 2>&1; }

debug -ex run -ex 'info threads' --args /bin/true >"$dir/probe.txt" || true
grep -q 'exited normally' "$dir/probe.txt" || { echo "SKIPPED: gdb may not run processes here"; exit 77; }

fail() { echo "FAILED: $1"; cat "$2"; exit 1; }
expect() { grep -Eq "$2" "$1" || fail "no line $2" "$1"; }

# The frames of goroutine WHO's function, outermost last, in order.
expect_order() {
    file=$1; shift
    line=0
    for name; do
        line=$(awk -v from="$line" -v name="$name" 'NR > from && index($0, name " (") { print NR; exit }' "$file")
        [ -n "$line" ] || fail "no frame of $name, in that order" "$file"
    done
}

check() {
    expect "$1" '^ +1 +(running|in a call) +thread [0-9]+ .*of main_goroutine$'
    expect "$1" '^ +[0-9]+ +chan receive +- +weft_chan_recv +of waits_for_gate$'
    expect "$1" '^ +[0-9]+ +in a call +thread [0-9]+ +weft_blocking +of blocks$'
    expect "$1" '^ +[0-9]+ +(running|in a call) +thread [0-9]+ .*of spins$'
    expect_order "$1" 'weft_chan_recv' wait_inner wait_inner wait_inner wait_inner waits_for_gate weft_context_entry
    expect_order "$1" naps weft_blocking blocks weft_context_entry
    expect_order "$1" spins weft_context_entry
    expect_order "$1" "$2" main_goroutine weft_context_entry
    if grep -q 'corrupt\|Python Exception\|Backtrace stopped' "$1"; then fail "a backtrace breaks off" "$1"; fi
}

debug -x "$script" -ex 'break stop_here' -ex run -ex 'info goroutines' -ex 'goroutine all bt' -ex kill \
    --args "$program" >"$dir/live.txt"
check "$dir/live.txt" stop_here

# gdb's own generate-core-file reads memory in pieces, and leaves a piece out that has a guard page in it.
rm -f "$dir"/core*
(cd "$dir" && ulimit -c unlimited && exec "$program" die) >"$dir/died.txt" 2>&1 || true
core=$(find "$dir" -name 'core*' -type f ! -name '*.txt' | head -n 1)
if [ -z "$core" ]; then
    echo "SKIPPED: the kernel leaves no core file here; the goroutines of a live process are right"
    exit 77
fi
debug -x "$script" -ex 'info goroutines' -ex 'goroutine all bt' "$program" "$core" >"$dir/core.txt"
rm -f "$core"
check "$dir/core.txt" abort
echo "gdb lists goroutines and their stacks, live and in a core file"
