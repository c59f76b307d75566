#!/bin/sh
# SPDX-License-Identifier: MIT
# check_headers.sh INCLUDE: every public header compiles alone, strictly, as C11 and as C++17, and so do
# all of them in one program; every function declared there carries WEFT_API and has a comment; no type is
# declared twice.
set -eu
include=$1
status=0
command -v c++ >/dev/null 2>&1 || { echo "header test: SKIPPED: no C++ compiler" >&2; exit 77; }

# compiles TEXT: is it a strict C11 and a strict C++17 program?
compiles() {
    # One declaration more: a header of macros alone would be an empty translation unit.
    printf '%s\nextern int one;\n' "$1" |
        cc -std=c11 -pedantic -Wall -Wextra -Wstrict-prototypes -Werror -fsyntax-only -I"$include" -x c - || status=1
    printf '%s\n' "$1" |
        c++ -std=c++17 -pedantic -Wall -Wextra -Werror -fsyntax-only -I"$include" -x c++ - || status=1
}

# undocumented HEADER: its functions without a comment above them, in their paragraph: what stands between blank
# lines. Names that end in _ are private; the forms of calls in a context (…_ctx) are described together.
undocumented() {
    awk '/^[ \t]*$/ { commented = 0 }
        /\*\/[ \t]*$/ { commented = 1 }
        /^(WEFT_API|static inline) / && !/_(ctx)?\(/ && !commented { print FILENAME ":" FNR ": " $0 }' "$1"
}

all=
for header in "$include"/weft/*.h; do
    name=weft/$(basename "$header")
    all="$all#include <$name>
"
    compiles "#include <$name>"
    # A declaration at the start of a line that calls a weft_ name must carry the mark.
    bare=$(grep -nE '^[a-z_].*[ *]weft_[a-z0-9_]+\(' "$header" | grep -vE 'WEFT_API|typedef|static' || true)
    if [ -n "$bare" ]; then
        echo "$name: without WEFT_API: $bare" >&2
        status=1
    fi
done
compiles "$all"
for header in "$include"/weft/*.h "$include"/weft/*.hpp; do
    silent=$(undocumented "$header")
    if [ -n "$silent" ]; then
        printf 'without a comment:\n%s\n' "$silent" >&2
        status=1
    fi
done
# A compiler accepts two typedefs of one struct: of an opaque one and, unnoticed, of another's.
twice=$(sed -nE 's/^(typedef (struct|enum) [a-z0-9_]+|\}) (weft_[a-z0-9_]+);.*/\3/p' "$include"/weft/*.h | sort | uniq -d)
if [ -n "$twice" ]; then
    echo "types of more than one header: $twice" >&2
    status=1
fi
exit $status
