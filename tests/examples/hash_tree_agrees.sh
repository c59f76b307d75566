#!/bin/sh
# SPDX-License-Identifier: MIT
# hash_tree_agrees.sh TREE COMMAND…: `hash_tree --list TREE` says what sha256sum says.
set -eu
tree=$1
shift
export LC_ALL=C
(cd "$tree" && find . -type f | sed 's|^\./||' | sort | xargs -d '\n' sha256sum) |
    sort >"$WEFT_TRACE_DIR/expected"
for jobs in 1 7 200; do
    "$@" --list --jobs $jobs "$tree" 2>"$WEFT_TRACE_DIR/delay" | sort >"$WEFT_TRACE_DIR/got"
    diff "$WEFT_TRACE_DIR/expected" "$WEFT_TRACE_DIR/got" >&2
done
wc -l <"$WEFT_TRACE_DIR/got"
