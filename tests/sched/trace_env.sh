#!/bin/sh
# SPDX-License-Identifier: MIT
# trace_env.sh SLEEPER: recording without code. SLEEPER runs until its standard input ends.
set -eu
sleeper=$1
dir=$WEFT_TRACE_DIR
fail() { echo "trace_env.sh: $*" >&2; exit 1; }

# until COMMAND…: tries until it succeeds; CTest's time-out ends it otherwise.
until_done() { while ! "$@" 2>/dev/null; do sleep 0.05; done; }

mkfifo "$dir/input"
# What the program before wrote is away first: else a signal could meet one that is not ready.
start() { : >"$dir/output"; env "$@" "$sleeper" <"$dir/input" >"$dir/output" & pid=$!; exec 3>"$dir/input"; until_done grep -q ready "$dir/output"; }
finish() { exec 3>&-; wait "$pid" || fail "the program failed"; }

# A signal writes what the flight recorder keeps; each one a file of its own.
start WEFT_TRACE_SIGNAL=USR2 WEFT_TRACE_SNAPSHOT="$dir/snapshot.trace"
kill -USR2 "$pid"
until_done "$WEFT_TOOL" validate -q "$dir/snapshot.trace"
kill -s USR2 "$pid"
until_done "$WEFT_TOOL" validate -q "$dir/snapshot.trace.1"
finish
cp "$dir/snapshot.trace.1" "$dir/second.trace"
[ ! -e "$dir/snapshot.trace.2" ] || fail "a snapshot that nobody asked for"

# By number, together with a trace of the whole run.
start WEFT_TRACE="$dir/whole.trace" WEFT_TRACE_SIGNAL=10 WEFT_TRACE_SNAPSHOT="$dir/beside.trace"
kill -10 "$pid"
until_done "$WEFT_TOOL" validate -q "$dir/beside.trace"
finish
"$WEFT_TOOL" validate -q "$dir/whole.trace" || fail "the whole run's trace is not valid"

# A trace that ends before the program does.
start WEFT_TRACE="$dir/first_second.trace" WEFT_TRACE_SECONDS=1
until_done "$WEFT_TOOL" validate -q "$dir/first_second.trace"
until_done grep -q stopped "$dir/output"
size=$(wc -c <"$dir/first_second.trace")
echo >&3
finish
[ "$size" = "$(wc -c <"$dir/first_second.trace")" ] || fail "the trace has grown after its end"

start WEFT_TRACE="$dir/fraction.trace" WEFT_TRACE_SECONDS=0.05
until_done "$WEFT_TOOL" validate -q "$dir/fraction.trace"
finish

# What is wrong is said, and nothing runs.
for setting in WEFT_TRACE_SIGNAL=USR1 WEFT_TRACE_SIGNAL=NONE WEFT_TRACE_SIGNAL=9 \
    WEFT_TRACE_SNAPSHOT="$dir/alone.trace" WEFT_TRACE_SECONDS=soon WEFT_TRACE_SECONDS=0 \
    WEFT_TRACE_SECONDS=.5 WEFT_TRACE_SECONDS=1.5s WEFT_TRACE_SECONDS=1000000001; do
    if env "$setting" "$sleeper" </dev/null >"$dir/output" 2>"$dir/errors"; then
        fail "$setting was accepted"
    fi
    grep -q "${setting%%=*}" "$dir/errors" || fail "$setting: no message"
done
rm -f "$dir"/snapshot.trace.1 "$dir/input"

# weft record: the exit status, signals, and a program that writes no trace.
"$WEFT_TOOL" record -o "$dir/recorded.trace" -- "$sleeper" </dev/null >/dev/null || fail "record failed"
"$WEFT_TOOL" validate -q "$dir/recorded.trace" || fail "the recorded trace is not valid"
status=0
"$WEFT_TOOL" record -o "$dir/recorded.trace" --for 5s -- sh -c 'exit 7' 2>"$dir/errors" || status=$?
[ $status = 7 ] || fail "exit status $status, not 7"
grep -q 'linked with weft' "$dir/errors" || fail "no word about the missing trace"
status=0
"$WEFT_TOOL" record -o "$dir/none" -- sh -c 'trap "exit 9" TERM; kill -TERM $PPID; while :; do sleep 0.05; done' \
    2>/dev/null || status=$?
[ $status = 9 ] || fail "the signal did not reach the program: $status"
for wrong in "-o x --for 0 -- true" "-o x --for soon -- true" "-- true" "-o x"; do
    status=0
    # shellcheck disable=SC2086 # words
    "$WEFT_TOOL" record $wrong 2>/dev/null || status=$?
    [ $status = 2 ] || fail "record $wrong: exit status $status, not 2"
done
