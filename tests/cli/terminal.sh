#!/bin/sh
# SPDX-License-Identifier: MIT
# What a terminal gets, and nothing else does: progress, colours. script(1) makes the terminal.
#
#   terminal.sh PROGRAM    a program linked with weft, which makes the trace
set -eu
program=$1
tool=$WEFT_TOOL
cd "$WEFT_TRACE_DIR"
command -v script >/dev/null || { echo "SKIPPED: no script(1)" >&2; exit 77; }
failed=0
complain() { echo "$*"; failed=1; }
export TERM=xterm
unset NO_COLOR

WEFT_TRACE=whole.trace WEFT_PROCS=2 "$program" >/dev/null
half=$(($(wc -c <whole.trace) / 2))
mkfifo fifo

# on_terminal COMMAND: what the terminal gets, in screen. A trace in fifo comes in two halves, the second
# when there is a line of progress, or after patience tenths of a second.
on_terminal() {
    : >screen
    { head -c "$half" whole.trace
      tries=0
      while [ $tries -lt "$patience" ] && ! grep -q 'iB/s' screen; do sleep 0.1; tries=$((tries + 1)); done
      tail -c +$((half + 1)) whole.trace; } >fifo &
    status=0
    script -q -e -f -c "$1" screen >/dev/null </dev/null || status=$?
    kill $! 2>/dev/null || true
    wait || true
    [ $status = 0 ] || complain "$1: exit status $status"
    sed '/^Script /d' screen | tr -d '\r' >shown
}
erased=$(printf '\033[K')

patience=300
on_terminal "'$tool' validate -v fifo"
grep -q 'fifo: .* KiB, .* .*iB/s' screen || complain "no progress: $(cat -v screen)"
# The line is gone before the command says something.
grep -qF "${erased}fifo: valid: " shown || complain "the line stays: $(cat -v screen)"
on_terminal "'$tool' raw fifo | tail -n 1"
grep -q 'iB/s' screen || complain "no progress before a pipe: $(cat -v screen)"
patience=25
on_terminal "'$tool' validate -v fifo 2>errors"
[ ! -s errors ] && ! grep -q 'iB/s' screen || complain "progress where there is no terminal: $(cat -v errors screen)"
on_terminal "TERM=dumb '$tool' validate -v fifo"
! grep -q 'iB/s' screen || complain "progress on a terminal that cannot erase: $(cat -v screen)"

# Colours: of the live view, which needs the terminal.
patience=0
has_bold() { grep -qF "$(printf '\033[1m')" screen; }
on_terminal "'$tool' top -d 1000s fifo"
has_bold || complain "no colours: $(cat -v screen)"
on_terminal "NO_COLOR=1 '$tool' top -d 1000s fifo"
! has_bold || complain "colours despite NO_COLOR"
on_terminal "NO_COLOR= '$tool' top -d 1000s fifo"
has_bold || complain "an empty NO_COLOR is none"
on_terminal "TERM=dumb '$tool' top -d 1000s fifo"
! grep -q "$(printf '\033')" screen || complain "escapes for a terminal that knows none"
rm -f whole.trace* fifo screen shown errors
exit $failed
