#!/bin/sh
# SPDX-License-Identifier: MIT
# What all commands have in common: the standard input, messages, exit statuses, durations.
#
#   conventions.sh PROGRAM    a program linked with weft, which makes the traces
set -eu
program=$1
tool=$WEFT_TOOL
cd "$WEFT_TRACE_DIR"
failed=0
complain() { echo "$*"; failed=1; }

WEFT_TRACE=whole.trace WEFT_PROCS=2 "$program" >/dev/null
WEFT_FLIGHT=flight WEFT_PROCS=2 "$program" >/dev/null
"$tool" raw whole.trace >whole.text
head -c $(($(wc -c <whole.trace) * 2 / 3)) whole.trace >cut
head -c 100 flight >cut_flight
head -c 10 whole.trace >cut_head # what ends between two events is fine for raw
head -n 20 whole.text >cut.text
echo "Nonsense dt=1" >>cut.text
sql=
"$tool" query whole.trace 'SELECT 1' >/dev/null 2>err && sql=yes ||
    echo "SKIPPED: weft query: $(cat err)" >&2

# words COMMAND FILE: the arguments of a command that reads FILE and writes to the standard output.
words() {
    case $1 in
    raw--assemble) echo "raw --assemble $2 -o -" ;;
    recover | slice | merge) echo "$1 -o - $2" ;;
    export) echo "export --to chrome -o - $2" ;;
    csv) echo "export --to csv --table events -o - $2" ;;
    profile) echo "profile --kind sched --folded $2" ;;
    goroutine) echo "goroutine $2 1" ;;
    critical-path) echo "critical-path --goroutine 1 $2" ;;
    diff) echo "diff $2 whole.trace" ;;
    query) echo "query -f query.sql $2" ;;
    validate) echo "validate -v $2" ;;
    *) echo "$1 $2" ;;
    esac
}
echo 'SELECT count(*) FROM events' >query.sql

# input COMMAND whole|cut: what it reads
input() {
    case $1 in
    recover) [ "$2" = whole ] && echo flight || echo cut_flight ;;
    raw--assemble) [ "$2" = whole ] && echo whole.text || echo cut.text ;;
    raw) [ "$2" = whole ] && echo whole.trace || echo cut_head ;;
    *) [ "$2" = whole ] && echo whole.trace || echo cut ;;
    esac
}

# run STATUS WHAT command…
run() {
    want=$1 what=$2
    shift 2
    status=0
    "$@" >out 2>err || status=$?
    [ $status = "$want" ] || complain "$what: exit status $status, not $want: $(cat err)"
    ! tr -d -c '\r\033' <err | grep -q . || complain "$what: control characters on standard error"
}

for command in $("$tool" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p') raw--assemble csv; do
    case $command in
    record) continue ;; # takes no trace
    index) # of files only
        run 2 "index of the standard input" "$tool" index -
        continue
        ;;
    task) continue ;; # the program has none
    top) continue ;;  # waits for a file to grow: tests/slice/top.sh
    query | csv) [ -n "$sql" ] || continue ;;
    esac
    whole=$(input $command whole) cut=$(input $command cut)
    # shellcheck disable=SC2046 # words
    {
        run 0 "$command" "$tool" $(words $command "$whole")
        [ -s out ] || complain "$command: no output"
        mv out from_file
        run 0 "$command -" "$tool" $(words $command -) <"$whole"
        sed "s/<stdin>/$whole/g" out | cmp -s - from_file || complain "$command: other output from the standard input"
        cat "$whole" | "$tool" $(words $command -) >out 2>err || complain "$command - of a pipe: $(cat err)"
        sed "s/<stdin>/$whole/g" out | cmp -s - from_file || complain "$command: other output from a pipe"

        # An error names the file, and if it is in the trace, offset, generation and rule.
        run 1 "$command of no file" "$tool" $(words $command missing)
        grep -q 'missing.*: .*No such file' err || complain "$command of no file: $(cat err)"
        run 1 "$command of a cut-off input" "$tool" $(words $command "$cut")
        case $command in
        recover) form="^$cut: ." ;;
        raw--assemble) form="^$cut: line [0-9]*: ." ;;
        *) form="^$cut: [0-9]*: [0-9]*: [A-Z]*-[0-9]*: ." ;;
        esac
        grep -q "$form" err || complain "$command of a cut-off input: $(cat err)"
        run 2 "$command --odd" "$tool" $(words $command "$whole") --odd
        grep -q "^weft ${command%--*}: \|^weft export: " err || complain "$command --odd: $(cat err)"
    }
done

for command in diff "merge -o -"; do
    # shellcheck disable=SC2086 # words
    run 2 "$command - -" "$tool" $command - - <whole.trace
done
run 2 "no command" "$tool"
run 2 "an odd command" "$tool" odd
grep -q "no command 'odd'" err || complain "an odd command: $(cat err)"
run 0 help "$tool" help summary
grep -q '^Usage: weft summary' out || complain "weft help summary: $(head -n 1 out)"
run 2 "help of an odd command" "$tool" help odd
if [ -w /dev/full ]; then
    status=0
    "$tool" events whole.trace >/dev/full 2>err || status=$?
    [ $status = 1 ] && grep -q 'cannot write' err || complain "a full device: $status, $(cat err)"
fi

# Durations, exact to the nanosecond.
first=$("$tool" query --format csv whole.trace 'SELECT min(time) FROM events' 2>/dev/null | tail -n 1) || first=1
for time in "${first}" "${first}ns" "$((first / 1000000000)).$(printf %09d $((first % 1000000000)))s" 0.000001ms; do
    run 0 "events --from $time" "$tool" events --from "$time" whole.trace
    [ -z "$sql" ] || [ "$(wc -l <out)" = "$("$tool" events whole.trace | wc -l)" ] ||
        complain "events --from $time: $(wc -l <out) lines"
done
for time in 1m .5s 1e3s 0x10s -1s 1.5.5s s '' 9223372036.854775808s 99999999999999999999; do
    run 2 "events --from '$time'" "$tool" events "--from=$time" whole.trace
done
rm -f ./*.trace whole.text cut* flight query.sql out err from_file
exit $failed
