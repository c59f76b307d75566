# SPDX-License-Identifier: MIT
# Reads the events of a trace in Chrome's JSON as columns, which jq makes of it: ph, pid, tid, ts, id,
# name, cat, s, bp, kinds of its args; "-" for a member that is not there. Prints each breach of the
# rules, and a summary.
BEGIN { FS = "\t" }
function breach(why) { if (breaches++ < 10) print "event " NR ": " why }
function needs(phases, column, name) {
    if (index(phases, $1) && $column == "-")
        breach($1 " without " name)
}
{
    track = $2 "/" $3
    if ($1 !~ /^[BEbeiCsfM]$/)
        breach("phase " $1)
    needs("BEbeiCsfM", 2, "pid")
    needs("BEbeiCsfM", 3, "tid")
    needs("BEbeiCsf", 4, "ts")
    needs("BbeiCsfM", 6, "name")
    needs("besf", 5, "id")
    needs("besf", 7, "cat")
    if ($1 == "i" && $8 != "t")
        breach("an instant without scope")
    if ($1 == "C" && $10 !~ /^(number )+$/)
        breach("a counter of " $10)
    if ($1 == "f" && $9 != "e")
        breach("an arrow's end that is not bound to its slice")
}
$1 == "M" { declared[track] = 1 }
$1 == "B" || $1 == "E" {
    if (!(track in declared))
        breach("track " track " has no name")
    if (track in last && $4 + 0 < last[track])
        breach("time goes back on track " track)
    last[track] = $4 + 0
    depth[track] += $1 == "B" ? 1 : -1
    if (depth[track] < 0)
        breach("an end without begin on track " track)
    slices += $1 == "B"
}
$1 == "B" && $2 == 3 { states++ }
$1 == "b" { begun[$5] = 1 }
$1 == "e" && !($5 in begun) { breach("task " $5 " ends but does not begin") }
$1 == "s" { from[$5] = $4 + 0 }
$1 == "f" {
    flows++
    if (!($5 in from) || from[$5] > $4 + 0)
        breach("arrow " $5 " does not begin before it ends")
}
END {
    for (track in depth)
        if (depth[track])
            breach("slices stay open on track " track)
    if (!slices)
        breach("nothing is there")
    printf "%d events, %d slices, %d of them states, %d arrows\n", NR, slices, states, flows
    exit breaches > 0
}
