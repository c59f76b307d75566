#!/bin/sh
# SPDX-License-Identifier: MIT
# weft query as a user meets it.
#
#   query.sh PROGRAM    a program linked with weft, which makes the trace
set -eu
program=$1
tool=$WEFT_TOOL
cd "$WEFT_TRACE_DIR"
failed=0
WEFT_TRACE=whole.trace WEFT_PROCS=2 "$program" >/dev/null

if "$tool" query whole.trace 'SELECT 1' 2>&1 | grep -q 'without SQLite'; then
    echo "SKIPPED: the tool was built without SQLite" >&2
    exit 77
fi

# expect STATUS command…: output in out, messages in err
expect() {
    want=$1
    shift
    what=$*
    status=0
    "$@" >out 2>err || status=$?
    if [ "$status" != "$want" ]; then
        echo "$what: exit status $status, not $want"
        cat err
        failed=1
    fi
}

# shows TEXT FILE: the file must be exactly the text
shows() {
    printf '%s\n' "$1" >wanted
    cmp -s wanted "$2" || { echo "$what: not as expected:"; diff wanted "$2" || true; failed=1; }
}

expect 0 "$tool" query --help
expect 0 "$tool" query --schema
grep -q '^intervals: ' out || { echo "no schema"; failed=1; }
expect 0 "$tool" query whole.trace "SELECT 1 AS one, 'b' AS text, NULL AS none, 0.5 AS half"
shows 'one  text  none  half
---  ----  ----  ----
  1  b            0.5' out
expect 0 "$tool" query --format csv whole.trace "SELECT 1 AS one, 'a, \"b\"' AS text, '' AS e, NULL AS n"
shows 'one,text,e,n
1,"a, ""b""","",' out
expect 0 "$tool" query --format jsonl whole.trace "SELECT 1 AS one, 'a \"b\"' AS text, NULL AS n; SELECT 2.5 AS x"
shows '{"one":1,"text":"a \"b\"","n":null}
{"x":2.5}' out
expect 0 "$tool" query --format json whole.trace "SELECT 1 AS one UNION SELECT 2"
shows '[
{"one":1},
{"one":2}
]' out
expect 0 "$tool" query - "SELECT count(*) > 10 AS n FROM events" --format csv <whole.trace
shows 'n
1' out
if command -v gzip >/dev/null && "$tool" summary --json - <whole.trace >/dev/null; then
    gzip -c whole.trace >packed
    expect 0 "$tool" query packed "SELECT count(*) > 10 AS n FROM events" --format csv
    shows 'n
1' out
fi
printf "SELECT 1 AS a;\n-- nothing\nSELECT 2 AS b;\n" >two.sql
expect 0 "$tool" query -f two.sql whole.trace --format csv
shows 'a
1
b
2' out
expect 0 "$tool" query -f - whole.trace --format csv <two.sql
printf 'SELECT 1;\n\nSELECT\n  nope FROM events;\n' >bad.sql
expect 1 "$tool" query -f bad.sql whole.trace
shows 'bad.sql: 4:3: no such column: nope' err
expect 1 "$tool" query whole.trace "SELECT * FROM nowhere"
shows 'SQL: statement at 1:1: no such table: nowhere' err
expect 1 "$tool" query whole.trace "DROP TABLE events"
expect 1 "$tool" query missing.trace "SELECT 1"
expect 1 "$tool" query two.sql "SELECT 1"
expect 2 "$tool" query whole.trace
expect 2 "$tool" query whole.trace "SELECT 1" "SELECT 2"
expect 2 "$tool" query whole.trace "SELECT 1" -f two.sql
expect 2 "$tool" query --format odd whole.trace "SELECT 1"
expect 2 "$tool" query -f - - </dev/null

size=$(wc -c <whole.trace)
head -c $((size * 2 / 3)) whole.trace >cut
expect 1 "$tool" query --format csv cut "SELECT count(*) AS n FROM generations"
grep -q incomplete err || { echo "a cut-off trace is not told"; failed=1; }
# Wider than what a table looks at first, and longer.
expect 0 "$tool" query whole.trace "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n"
[ "$(wc -l <out)" = 1002 ] || { echo "rows are missing: $(wc -l <out)"; failed=1; }
rm -f out err wanted cut packed *.sql
exit $failed
