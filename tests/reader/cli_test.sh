#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_test.sh WEFT TRACES: the tool's output, messages and exit statuses.
set -u
weft=$1 traces=$2
work=${WEFT_TRACE_DIR:?}
failed=0

complain() {
    echo "cli_test.sh: $*" >&2
    failed=1
}

# run STATUS ARG…: output and messages go to $work/out and $work/err.
run() {
    want=$1
    shift
    "$weft" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    [ $status -eq "$want" ] || complain "weft $*: exit status $status, not $want: $(cat "$work/err")"
}

# said FILE PATTERN: the whole of a file matches an extended regular expression.
said() {
    if [ "$(wc -l <"$work/$1")" -ne 1 ] || ! grep -qE "^$2\$" "$work/$1"; then
        complain "expected in $1: $2, found: $(cat "$work/$1")"
    fi
}

silent() {
    [ ! -s "$work/$1" ] || complain "expected nothing in $1, found: $(cat "$work/$1")"
}

# make NAME FILE: assembles a hand-made trace.
make() {
    sed '1,/^-- trace --/d' "$traces/$1.test" >"$work/text"
    run 0 raw --assemble "$work/text" -o "$2"
    silent out
}

make every_event "$work/good.bin"
make create_syscall_with_p "$work/bad.bin"

run 0 validate "$work/good.bin"; silent out; silent err
run 0 validate -v "$work/good.bin"; silent err
said out "$work/good.bin: valid: 87 events, 2 generations, 7 goroutines, 919 bytes, format 1.26"
run 1 validate "$work/bad.bin"; silent out
said err "$work/bad.bin: 47: 1: CTX-2: GoSyscallEnd on thread 0: expected a proc but didn't have one"
run 1 validate "$work/none"
said err "$work/none: 0: 0: IO: cannot open: .*"
run 1 validate "$work"
said err "$work: 0: 0: IO: cannot read: .*"
run 1 validate "$0"
said err "$0: 0: 0: HDR-1: not an execution trace.*"

# Complaints of the strict validator have a place too.
printf 'Trace Go1.26\n' >"$work/text"
run 0 raw -a "$work/text" -o "$work/empty.bin"
run 1 validate "$work/empty.bin"
said err "$work/empty.bin: 0: 0: VAL-3: .*"

"$weft" validate -v - <"$work/good.bin" >"$work/out" 2>"$work/err" || complain "validate - fails"
said out "<stdin>: valid: .*"

run 0 events "$work/good.bin"; silent err
[ "$(wc -l <"$work/out")" -eq 87 ] || complain "events: not one a line"
grep -q '^0.000064000 M- P- G-  sync 1, wall 1700000000.000000005$' "$work/out" || complain "events: no sync"
run 0 events --format=canon "$work/good.bin"
grep -q '^64000 - - - Sync n=1 trace=64064 mono=64064 wall=1700000000.000000005 AllocFree=1$' "$work/out" ||
    complain "canon: no sync"
run 1 events -f canon "$work/bad.bin"
[ "$(tail -n 1 "$work/out")" = ERROR ] || complain "canon: no ERROR"

# Only what is between two times; the second reading starts at generation 2 through an index.
run 0 events -f canon "$work/good.bin"
total=$(wc -l <"$work/out")
from=$(sed -n 60p "$work/out" | cut -d ' ' -f 1) to=$(sed -n 70p "$work/out" | cut -d ' ' -f 1)
sed -n 60,70p "$work/out" >"$work/part"
rm -f "$work/good.bin.weft-index"
for index in no yes; do
    run 0 events -f canon --from "$from" --to "${to}ns" "$work/good.bin"; silent err
    cmp -s "$work/part" "$work/out" || complain "--from, --to print something else, index: $index"
    run 0 index "$work/good.bin"; silent out; silent err
done
run 0 events -f canon --from +0 "$work/good.bin"
[ "$(wc -l <"$work/out")" -eq "$total" ] || complain "--from +0 prints something else"
run 0 events --to +0 "$work/good.bin"
[ "$(wc -l <"$work/out")" -eq 1 ] || complain "--to +0 prints something else"
run 0 index --list "$work/good.bin"
[ "$(wc -l <"$work/out")" -eq 3 ] || complain "index --list: not one a generation"
cp "$work/good.bin" "$work/other.bin"
cp "$work/good.bin.weft-index" "$work/other.bin.weft-index"
touch -d 2001-01-01 "$work/other.bin"
run 0 events -f canon --from "$from" --to "$to" "$work/other.bin"
said err "$work/other.bin.weft-index: warning: the index is not of this trace; it is not used"
cmp -s "$work/part" "$work/out" || complain "a stale index is used"
echo nonsense >"$work/good.bin.weft-index"
run 0 events -f canon --from "$from" --to "$to" "$work/good.bin"
said err "$work/good.bin.weft-index: warning: the index is damaged; it is not used"
cmp -s "$work/part" "$work/out" || complain "a damaged index is used"
run 1 index --list "$work/good.bin"; said err "$work/good.bin: the index is damaged"
run 1 index --list "$work/bad.bin"; said err "$work/bad.bin: there is no index"
run 1 index -o "$work/bad.index" "$work/bad.bin"; said err "$work/bad.bin: 47: 1: CTX-2: .*"
run 0 index --list -o "$work/bad.index" "$work/bad.bin"
run 1 index "$work/none"; said err "$work/none: 0: 0: IO: cannot open: .*"
run 2 index -
run 2 events --from tomorrow "$work/good.bin"

# Compressed traces, files and pipes; several pieces in one file; cut off; damaged.
run 0 events -f canon "$work/good.bin"
cp "$work/out" "$work/whole"
for packer in gzip zstd; do
    command -v $packer >/dev/null || continue
    packed=$work/good.$packer
    $packer -c <"$work/good.bin" >"$packed"
    "$weft" events -f canon "$packed" >"$work/out" 2>"$work/err" || {
        grep -q "built without" "$work/err" || complain "$packer: $(cat "$work/err")"
        continue
    }
    cmp -s "$work/whole" "$work/out" || complain "$packer: something else is read"
    run 0 raw "$packed"
    # shellcheck disable=SC2002 # a pipe, not a file
    cat "$packed" | "$weft" events -f canon - >"$work/out" || complain "$packer: not from a pipe"
    cmp -s "$work/whole" "$work/out" || complain "$packer: something else is read from a pipe"
    { head -c 300 "$work/good.bin" | $packer -c; tail -c +301 "$work/good.bin" | $packer -c; } >"$packed"
    run 0 events -f canon "$packed"
    cmp -s "$work/whole" "$work/out" || complain "$packer: something else is read from two pieces"
    head -c 400 "$packed" >"$packed.cut"
    run 1 validate "$packed.cut"
    grep -q "compressed data is cut off" "$work/err" || complain "$packer: a cut is not noticed"
    { head -c 200 "$packed"; echo damaged; tail -c +208 "$packed"; } >"$packed.bad"
    run 1 validate "$packed.bad"
done
# shellcheck disable=SC2002
cat "$work/good.bin" | "$weft" events -f canon - >"$work/out" || complain "not from a pipe"
cmp -s "$work/whole" "$work/out" || complain "something else is read from a pipe"

run 0 raw "$work/good.bin"
cp "$work/out" "$work/text"
run 0 raw "$work/good.bin" -o "$work/text2"; silent out
cmp -s "$work/text" "$work/text2" || complain "raw -o writes something else"
run 0 raw --assemble "$work/text" -o "$work/again.bin"
cmp -s "$work/good.bin" "$work/again.bin" || complain "raw and back is something else"
printf 'Trace Go1.26\nNonsense\n' >"$work/text"
run 1 raw -a "$work/text" -o "$work/again.bin"
said err "$work/text: line 2: no event of version 1.26 is named Nonsense"
if [ -w /dev/full ]; then
    "$weft" events "$work/good.bin" >/dev/full 2>"$work/err" && complain "a full disk is not noticed"
    said err "weft: cannot write: .*"
fi

run 2; grep -q '^Usage: weft COMMAND' "$work/err" || complain "no usage"
run 2 nonsense
run 2 validate
run 2 validate a b
run 2 validate --nonsense a
run 2 events --format nonsense "$work/good.bin"
run 2 events --format
run 2 raw --assemble "$work/text"
run 0 --version
said out "weft [0-9]+\.[0-9]+\.[0-9]+"
run 0 --help; silent err
for command in validate events raw index; do
    grep -q "^  $command " "$work/out" || complain "--help does not list $command"
done
for command in validate events raw index; do
    run 0 $command --help; silent err
    grep -q "^Usage: weft $command" "$work/out" || complain "no help for $command"
done
exit $failed
