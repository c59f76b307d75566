#!/bin/sh
# SPDX-License-Identifier: MIT
# Exports of real traces against the rules of their formats, and against each other.
#
#   formats.sh SOURCE REFERENCE EXAMPLES
#
# SOURCE     this folder
# REFERENCE  where tools/reference keeps Go's programs
# EXAMPLES   weft's examples
# What needs a program that is not there is left out, loudly.
set -eu
here=$1 go=$2/go1.27 examples=$3
tool=$WEFT_TOOL
cd "$WEFT_TRACE_DIR"
failed=0
complain() { echo "$*"; failed=1; }

for program in squares hog; do
    [ ! -x "$examples/$program" ] ||
        WEFT_TRACE=weft_$program.trace WEFT_TRACE_CPU=1000 WEFT_PROCS=3 "$examples/$program" >/dev/null
done
if [ -x "$go/workload" ]; then
    "$go/workload" -o go.trace -for 1ms
else
    echo "SKIPPED: no trace of a Go program" >&2
fi

# Where the machine is busy the Go program runs longer: what is too much for jq is left out.
small() { [ "$(wc -c <"$1")" -lt 400000 ] || { echo "$1: too large to check as text" >&2; return 1; }; }

# What the tables have of it: the first line of both formats' summaries, but for the arrows.
count() { "$tool" query --format csv "$1" "SELECT count(*) FROM $2" | tail -n 1; }
counts() {
    echo "$(count "$1" intervals) states, $(count "$1" "events WHERE kind = 'RegionBegin'") regions," \
        "$(count "$1" "events WHERE kind = 'TaskBegin'") tasks," \
        "$(count "$1" "ranges WHERE resource IS NULL OR name LIKE 'stop-the-world%'") ranges," \
        "$(count "$1" logs) logs, $(count "$1" samples) samples,"
}

perfetto() {
    "$tool" export --to perfetto -o out "$1" || complain "$1: perfetto fails"
    if command -v protoc >/dev/null; then
        protoc --proto_path="$here" --decode=perfetto.Trace perfetto.proto <out >text ||
            complain "$1: protoc does not take it"
        awk -f "$here/perfetto_rules.awk" text >said || failed=1
        sed "s|^|$1: perfetto: |" said
        head -n 1 said >perfetto_counts
    else
        echo "SKIPPED: no protoc: Perfetto's output was NOT checked" >&2
    fi
}

chrome() {
    "$tool" export --to chrome -o out "$1" || complain "$1: chrome fails"
    if command -v jq >/dev/null; then
        jq -r '.traceEvents[] | [.ph, .pid, .tid, .ts, .id, .name, .cat, .s, .bp,
            ((.args // {}) | map(type + " ") | join(""))] | map(. // "-") | @tsv' out >columns ||
            complain "$1: no JSON"
        awk -f "$here/chrome_rules.awk" columns >said || failed=1
        sed "s|^|$1: chrome: |" said
        # Stacks are written once, at the end, and each that is named is there.
        jq -r '.stackFrames as $frames | [.traceEvents[] | .sf // empty] | unique | map(select($frames[.] | not))[]' out >text
        [ ! -s text ] || complain "$1: $(wc -l <text) stacks are missing"
        # Both formats have the same, and as much as the tables.
        head -n 1 said >chrome_counts
        [ ! -s perfetto_counts ] || cmp -s perfetto_counts chrome_counts ||
            complain "$1: perfetto has $(cat perfetto_counts), chrome $(cat chrome_counts)"
        "$tool" query --schema >text 2>&1 || return 0
        want=$(counts "$1")
        grep -qF "$want" chrome_counts || complain "$1: $(cat chrome_counts), but $want in the tables"
        # An arrow without end is that of a goroutine which does not run any more.
        open=$(sed 's/.* arrows, \([0-9]*\) of them without end/\1/' chrome_counts)
        [ "$open" -le "$(count "$1" "intervals WHERE state = 'runnable' AND NOT whole")" ] ||
            complain "$1: $open arrows have no end"
    else
        echo "SKIPPED: no jq: Chrome's output was NOT checked" >&2
    fi
}

folded() {
    "$tool" export --to folded -o out "$1" || complain "$1: folded fails"
    grep -vqE '^[^;]+;(.*;)?\[[a-z-]+(: .*)?\] [0-9]+$' out && complain "$1: a line that is none of folded stacks"
    have=$(awk '{ sum += $NF } END { printf "%d\n", sum }' out)
    want=$("$tool" query --format csv "$1" 'SELECT sum(duration) FROM intervals' | tail -n 1) || want=
    [ "$want" = "$have" ] || [ -z "$want" ] || complain "$1: $have ns, but $want in intervals"
}

tables() {
    "$tool" export --to sqlite -o db "$1" 2>err || { grep -q 'without SQLite' err && return; complain "$1: $(cat err)"; }
    "$tool" export --to csv -o csv "$1" || complain "$1: csv fails"
    for table in events intervals goroutines stacks ranges generations; do
        want=$("$tool" query --format csv "$1" "SELECT count(*) FROM $table" | tail -n 1)
        lines=$("$tool" query --format csv "$1" "SELECT * FROM $table" | wc -l)
        [ "$(wc -l <csv/$table.csv)" = "$lines" ] || complain "$1: $table.csv has not $lines lines"
        "$tool" export --to csv --table $table -o - "$1" | cmp -s - csv/$table.csv ||
            complain "$1: --table $table differs"
        "$tool" query --format csv "$1" "SELECT * FROM $table" | cmp -s - csv/$table.csv ||
            complain "$1: $table.csv differs from query"
        command -v sqlite3 >/dev/null || continue
        have=$(sqlite3 db "SELECT count(*) FROM $table")
        [ "$want" = "$have" ] || complain "$1: $table has $have rows in the database, not $want"
    done
}

for trace in *.trace; do
    ! small "$trace" || { perfetto "$trace"; chrome "$trace"; }
    folded "$trace"
    tables "$trace"
done

# What is cut off is exported up to there, and told.
first=$(ls ./*.trace | head -n 1)
head -c $(($(wc -c <"$first") * 2 / 3)) "$first" >cut
for format in perfetto chrome folded csv; do
    status=0
    "$tool" export --to $format -o cut.$format cut 2>err || status=$?
    [ $status = 1 ] && grep -q incomplete err || complain "$format: a cut-off trace: $status, $(cat err)"
done
"$tool" export --to chrome -o plain.json "$first"
"$tool" export --to chrome -o plain.json.gz "$first"
gzip -dcf plain.json.gz | cmp -s - plain.json || complain "compressed output differs"
"$tool" export --to chrome -o - - <"$first" | cmp -s - plain.json || complain "standard output differs"
usage() {
    status=0
    "$tool" export "$@" >out 2>&1 || status=$?
    [ $status = 2 ] || complain "export $*: $status"
}
usage "$first"
usage --to odd -o x "$first"
usage --to chrome "$first"
usage --to csv -o - "$first"
usage --to sqlite -o - "$first"
usage --to csv --table odd -o - "$first"
status=0
"$tool" export --to perfetto -o no/such/folder/x "$first" 2>err || status=$?
[ $status = 1 ] && grep -q 'cannot write' err || complain "an output that cannot be: $status"
rm -rf out text said columns perfetto_counts chrome_counts db csv err cut cut.* plain.json plain.json.gz
exit $failed
