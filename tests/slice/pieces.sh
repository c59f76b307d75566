#!/bin/sh
# SPDX-License-Identifier: MIT
# Cuts real traces into pieces and puts them together again. The pieces stay for Go's reader.
#
#   pieces.sh REFERENCE TRACES
#
# REFERENCE  where tools/reference keeps Go's programs: exits 77 without them
# TRACES     traces made by hand
set -eu
go=$1/go1.27 traces=$2
tool=$WEFT_TOOL
[ -x "$go/workload" ] || { echo "SKIPPED: $go/workload is missing (tools/reference builds it)" >&2; exit 77; }
cd "$WEFT_TRACE_DIR"
failed=0
complain() { echo "$*"; failed=1; }

# expect STATUS command…
expect() {
    want=$1
    shift
    status=0
    "$@" >out 2>err || status=$?
    [ "$status" = "$want" ] || complain "$*: exit status $status, not $want: $(cat err)"
}

generations() { "$tool" validate -v "$1" | sed 's/.* events, \([0-9]*\) generations.*/\1/'; }

GODEBUG=traceadvanceperiod=5000000 "$go/workload" -o whole.trace -for 30ms -net=false
count=$(generations whole.trace)
echo "$count generations"
[ "$count" -ge 2 ] || { echo "SKIPPED: one generation only" >&2; exit 77; }

# Generation by generation: each begins where the one before ends.
starts=$("$tool" events --format canon whole.trace | awk '$5 == "Sync" { print $1 }' | sed '$d')
first=$(echo "$starts" | head -n 1) n=0 pieces=
for start in $starts; do
    n=$((n + 1))
    expect 0 "$tool" slice --from $((start - first))ns --to $((start - first + 1))ns -o piece$n.trace whole.trace
    pieces="$pieces piece$n.trace"
    "$tool" validate -q piece$n.trace || complain "piece $n is not valid"
done
# shellcheck disable=SC2086 # names
expect 0 "$tool" merge -o merged.trace $pieces
cmp merged.trace whole.trace || complain "put together, the pieces are something else"
if [ "$n" -ge 3 ]; then
    expect 1 "$tool" merge -o gap.trace piece1.trace piece3.trace
    grep -q 'MRG-3' err || complain "a gap is not told: $(cat err)"
    [ ! -e gap.trace ] || complain "something was written"
fi
expect 1 "$tool" merge -o other.trace piece2.trace piece1.trace piece2.trace
expect 1 "$tool" slice --from 1000s -o none.trace whole.trace
grep -q 'nothing in that time' err || complain "$(cat err)"
[ ! -e none.trace ] || complain "something was written"

# Exactly: the events in that time as they are, behind those that tell the state at the cut. A task that
# began before has no type; times right behind the cut make room for the statuses.
plain() { awk '$5 != "Sync" && $5 != "TaskEnd" { $1 = ""; print }' "$1"; }
"$tool" events --format canon whole.trace >all
end=$(tail -n 1 all | cut -d ' ' -f 1)
for part in 1 2 3 5 7 9; do
    from=$((first + (end - first) * part / 10)) to=$((first + (end - first) * (part + 1) / 10))
    status=0
    "$tool" slice --exact --from $((from - first))ns --to $((to - first))ns -o exact$part.trace whole.trace 2>err || status=$?
    if [ $status != 0 ]; then
        grep -q 'nothing in that time' err || complain "exact, part $part: $(cat err)"
        continue
    fi
    "$tool" validate -q exact$part.trace || complain "exact, part $part: not valid"
    "$tool" events --format canon exact$part.trace >some
    awk -v from="$from" -v to="$to" '$1 >= from && $1 < to' all >window
    # Nothing of the window is missing; what is more are ranges that begin anew.
    plain window | grep -vE '(Undetermined|NotExist)->|RangeActive' | sort >want
    plain some | grep -vE '(Undetermined|NotExist)->|RangeActive' | sort >have
    comm -23 want have >missing
    comm -13 want have | grep -v ' RangeBegin name="stop-the-world' >more || true
    [ ! -s missing ] || complain "exact, part $part: missing: $(head -n 3 missing)"
    [ ! -s more ] || complain "exact, part $part: not in the trace: $(head -n 3 more)"
    echo "exact, part $part: $(wc -l <window) events, $(wc -l <some) with statuses"
done
rm -f all some window want have missing more

# By the wall clock: two generations, a second after each other.
generation() {
    printf 'EventBatch gen=%s m=18446744073709551615 time=%s size=auto\nSync\nFrequency freq=1000000000\n' "$1" "$2"
    printf 'ClockSnapshot dt=0 mono=%s sec=%s nsec=500000000\nEndOfGeneration\n' "$2" "$3"
}
{
    echo 'Trace Go1.26'
    generation 1 1000000000 1700000000
    generation 2 2000000000 1700000001
} >text
"$tool" raw --assemble text -o wall.trace
# late FROM WANT: as many generations from then on
late() {
    expect 0 "$tool" slice --from "$1" -o late.trace wall.trace
    [ "$(generations late.trace)" = "$2" ] || complain "from $1: $(generations late.trace) generations, not $2"
}
late 2023-11-14T22:13:20Z 2
late 2023-11-14T22:13:20.5Z 2
late 2023-11-14T22:13:20.500000001 1
late 2023-11-14T22:13:21.5Z 1
expect 1 "$tool" slice --from 2023-11-14T22:13:22Z -o late2.trace wall.trace

# The standard input and output; an older format, whose generations have no end mark.
"$tool" slice -o - - <whole.trace | cmp - whole.trace || complain "the whole of it is something else"
sed '1,/^-- trace --/d' "$traces/task_across_generations.test" >text
"$tool" raw --assemble text -o old.trace
expect 0 "$tool" slice --from 0s --to 1ns -o old1.trace old.trace
[ "$(generations old1.trace)" = 1 ] || complain "old format: $(generations old1.trace) generations"
expect 1 "$tool" slice --from 2026-01-01T00:00:00Z -o old2.trace old.trace
grep -q 'wall clock' err || complain "an unknown wall clock is not told"
expect 1 "$tool" merge -o mixed.trace whole.trace old.trace
grep -q 'MRG-2' err || complain "formats are mixed: $(cat err)"
expect 2 "$tool" slice whole.trace
expect 2 "$tool" slice --from soon -o x whole.trace
expect 2 "$tool" merge whole.trace
rm -f out err text old.trace old1.trace
exit $failed
