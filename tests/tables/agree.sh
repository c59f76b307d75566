#!/bin/sh
# SPDX-License-Identifier: MIT
# Sums over the tables equal what weft summary says, on traces of Go programs and of weft's: the two
# are computed by different code.
#
#   agree.sh REFERENCE EXAMPLES
#
# Exits 77 where there is no Go program to trace, no jq or no SQLite.
set -eu
go=$1/go1.27 examples=$2
tool=$WEFT_TOOL
cd "$WEFT_TRACE_DIR"
skip() { echo "SKIPPED: $*" >&2; exit 77; }
[ -x "$go/workload" ] || skip "$go/workload is missing (tools/reference builds it)"
command -v jq >/dev/null || skip "no jq"

"$go/workload" -o go.trace -for 40ms
"$go/workload" -o go_procs.trace -for 20ms -procs 2 -net=false
for program in squares sieve hog; do
    [ -x "$examples/$program" ] || continue
    for format in 1.22 1.26; do
        WEFT_TRACE=weft_${program}_$format.trace WEFT_TRACE_FORMAT=$format WEFT_PROCS=3 \
            "$examples/$program" >/dev/null
    done
done
"$tool" query go.trace 'SELECT 1' >/dev/null 2>err || skip "$(cat err)"

failed=0
# same TRACE WHAT JQ SQL
same() {
    jq -r "$3" summary.json | sort >want
    "$tool" query --format csv "$1" "$4" | sed 1d | tr -d '"' | sort >have
    if ! cmp -s want have; then
        echo "$1: $2: the summary (<) and SQL (>) differ:"
        diff want have | head -n 6
        failed=1
    fi
}
for trace in *.trace; do
    "$tool" summary --json "$trace" >summary.json
    same "$trace" "times" '.states | to_entries[] | select(.value.ns > 0) | "\(.key),\(.value.ns),\(.value.max_ns)"' \
        "SELECT replace(state, '-', '_'), sum(duration) AS ns, max(duration) FROM intervals GROUP BY 1 HAVING ns > 0"
    same "$trace" "times of goroutines" '.states | [.running.ns, .runnable.ns, .blocked.ns, .syscall.ns, .syscall_blocked.ns] | map(tostring) | join(",")' \
        "SELECT sum(running), sum(runnable), sum(blocked), sum(syscall), sum(syscall_blocked) FROM goroutines"
    same "$trace" "reasons" '.blocked_by_reason[] | "\(.name),\(.count),\(.ns)"' \
        "SELECT coalesce(reason, ''), count(*), sum(duration) FROM intervals WHERE state = 'blocked' GROUP BY 1"
    same "$trace" "ranges" '.ranges[] | "\(.name),\(.count),\(.ns),\(.max_ns)"' \
        "SELECT name, count(*), sum(duration), max(duration) FROM ranges GROUP BY 1"
    same "$trace" "procs" '"\(.procs_running_ns),\(.procs)"' "SELECT sum(running), count(*) FROM procs"
    same "$trace" "events" '.events_by_kind | to_entries[] | "\(.key),\(.value)"' \
        "SELECT kind, count(*) FROM events GROUP BY 1"
    same "$trace" "metrics" '.gomaxprocs.changes, (.heap_bytes.changes // 0)' \
        "SELECT count(*) FROM metrics WHERE name LIKE '%gomaxprocs%' UNION ALL SELECT count(*) FROM metrics WHERE name = '/memory/classes/heap/objects:bytes'"
    same "$trace" "groups" '.groups[] | "\(.name),\(.goroutines),\(.states.running.ns)"' \
        "SELECT coalesce(name, ''), count(*), sum(running) FROM goroutines GROUP BY 1"
    echo "$trace: $(jq -c '[.events, .goroutines, .states.running.ns]' summary.json)"
done
rm -f want have err summary.json
exit $failed
