#!/bin/sh
# SPDX-License-Identifier: MIT
# Compares weft's statistics and profiles with those of Go's own tool, goroutine by goroutine and
# sample by sample, on traces of Go programs and of weft's.
#
#   agree.sh REFERENCE PROGRAMS EXAMPLES
#
# REFERENCE  where tools/reference put Go's tools
# PROGRAMS   where goroutine_lines and pprof_lines are
# EXAMPLES   weft's examples
# Exits 77 where Go's tools are not there.
set -eu
go=$1/go1.27 programs=$2 examples=$3
tool=$WEFT_TOOL
for need in trace workload goroutines mmu annotations; do
    if [ ! -x "$go/$need" ]; then
        echo "SKIPPED: $go/$need is missing (tools/reference builds it)" >&2
        exit 77
    fi
done
cd "$WEFT_TRACE_DIR"

make_traces() {
    "$go/workload" -o go_all.trace -for 60ms
    "$go/workload" -o go_plain.trace -for 30ms -gc=false -net=false -profile=false
    "$go/workload" -o go_long.trace -for 1100ms -procs 2 -net=false
    for program in squares sieve hog; do
        [ -x "$examples/$program" ] || continue
        for format in 1.22 1.26; do
            WEFT_TRACE=weft_${program}_$format.trace WEFT_TRACE_FORMAT=$format WEFT_PROCS=3 \
                "$examples/$program" >/dev/null
        done
    done
}

# same WHAT: are want and have equal?
same() {
    if ! cmp -s want have; then
        echo "$1: Go's (<) and weft's (>) differ:"
        diff want have | head -n 6 | cut -c 1-300
        failed=1
    fi
}

totals() {
    awk '{ count += $1; time += $2 } END { printf "%d times, %.0f ns", count, time }' "$1"
}

# The critical path of a task of the Go program is as long as the task.
critical_paths() {
    for task in $("$tool" events --format canon "$1" | grep -a ' TaskBegin ' |
        sed -n 's/.* TaskBegin id=\([0-9]*\) .*/\1/p' | head -n 12); do
        "$tool" critical-path --task "$task" --folded "$1" | awk '{ sum += $NF } END { printf "%.0f\n", sum }' >have
        "$tool" critical-path --task "$task" --json "$1" | tr -d , |
            awk '/^  "begin_ns"/ { begin = $2 } /^  "end_ns"/ { printf "%.0f\n", $2 - begin }' >want
        same "$1: critical path of task $task"
    done
}

failed=0
make_traces
for trace in *.trace; do
    "$go/goroutines" "$trace" >want
    "$programs/goroutine_lines" "$trace" >have || failed=1
    same "$trace: goroutines"
    echo "$trace: $(wc -l <want) goroutines"
    kinds="net sync syscall sched"
    [ "$trace" != go_long.trace ] || kinds=sched # half a minute each, in Go
    for kind in $kinds; do
        # No stack and one whose only frame is blank are one to Go: it shows the one that came last.
        "$go/trace" -pprof=$kind "$trace" 2>/dev/null | gzip -dc | "$programs/pprof_lines" |
            sed 's/@:0;$//' | sort >want
        "$tool" profile --kind $kind -o profile.pb.gz "$trace" 2>/dev/null
        gzip -dcf profile.pb.gz | "$programs/pprof_lines" | sort >have
        same "$trace: $kind"
        echo "$trace: $kind: $(totals have) in $(wc -l <have) stacks"
    done
done
critical_paths go_all.trace
for trace in go_all.trace go_plain.trace; do
    "$programs/mmu_lines" "$trace" >have || failed=1
    # Go's own computation panics on some of Go's traces (index out of range in internal/trace/gc.go).
    if "$go/mmu" "$trace" >want 2>panic; then
        same "$trace: mutator utilisation"
        echo "$trace: $(wc -l <want) minima of mutator utilisation"
    elif grep -q '^panic: runtime error: index out of range' panic; then
        echo "$trace: SKIPPED: Go's mutator utilisation panics on it; weft's was NOT compared" >&2
    else
        cat panic >&2
        failed=1
    fi
    "$go/annotations" "$trace" | LC_ALL=C sort >want
    "$programs/annotation_lines" "$trace" | LC_ALL=C sort >have
    same "$trace: tasks and regions"
    echo "$trace: $(wc -l <want) tasks and regions"
done
exit $failed
