#!/bin/sh
# SPDX-License-Identifier: MIT
# pictures.sh TOOLS COMMAND…: runs it (examples/requests) traced, and makes the pictures of docs/tracing.md from that
# trace. Each is well-formed, tells what it shows in words, and shows something.
set -eu
tools=$1
shift
skip() {
    echo "pictures.sh: SKIPPED: $*; no picture was made" >&2
    exit 77
}
command -v python3 >/dev/null 2>&1 || skip "python3 is missing"
trace=$WEFT_TRACE_DIR/requests.trace
WEFT_PROCS=2 WEFT_TRACE=$trace timeout 60 "$@"
"$WEFT_TOOL" query "$trace" "SELECT count(*) FROM tasks" >/dev/null || skip "this build has no weft query"
WEFT=$WEFT_TOOL "$tools/trace_pictures" "$trace" "$WEFT_TRACE_DIR/pictures"
for picture in timeline latency critical_path; do
    python3 - "$WEFT_TRACE_DIR/pictures/$picture.svg" <<'END'
import sys
import xml.etree.ElementTree as tree
name = sys.argv[1]
svg = "{http://www.w3.org/2000/svg}"
root = tree.parse(name).getroot()
assert root.get("role") == "img" and root.get("aria-labelledby") == "title desc", name
assert root.find(svg + "title").text and root.find(svg + "desc").text, name
assert len(root.findall(svg + "rect")) > 5, f"{name} shows next to nothing"
END
done
