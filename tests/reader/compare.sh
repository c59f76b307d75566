#!/bin/sh
# SPDX-License-Identifier: MIT
# Compares weft's reader with Go's, event by event and byte by byte:
#
#   compare.sh WEFT MUTATE RULES TRACES WORK [SEED [COUNT [ROUNDS [PROGRAM…]]]]
#
# WEFT, MUTATE and RULES are the tool, the damager and the test of the rules, beside which those of
# contexts and threads are; TRACES has the hand-made traces; WORK is a scratch folder. The reference
# (tools/reference) is looked for in $WEFT_REFERENCE_DIR or build/reference; without it the exit
# status is 77.
#
# Compared are traces of a Go program (1.27 and, if it can be built, 1.23) in several modes, ROUNDS of
# each; those of each PROGRAM linked with weft, in every format; random traces of many threads and
# equal times; the hand-made traces; the inputs that break the rules; COUNT damaged copies of each
# small trace and COUNT/4 of some of the Go program's and of the random ones.
# weft may differ only where it means to:
#   - it rejects a table's batch that ends inside an entry, which Go takes for the end of the trace;
#   - it goes on where one of Go's getters panics.
set -eu
weft=$1 mutate=$2 rules=$3 traces=$4 work=$5 seed=${6:-1} count=${7:-50} rounds=${8:-1}
[ $# -lt 8 ] && set -- || shift 8
tree=$(cd "$(dirname "$0")/../.." && pwd)
reference=${WEFT_REFERENCE_DIR:-$tree/build/reference}
canon=$reference/go1.27/canon
workload=$reference/go1.27/workload
if [ ! -x "$canon" ] || [ ! -x "$workload" ]; then
    echo "compare.sh: SKIPPED: no reference in $reference; weft's reader was NOT compared with Go's" >&2
    exit 77
fi
rm -rf "$work"
mkdir -p "$work"
work=$(cd "$work" && pwd)

# compare DIR: every trace in it, by both readers. Says which differ, and how many were compared.
compare() {
    (
        cd "$1"
        mkdir -p out
        find . -maxdepth 1 -name '*.trace' -print | sort | xargs -n 200 "$canon" -o out
        bad=0 n=0
        for file in *.trace; do
            n=$((n + 1))
            status=0
            timeout 60 "$weft" events --format canon "$file" >out/weft 2>out/error || status=$?
            if [ $status -gt 1 ]; then
                echo "compare.sh: weft ends with $status on $1/$file" >&2
                bad=$((bad + 1))
            elif ! cmp -s "out/$file.go" out/weft && ! meant "out/$file.go" out/weft out/error; then
                echo "compare.sh: the readers differ on $1/$file: $(head -1 out/error)" >&2
                diff "out/$file.go" out/weft | head -5 >&2
                bad=$((bad + 1))
            fi
            rm -f "out/$file.go"
        done
        echo "$n traces in $(basename "$1"), $bad differ"
        [ $bad -eq 0 ] && [ $n -gt 0 ]
    )
}

# meant GO WEFT ERROR: whether the difference is one of those above.
meant() {
    if [ "$(tail -n 1 "$1")" = PANIC ]; then
        sed '$d' "$1" >out/before
        head -n "$(wc -l <out/before)" "$2" | cmp -s out/before -
        return
    fi
    # Go drops the generation and ends with a sync; weft says so and stops.
    grep -qE ': (TAB-2|TAB-7|TAB-11|TAB-15): bad number' "$3" || return 1
    [ "$(tail -n 1 "$2")" = ERROR ] || return 1
    sed '$d' "$2" | cmp -s "$1" -
}

# programs NAME WORKLOAD ROUND: the Go program's traces, in all modes.
small=$work/small
mkdir -p "$work/programs" "$work/weft" "$small" "$work/random" "$work/rules" "$work/made"
programs() {
    for mode in plain generations advancing allocfree one_proc many_procs threads crowd flight tiny; do
        name=$work/programs/$1_$mode$3.trace
        case $mode in
        plain) "$2" -o "$name" -for 40ms ;;
        generations) GODEBUG=traceadvanceperiod=1000000 "$2" -o "$name" -for 40ms ;;
        advancing) GODEBUG=traceadvanceperiod=0 "$2" -o "$name" -for 30ms ;;
        allocfree) GODEBUG=traceallocfree=1 "$2" -o "$name" -for 10ms ;;
        one_proc) "$2" -o "$name" -for 30ms -procs 1 ;;
        many_procs) "$2" -o "$name" -for 20ms -procs 16 ;;
        threads) GODEBUG=traceadvanceperiod=5000000 "$2" -o "$name" -for 10ms -threads 90 ;;
        crowd) GODEBUG=traceadvanceperiod=5000000 "$2" -o "$name" -for 10ms -threads 300 ;;
        flight) GODEBUG=traceadvanceperiod=2000000 "$2" -o "$name" -for 20ms -flight ;;
        tiny) "$2" -o "$name" -for 1ms -threads 1 -profile=0 -net=0 -gc=0 ;;
        esac
    done
}

failed=0
for round in $(seq "$rounds"); do
    programs go1.27 "$workload" "$round"
done
old=$reference/go1.23/workload
if [ ! -x "$old" ]; then
    old=$work/workload1.23
    mkdir -p "$work/module"
    cp "$tree"/tests/reader/reference/workload/*.go "$work/module"
    printf 'module workload\n\ngo 1.23\n' >"$work/module/go.mod"
    root=$(readlink -f "$reference/go1.23/goroot" || true)
    (cd "$work/module" && env GOROOT="$root" GOTOOLCHAIN=local GOPROXY=off GOFLAGS= GOENV=off GOWORK=off \
        GOTELEMETRY=off CGO_ENABLED=0 HOME="$work" GOCACHE="$reference/cache1.23" GOPATH="$work/gopath" \
        "$root/bin/go" build -p 2 -o "$old" .) || old=
fi
if [ -n "$old" ]; then
    for round in $(seq "$rounds"); do
        programs go1.23 "$old" "$round"
    done
else
    echo "compare.sh: Go 1.23 is not there: its traces were NOT compared" >&2
fi
compare "$work/programs" || failed=1
# Go's tracer has written traces which Go's reader rejects (seldom, with AllocFree): so does weft.
for file in "$work"/programs/*.trace; do
    "$weft" validate -q "$file" || {
        "$canon" "$file" | tail -n 1 | grep -q '^ERROR' || failed=1
    }
done
for program; do
    for format in 1.22 1.23 1.25 1.26; do
        WEFT_TRACE=$work/weft/$(basename "$program")_$format.trace WEFT_TRACE_FORMAT=$format \
            timeout 60 "$program" >/dev/null 2>&1 </dev/null || true
    done
done
[ $# -eq 0 ] || compare "$work/weft" || failed=1

WEFT_DUMP_DIR=$work/random "$(dirname "$rules")/reader_threads" || failed=1
compare "$work/random" || failed=1
WEFT_DUMP_DIR=$work/rules "$rules" >"$work/said" 2>&1 || { failed=1; cat "$work/said"; }
WEFT_DUMP_DIR=$work/rules "$(dirname "$rules")/reader_context" >"$work/said" 2>&1 || { failed=1; cat "$work/said"; }
compare "$work/rules" || failed=1
for file in "$traces"/*.test; do
    name=$(basename "$file" .test)
    sed '1,/^-- trace --/d' "$file" >"$work/made/$name.txt"
    "$weft" raw --assemble "$work/made/$name.txt" -o "$work/made/$name.trace"
done
compare "$work/made" || failed=1

damaged=0
for file in "$work"/made/*.trace "$work"/programs/*_tiny1.trace "$work"/programs/*_flight1.trace \
    "$work"/random/random-1[0-4].trace; do
    name=$(basename "$file" .trace)
    copies=$count
    case $file in */programs/* | */random/*) copies=$((count / 4)) ;; esac
    [ "$name" != every_event ] || copies=$((count * 5))
    rm -rf "$small"
    mkdir -p "$small"
    seed=$((seed + 1))
    damaged=$((damaged + copies))
    "$mutate" "$file" "$small" "$copies" "$seed"
    compare "$small" >"$work/said" || { failed=1; cat "$work/said"; mv "$small" "$work/damaged_$name"; }
done
whole=$(find "$work/programs" "$work/weft" "$work/random" "$work/rules" "$work/made" -name '*.trace' | wc -l)
[ $failed -eq 0 ] && echo "compare.sh: weft and Go agree on $whole traces and $damaged damaged copies"
exit $failed
