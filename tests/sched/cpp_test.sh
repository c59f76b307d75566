#!/bin/sh
# SPDX-License-Identifier: MIT
# cpp_test.sh SOURCE LIBRARY INCLUDE WORK: compiles a C++ program strictly, links it with the shared
# library and runs it.
set -eu
source=$1 library=$2 include=$3 work=$4
command -v c++ >/dev/null 2>&1 || { echo "C++ test: SKIPPED: no C++ compiler" >&2; exit 77; }
mkdir -p "$work"
c++ -std=c++17 -pedantic -Wall -Wextra -Werror -I"$include" "$source" "$library" \
    -Wl,-rpath,"$(dirname "$library")" -pthread -o "$work/cpp_test"
exec "$work/cpp_test"
