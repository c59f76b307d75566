#!/bin/sh
# SPDX-License-Identifier: MIT
# lttng.sh PROGRAM: runs lttng_event in a session of its own that keeps the last events in memory (a daemon of its own,
# too, in a folder that goes away), then in one that writes to a file, which babeltrace2 reads if it is there:
# "babeltrace/rate" is events a second.
set -eu
program=$1
home=$(mktemp -d)
export LTTNG_HOME="$home" HOME="$home" LTTNG_UST_REGISTER_TIMEOUT=3000
daemon=
stop() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    [ -z "$daemon" ] || wait "$daemon" 2>/dev/null || true
    rm -rf "$home"
}
trap stop EXIT INT TERM

lttng-sessiond --no-kernel --quiet >/dev/null 2>&1 &
daemon=$!
tries=0
until lttng --quiet list >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || exit 1
    sleep 0.1
done

lttng --quiet create memory --snapshot >/dev/null
lttng --quiet enable-event -u weft_bench:event >/dev/null
lttng --quiet start >/dev/null
"$program" lttng/event
lttng --quiet destroy memory >/dev/null

command -v babeltrace2 >/dev/null || exit 0
lttng --quiet create file --output="$home/trace" >/dev/null
lttng --quiet enable-channel -u big --subbuf-size=4M --num-subbuf=8 >/dev/null
lttng --quiet enable-event -u -c big weft_bench:event >/dev/null
lttng --quiet start >/dev/null
"$program" lttng/event_to_file
lttng --quiet destroy file >/dev/null
count=$(babeltrace2 "$home/trace" --component=sink.utils.counter 2>/dev/null |
    awk '/Event messages/ { n = $1; gsub(/,/, "", n) } END { print n }')
begin=$(date +%s%N)
babeltrace2 "$home/trace" --component=sink.utils.dummy >/dev/null 2>&1
end=$(date +%s%N)
[ -z "$count" ] || awk "BEGIN { printf \"babeltrace/rate %.6g 1/s\\n\", $count / (($end - $begin) / 1e9) }"
