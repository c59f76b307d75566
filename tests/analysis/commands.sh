#!/bin/sh
# SPDX-License-Identifier: MIT
# The commands as a user meets them: exit status, help, JSON, cut-off traces.
#
#   commands.sh PROGRAM    a program linked with weft, which makes the trace
set -eu
program=$1
tool=$WEFT_TOOL
cd "$WEFT_TRACE_DIR"
failed=0

# expect STATUS WHAT command…: output in out, messages in err
expect() {
    want=$1 what=$2
    shift 2
    status=0
    "$@" >out 2>err || status=$?
    if [ "$status" != "$want" ]; then
        echo "$what: exit status $status, not $want"
        cat err
        failed=1
    fi
}

# shows TEXT FILE: the file must hold the text
shows() {
    if ! grep -qF -- "$1" "$2"; then
        echo "$what: no '$1' in:"
        head -n 5 "$2"
        failed=1
    fi
}

is_json() {
    if command -v jq >/dev/null; then
        jq -e . out >/dev/null || { echo "$what: no JSON"; failed=1; }
    elif command -v node >/dev/null; then
        node -e 'JSON.parse(require("fs").readFileSync("out"))' || { echo "$what: no JSON"; failed=1; }
    else
        # At least the brackets must be in pairs.
        [ "$(tr -cd '{[' <out | wc -c)" = "$(tr -cd '}]' <out | wc -c)" ] || failed=1
    fi
}

WEFT_TRACE=whole.trace WEFT_PROCS=2 "$program" >/dev/null
for command in summary goroutines goroutine profile critical-path stw gc mmu tasks task regions logs diff; do
    expect 0 "$command --help" "$tool" $command --help
    shows "Usage: weft $command" out
    expect 2 "$command without a file" "$tool" $command
    expect 2 "$command with an unknown option" "$tool" $command --odd whole.trace
done
expect 0 summary "$tool" summary whole.trace
shows "Goroutines by entry function" out
expect 0 "summary of the standard input" "$tool" summary - <whole.trace
shows "<stdin>: " out
expect 0 "summary --json" "$tool" summary --json whole.trace
is_json
shows '"complete": true' out
expect 2 "summary --top x" "$tool" summary --top x whole.trace
expect 1 "summary of no file" "$tool" summary missing.trace
expect 0 goroutines "$tool" goroutines --sort id whole.trace
expect 2 "goroutines --sort odd" "$tool" goroutines --sort odd whole.trace
expect 0 "goroutines --json" "$tool" goroutines --json whole.trace
is_json
expect 0 "goroutines --group" "$tool" goroutines --group 'no such function' whole.trace
[ "$(wc -l <out)" = 1 ] || { echo "goroutines --group: lines of others"; failed=1; }
expect 0 goroutine "$tool" goroutine --timeline whole.trace 1
shows "Goroutine 1 " out
shows "Running on P" out
expect 0 "goroutine with options at the end" "$tool" goroutine whole.trace 1 --timeline
shows "Running on P" out
expect 0 "goroutine --json" "$tool" goroutine --timeline --json whole.trace 1
is_json
expect 1 "a goroutine that is not there" "$tool" goroutine whole.trace 123456789
shows "there is no goroutine 123456789" err
expect 2 "goroutine without id" "$tool" goroutine whole.trace
for kind in net sync syscall sched cpu region=none; do
    expect 0 "profile $kind" "$tool" profile --kind $kind -o profile.pb.gz whole.trace
    [ -s profile.pb.gz ] || { echo "profile $kind: empty"; failed=1; }
done
expect 0 "profile --folded" "$tool" profile --kind sched --folded whole.trace
expect 2 "profile of an odd kind" "$tool" profile --kind odd -o x whole.trace
expect 2 "profile without output" "$tool" profile --kind sched whole.trace
expect 1 "profile to nowhere" "$tool" profile --kind sched -o no/such/folder/x whole.trace
shows "no/such/folder/x: cannot write" err

expect 0 critical-path "$tool" critical-path --goroutine 1 whole.trace
shows "By cause" out
expect 0 "critical-path --json" "$tool" critical-path --goroutine 1 --json whole.trace
is_json
expect 2 "critical-path of nothing" "$tool" critical-path whole.trace
expect 2 "critical-path of a task between times" "$tool" critical-path --task 1 --to 1s whole.trace
expect 2 "critical-path with an odd time" "$tool" critical-path -g 1 --from soon whole.trace
expect 1 "critical-path of no task" "$tool" critical-path --task 4711 whole.trace
shows "task 4711 does not begin" err
# The steps of a path add up to its length.
for id in $("$tool" goroutines whole.trace | awk 'NR > 1 { print $1 }'); do
    expect 0 "critical-path of $id" "$tool" critical-path --goroutine "$id" --folded whole.trace
    steps=$(awk '{ sum += $NF } END { printf "%.0f", sum }' out)
    expect 0 "critical-path of $id" "$tool" critical-path --goroutine "$id" --json whole.trace
    whole=$(tr -d , <out | awk '/^  "begin_ns"/ { begin = $2 } /^  "end_ns"/ { printf "%.0f", $2 - begin }')
    [ "$steps" = "$whole" ] || { echo "$what: steps of $steps ns in a path of $whole"; failed=1; }
done

for command in stw gc mmu; do
    expect 0 $command "$tool" $command whole.trace
    expect 0 "$command --json" "$tool" $command --json whole.trace
    is_json
done
expect 0 stw "$tool" stw whole.trace
shows "stop-the-world (start trace)" out
expect 0 "mmu of one window" "$tool" mmu --window 1us --count stw,sweep --per-proc whole.trace
shows "100.000 %" out
expect 2 "mmu that counts something odd" "$tool" mmu --count stw,odd whole.trace
expect 2 "mmu of an odd window" "$tool" mmu --window 0 whole.trace

for command in tasks regions logs; do
    expect 0 "$command of a program that has none" "$tool" $command whole.trace
    expect 0 "$command --json" "$tool" $command --name 'a*' --from 1ms --to 1s --json whole.trace
    is_json
    expect 2 "$command of an odd goroutine" "$tool" $command --goroutine main whole.trace
done
expect 2 "regions in an odd order" "$tool" regions --list --sort odd whole.trace
expect 1 "a task that is not there" "$tool" task whole.trace 5
shows "task 5 does not begin" err
expect 2 "task without id" "$tool" task whole.trace

WEFT_TRACE=other.trace WEFT_PROCS=1 "$program" >/dev/null
expect 0 diff "$tool" diff whole.trace other.trace
shows "what became slower" out
expect 0 "diff --json with the standard input" "$tool" diff --json whole.trace - <other.trace
is_json
shows '"file": "<stdin>"' out
expect 2 "diff of one file" "$tool" diff whole.trace
expect 2 "diff of three files" "$tool" diff whole.trace other.trace whole.trace
expect 1 "diff with no file" "$tool" diff whole.trace missing.trace
expect 0 "diff of a trace with itself" "$tool" diff --system --json whole.trace whole.trace
if grep '"effect_ns"' out | grep -qv '"effect_ns": 0,'; then
    echo "$what: an effect"
    failed=1
fi

size=$(wc -c <whole.trace)
head -c $((size * 2 / 3)) whole.trace >cut
expect 1 "summary of a cut-off trace" "$tool" summary --json cut
is_json
shows '"complete": false' out
shows "incomplete" err
expect 1 "profile of a cut-off trace" "$tool" profile --kind sched --folded cut
expect 1 "goroutines of a cut-off trace" "$tool" goroutines cut
expect 1 "summary of what is no trace" "$tool" summary "$0"
shows "HDR-1" err
rm -f out err cut
exit $failed
