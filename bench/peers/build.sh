#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh BIN: builds into BIN the programs of those peers whose packages are installed, and says which are not.
here=$(cd "$(dirname "$0")" && pwd)
bin=$1
mkdir -p "$bin"
flags="-O2 -g -Wall -Wextra"
build() {
    name=$1
    shift
    # shellcheck disable=SC2086 # the flags are words
    "$@" $flags -o "$bin/$name" 2>"$bin/$name.log" || {
        rm -f "$bin/$name"
        echo "bench: $name cannot be built here (see $bin/$name.log): its figures are left out" >&2
    }
}
build boost_fiber "${CXX:-c++}" -std=c++17 "$here/boost_fiber.cpp" -lboost_fiber -lboost_context -pthread
build state_threads "${CC:-cc}" "$here/state_threads.c" -lst
build uv_echo "${CC:-cc}" "$here/uv_echo.c" -luv
build lttng_event "${CC:-cc}" -I"$here" "$here/lttng_event.c" -llttng-ust -ldl
command -v lttng-sessiond >/dev/null || rm -f "$bin/lttng_event"
cp "$here/lttng.sh" "$bin/"
