# SPDX-License-Identifier: MIT
# Reads the events of a trace in Chrome's JSON as columns, which jq makes of it: ph, pid, tid, ts, id,
# name, cat, s, bp, kinds of its args; "-" for a member that is not there. Prints each breach of the
# rules, and a summary. The first line of that is the same for Perfetto's format.
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
$1 ~ /^[BEisf]$/ {
    if (!(track in declared))
        breach("track " track " has no name")
    if (track in last && $4 + 0 < last[track])
        breach("time goes back on track " track)
    last[track] = $4 + 0
}
$1 == "B" || $1 == "E" {
    depth[track] += $1 == "B" ? 1 : -1
    if (depth[track] < 0)
        breach("an end without begin on track " track)
}
$1 == "B" { slices[$2]++ }
$1 == "C" { counters++ }
$1 == "i" && $7 == "cpu" { samples++ }
$1 == "i" && $7 != "cpu" { logs++ }
$1 == "b" { tasks++; begun[$5] = 1 }
$1 == "e" && !($5 in begun) { breach("task " $5 " ends but does not begin") }
$1 == "s" {
    wakes++
    if ($5 in from)
        breach("arrow " $5 " begins twice")
    from[$5] = $4 + 0
}
$1 == "f" {
    flows++
    if (!($5 in from) || from[$5] > $4 + 0)
        breach("arrow " $5 " does not begin before it ends")
    if ($5 in to)
        breach("arrow " $5 " ends twice")
    to[$5] = 1
}
END {
    for (track in depth)
        if (depth[track])
            breach("slices stay open on track " track)
    if (!slices[3])
        breach("nothing is there")
    printf "%d states, %d regions, %d tasks, %d ranges, %d logs, %d samples, %d arrows, %d of them without end\n", slices[3], slices[4], tasks, slices[6], logs, samples, wakes, wakes - flows
    printf "%d events, %d counters\n", NR, counters
    exit breaches > 0
}
