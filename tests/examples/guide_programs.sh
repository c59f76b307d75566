#!/bin/sh
# SPDX-License-Identifier: MIT
# guide_programs.sh DOCUMENT LIBRARY INCLUDE CC: takes the programs (blocks ```c and ```cpp) and what they
# print (the block ```text below each) out of a document, compiles each program strictly, runs it
# traced into WEFT_TRACE_DIR, and compares.
set -eu
document=$1 library=$2 include=$3 cc=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# extract: NN.c or NN.cpp, and NN.text, into $work.
extract() {
    awk -v work="$work" '
        /^```/ && file { close(file); file = ""; next }
        /^```(c|cpp)$/ { n++; file = sprintf("%s/%02d.%s", work, n, substr($0, 4)); next }
        /^```text$/ { file = sprintf("%s/%02d.text", work, n); next }
        /^```/ { file = "/dev/null"; next }
        file { print > file }' "$document"
}

# compile SOURCE PROGRAM; status 77: there is no compiler for it.
compile() {
    case $1 in
    *.cpp)
        command -v c++ >/dev/null 2>&1 || return 77
        set -- c++ -std=c++17 "$@"
        ;;
    *) set -- "$cc" -std=gnu11 "$@" ;;
    esac
    compiler=$1 standard=$2 source=$3 program=$4
    "$compiler" "$standard" -Wall -Wextra -Werror -O1 -fno-omit-frame-pointer -I"$include" \
        "$source" "$library" -Wl,-rpath,"$(dirname "$library")" -pthread -o "$program"
}

# check SOURCE: it prints what the document says.
check() {
    program=${1%.*}
    name=$(basename "$program")
    [ -f "$program.text" ] || { echo "program $name: nothing says what it prints" >&2; return 1; }
    status=0
    compile "$1" "$program" || status=$?
    [ $status -ne 77 ] || { echo "program $name: SKIPPED: no C++ compiler" >&2; return 0; }
    [ $status -eq 0 ] || { echo "program $name does not compile" >&2; return 1; }
    WEFT_TRACE=$WEFT_TRACE_DIR/$name.trace timeout 60 "$program" >"$program.out" || status=$?
    [ $status -eq 0 ] || { echo "program $name ended with $status" >&2; return 1; }
    diff -u "$program.text" "$program.out" || { echo "program $name prints something else" >&2; return 1; }
}

extract
failed=0 n=0
for source in "$work"/*.c "$work"/*.cpp; do
    [ -f "$source" ] || continue
    n=$((n + 1))
    check "$source" || failed=$((failed + 1))
done
[ $n -gt 0 ] || { echo "$document has no programs" >&2; exit 1; }
echo "$n programs of $document, $failed failed"
[ $failed -eq 0 ]
