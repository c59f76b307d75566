#!/bin/sh
# SPDX-License-Identifier: MIT
# weft top in batch mode: on a trace that is complete, on one that is being written, through a pipe.
#
#   top.sh EXAMPLES
set -eu
examples=$1
tool=$WEFT_TOOL
cd "$WEFT_TRACE_DIR"
failed=0
complain() { echo "$*"; failed=1; }
pages() { grep -c 'of the trace, .* events$' "$1" || true; }

WEFT_TRACE=whole.trace WEFT_PROCS=2 "$examples/hog" >/dev/null
"$tool" top -n 1 -d 1000 whole.trace >out || complain "one page fails"
[ "$(pages out)" = 1 ] || complain "$(pages out) pages, not 1"
# One page over all: as many events, and the busy time that the summary has.
events=$("$tool" validate -v whole.trace | sed 's/.*valid: \([0-9]*\) events.*/\1/')
grep -q ", $events events\$" out || complain "not $events events: $(head -n 1 out)"
"$tool" top -n 3 -d 0.001 whole.trace >out || complain "three pages fail"
[ "$(pages out)" = 3 ] || complain "$(pages out) pages, not 3"
"$tool" top -n 100000 -d 1000 - <whole.trace >out || complain "the standard input fails"
[ "$(pages out)" = 1 ] || complain "a pipe's end is not the end"
grep -q "running" out || complain "no states"
[ -z "$(tr -d -c '\033' <out)" ] || complain "escapes in plain text"

# A file that grows: what comes later is read as well. The reader ends with the last page, not before.
size=$(wc -c <whole.trace)
head -c $((size / 2)) whole.trace >growing
"$tool" top -n 1 -d 30 growing >out &
tail -c +$((size / 2 + 1)) whole.trace >>growing
status=0
"$tool" top -n 1 -p $$ 2>err >/dev/null || status=$?
[ $status = 1 ] && grep -q 'writes no trace' err || complain "this shell writes no trace: $status, $(cat err)"
kill $! 2>/dev/null || true

# A process: found by what it has open.
exec 7<whole.trace
"$tool" top -n 1 -d 1000 -p $$ >out 2>err || complain "-p fails: $(cat err)"
[ "$(pages out)" = 1 ] || complain "-p: $(pages out) pages"
exec 7<&-
usage() {
    status=0
    "$tool" top "$@" >/dev/null 2>&1 || status=$?
    [ $status = 2 ] || complain "top $*: $status"
}
usage
usage -p 1 whole.trace
usage -n 0 whole.trace
usage -d soon whole.trace
usage -p nobody
status=0
"$tool" top -n 1 missing.trace 2>err || status=$?
[ $status = 1 ] || complain "no file: $status"
head -c $((size / 2)) whole.trace | "$tool" top -n 1000 - >out 2>err && complain "a cut-off pipe is not told"
rm -f out err growing whole.trace
exit $failed
