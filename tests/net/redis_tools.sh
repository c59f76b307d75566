#!/bin/sh
# SPDX-License-Identifier: MIT
# redis_tools.sh COMMAND…: starts kv_server, traced, drives it with redis-cli and redis-benchmark (50 connections,
# pipelined and not), and ends it with SHUTDOWN. REQUESTS: number of requests for each command (5000).
set -eu
for tool in redis-cli redis-benchmark; do
    command -v $tool >/dev/null || {
        echo "SKIPPED: no $tool (Debian: redis-tools)" >&2
        exit 77
    }
done
dir=${WEFT_TRACE_DIR:-$(mktemp -d)}
requests=${REQUESTS:-5000}

WEFT_TRACE="$dir/kv_server.trace" "$@" --port 0 >"$dir/output" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
port=
for _ in $(seq 300); do
    port=$(sed -n 's/^listening on .*://p' "$dir/output")
    [ -z "$port" ] || break
    sleep 0.1
done
[ -n "$port" ] || { echo "the server does not say where it listens" >&2; exit 1; }

# expect REPLY ARGUMENT…: what redis-cli prints.
expect() {
    expected=$1
    shift
    reply=$(timeout 60 redis-cli -p "$port" "$@" 2>&1)
    [ "$reply" = "$expected" ] || { echo "redis-cli $*: expected '$expected', got '$reply'" >&2; exit 1; }
}
expect PONG ping
expect OK set key 'a value'
expect 'a value' get key
expect 2 lpush list one two
expect 'two
one' lrange list 0 -1
expect 1 del key
expect '' get key

# benchmark ARGUMENT…: prints the rates; an error reply ends it.
benchmark() {
    timeout 240 redis-benchmark -p "$port" -c 50 -n "$requests" -q "$@" >"$dir/benchmark" 2>&1 || {
        tr '\r' '\n' <"$dir/benchmark" >&2
        exit 1
    }
    tr '\r' '\n' <"$dir/benchmark" | grep 'requests per second'
    ! grep -i 'error from server' "$dir/benchmark" >&2
}
benchmark -t ping,set,get,incr,lpush,rpush,lpop,rpop,lrange_100,mset
benchmark -P 16 -r 10000 -t set,get,incr,lpush
benchmark -P 4 -d 4096 -r 1000 -t set,get

expect OK flushall
expect 0 dbsize
timeout 60 redis-cli -p "$port" shutdown nosave
wait "$server"
trap - EXIT
