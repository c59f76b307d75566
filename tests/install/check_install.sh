#!/bin/sh
# SPDX-License-Identifier: MIT
# check_install.sh BUILD WORK: installs BUILD into WORK/prefix and uses it as somebody else would, in C
# and C++, through pkg-config and through find_package. Programs that embed the tracer leave their
# traces in WORK/traces.
set -eu
build=$1 work=$2
here=$(cd "$(dirname "$0")" && pwd)
embedder=$here/../../examples/pool_trace.c
prefix=$work/prefix
for tool in cc c++ pkg-config cmake ninja; do
    command -v $tool >/dev/null 2>&1 || { echo "install test: SKIPPED: $tool is missing" >&2; exit 77; }
done

rm -rf "$work"
mkdir -p "$work/traces"
cmake --install "$build" --prefix "$prefix" >"$work/install.log" || { cat "$work/install.log" >&2; exit 1; }
# Moved after the installation: neither the .pc files nor the CMake package may hold the prefix.
mv "$prefix" "$work/moved"
prefix=$work/moved

pc=$(dirname "$(find "$prefix" -name weft.pc)")
libdir=$(dirname "$pc")
PKG_CONFIG_PATH=$pc
export PKG_CONFIG_PATH
! grep -r "$work" "$pc" "$libdir/cmake" >&2 || { echo "a package file holds the prefix" >&2; exit 1; }

try() {
    echo "+ $*"
    "$@"
}

# embeds PROGRAM: it writes a valid trace, and has the tracer alone in it, by whichever library.
embeds() {
    trace=$work/traces/$(basename "$1").trace
    LD_LIBRARY_PATH=$libdir try "$1" "$trace"
    try "$prefix/bin/weft" validate "$trace"
    if readelf -d "$1" | grep -F '[libweft.so' >&2 || nm "$1" | grep -w weft_run >&2; then
        echo "$1 has the runtime in it" >&2
        exit 1
    fi
}
# shellcheck disable=SC2046 # pkg-config prints words
{
    try cc -std=c11 -Wall -Werror "$here/consumer/consumer.c" -o "$work/pc_shared" $(pkg-config --cflags --libs weft)
    try c++ -std=c++17 -Wall -Werror "$here/consumer/consumer.cpp" -o "$work/pc_shared_cxx" $(pkg-config --cflags --libs weft)
    LD_LIBRARY_PATH=$libdir try "$work/pc_shared"
    LD_LIBRARY_PATH=$libdir try "$work/pc_shared_cxx"

    mkdir "$work/archives"
    cp "$libdir"/*.a "$work/archives"
    try cc -std=c11 "$here/consumer/consumer.c" -o "$work/pc_static" -L"$work/archives" \
        $(pkg-config --static --cflags --libs weft | tr ' ' '\n' | grep -v '^-L')
    try "$work/pc_static"
    [ "$(pkg-config --modversion weft)" = "$(pkg-config --modversion weft-reader)" ]

    try cc -std=gnu11 -Wall -Werror "$embedder" -o "$work/pc_trace_shared" $(pkg-config --cflags --libs weft-trace)
    embeds "$work/pc_trace_shared"
    try cc -std=gnu11 "$embedder" -o "$work/pc_trace_static" -L"$work/archives" \
        $(pkg-config --static --cflags --libs weft-trace | tr ' ' '\n' | grep -v '^-L')
    embeds "$work/pc_trace_static"
    try c++ -std=c++17 -Wall -Werror -fsyntax-only $(pkg-config --cflags weft-trace) \
        -include "$here/../../examples/one_lock_host.h" -x c++ /dev/null
    pkg-config --exists weft-recover
}

cmake -S "$here/consumer" -B "$work/cmake" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$work/cmake.log" 2>&1 ||
    { cat "$work/cmake.log" >&2; exit 1; }
cmake --build "$work/cmake" -j 2
for kind in '' _static _shared; do
    try "$work/cmake/consumer_c$kind"
    try "$work/cmake/consumer_cxx$kind"
    embeds "$work/cmake/embedder$kind"
done
try "$prefix/bin/weft" help >/dev/null

# Only the public interface leaves the shared libraries.
for library in "$libdir"/libweft*.so; do
    if nm -D --defined-only "$library" | awk '{print $3}' | grep -v '^weft_' >&2; then
        echo "$library exports more than weft_*" >&2
        exit 1
    fi
done
