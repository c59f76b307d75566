#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh GOROOT BIN: builds every Go program here into BIN, without a network. Those under goroot/ import
# internal/trace, so an overlay places them inside the standard library without touching it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
GOROOT=$(cd "$1" && pwd -P)
mkdir -p "$2"
bin=$(cd "$2" && pwd)
export GOROOT GOTOOLCHAIN=local GOPROXY=off GOFLAGS= GOENV=off GOWORK=off GOTELEMETRY=off CGO_ENABLED=0 \
    HOME="$bin" GOCACHE="$bin/cache" GOPATH="$bin/gopath"
cd "$here"
"$GOROOT/bin/go" build -p 2 -o "$bin/" ./sched ./timers ./parked ./echo ./annot ./startstop ./stall ./gentrace
for name in tracestat traceread; do
    overlay=$bin/$name.overlay.json
    printf '{"Replace": {"%s": "%s"}}\n' "$GOROOT/src/cmd/weft_$name/main.go" "$here/goroot/$name/main.go" >"$overlay"
    (cd "$GOROOT/src/cmd" && "$GOROOT/bin/go" build -p 2 -overlay "$overlay" -o "$bin/$name" "cmd/weft_$name")
done
