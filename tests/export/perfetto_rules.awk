# SPDX-License-Identifier: MIT
# Reads what protoc --decode makes of a Perfetto trace; prints each breach of the rules, and a summary.
# Fields that the schema does not know are printed as numbers, which is a breach as well.
function breach(why) { if (breaches++ < 10) print "packet " packets ": " why }
# What a packet names must be known when it ends: its own interned data counts.
function needs(table, number) { needed[table, number] = table " " number }
/^ *[0-9]+[: ]/ { breach("unknown field" $0) }
/^packet \{/ {
    packets++
    split("", event); split("", needed)
    has_time = 0; kind = section = which = ""
    next
}
/^  track_descriptor \{/ { kind = "track"; next }
/^  track_event \{/ { kind = "event"; next }
/^  interned_data \{/ { section = "interned"; next }
/^  clock_snapshot \{/ { kind = "clock"; next }
/^  timestamp: / { time = $2; has_time = 1 }
/^  sequence_flags: / { flags = $2 }
/^  \}/ { section = "" }
kind == "track" && /^    uuid: / { if (!($2 in tracks)) count_tracks++; tracks[$2] = 1 }
kind == "track" && /^    parent_uuid: / { if (!($2 in tracks)) breach("parent track " $2 " is not declared before") }
section == "" && kind == "event" && /^    [a-z_]+: / { event[$1] = $2 }
section == "" && /^    name_iid: / { needs("event_names", $2) }
section == "" && /^    callstack_iid: / { needs("callstacks", $2) }
section == "" && /^      name_iid: / { needs("debug_annotation_names", $2) }
section == "" && /^      string_value: / { event["message"] = 1 }
section == "interned" && /^    [a-z_]+ \{/ { which = $1 }
section == "interned" && /^      iid: / {
    if ((which, $2) in interned)
        breach(which " " $2 " is interned twice")
    interned[which, $2] = 1
}
which == "frames" && /^      function_name_id: / { needs("function_names", $2) }
which == "frames" && /^      source_path_iid: / { needs("source_paths", $2) }
which == "callstacks" && /^      frame_ids: / { needs("frames", $2) }
/^\}/ {
    if (packets == 1 && flags != 1)
        breach("the first packet does not clear the state")
    for (key in needed)
        if (!(key in interned))
            breach(needed[key] " is not interned")
    if (kind != "event")
        next
    track = event["track_uuid:"]; type = event["type:"]
    group = int(track / 2 ^ 56) # as uuid_of() makes them
    if (!has_time)
        breach("no time stamp")
    if (!(track in tracks))
        breach("track " track " is not declared")
    if (track in last && time + 0 < last[track] + 0)
        breach("time goes back on track " track)
    last[track] = time
    if (type == "TYPE_SLICE_BEGIN") {
        depth[track]++
        slices[group]++
        if (!("name_iid:" in event))
            breach("a slice without name")
    } else if (type == "TYPE_SLICE_END") {
        if (--depth[track] < 0)
            breach("an end without begin on track " track)
    } else if (type == "TYPE_INSTANT") {
        if ("flow_ids:" in event)
            wakes++
        else if ("message" in event)
            logs++
        else
            samples++
        if ("callstack_iid:" in event)
            stacks++
    } else if (type == "TYPE_COUNTER") {
        counters++
        if (!("counter_value:" in event))
            breach("a counter without value")
    } else {
        breach("type " type)
    }
    if ("flow_ids:" in event) {
        if (event["flow_ids:"] in open)
            breach("flow " event["flow_ids:"] " begins twice")
        open[event["flow_ids:"]] = time
    }
    if ("terminating_flow_ids:" in event) {
        flow = event["terminating_flow_ids:"]
        if (!(flow in open))
            breach("flow " flow " ends but does not begin")
        else if (open[flow] + 0 > time + 0)
            breach("flow " flow " ends before it begins")
        else if (flow in closed)
            breach("flow " flow " ends twice")
        closed[flow] = 1
        flows++
    }
}
END {
    for (track in depth)
        if (depth[track] > 0 && int(track / 2 ^ 56) != 5)
            breach("slices stay open on track " track)
    if (!slices[3])
        breach("nothing is there")
    printf "%d states, %d regions, %d tasks, %d ranges, %d logs, %d samples, %d arrows, %d of them without end\n", slices[3], slices[4], slices[5], slices[6], logs, samples, wakes, wakes - flows
    printf "%d packets, %d tracks, %d counters, %d samples with stacks\n", packets, count_tracks, counters, stacks
    exit breaches > 0
}
