#!/bin/sh
# SPDX-License-Identifier: MIT
# check_headers.sh INCLUDE: every public header compiles alone, strictly, as C11 and as C++17; every
# function declared there carries WEFT_API.
set -eu
include=$1
status=0
command -v c++ >/dev/null 2>&1 || { echo "header test: SKIPPED: no C++ compiler" >&2; exit 77; }
for header in "$include"/weft/*.h; do
    name=weft/$(basename "$header")
    # One declaration more: a header of macros alone would be an empty translation unit.
    printf '#include <%s>\nextern int one;\n' "$name" |
        cc -std=c11 -pedantic -Wall -Wextra -Wstrict-prototypes -Werror -fsyntax-only -I"$include" -x c - || status=1
    echo "#include <$name>" |
        c++ -std=c++17 -pedantic -Wall -Wextra -Werror -fsyntax-only -I"$include" -x c++ - || status=1
    # A declaration at the start of a line that calls a weft_ name must carry the mark.
    bare=$(grep -nE '^[a-z_].*[ *]weft_[a-z0-9_]+\(' "$header" | grep -vE 'WEFT_API|typedef|static' || true)
    if [ -n "$bare" ]; then
        echo "$name: without WEFT_API: $bare" >&2
        status=1
    fi
done
exit $status
