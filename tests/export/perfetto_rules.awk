# SPDX-License-Identifier: MIT
# Reads what protoc --decode makes of a Perfetto trace; prints each breach of the rules, and a summary.
# Fields that the schema does not know are printed as numbers, which is a breach as well.
function breach(why) { if (breaches++ < 10) print "packet " packets ": " why }
/^ *[0-9]+[: ]/ { breach("unknown field" $0) }
/^packet \{/ {
    packets++
    split("", event); event_names = 0
    path_track = path_event = path_interned = 0
    has_time = 0; kind = ""
    next
}
/^  track_descriptor \{/ { kind = "track"; next }
/^  track_event \{/ { kind = "event"; next }
/^  interned_data \{/ { section = "interned"; next }
/^  clock_snapshot \{/ { kind = "clock"; next }
/^  timestamp: / { time = $2; has_time = 1 }
/^  sequence_flags: / { flags = $2 }
kind == "track" && /^    uuid: / { uuid = $2; if (!(uuid in tracks)) count_tracks++; tracks[uuid] = 1 }
kind == "track" && /^    parent_uuid: / { if (!($2 in tracks)) breach("parent track " $2 " is not declared before") }
kind == "event" && /^    type: / { event["type"] = $2 }
kind == "event" && /^    track_uuid: / { event["track"] = $2 }
kind == "event" && /^    name_iid: / { event["name"] = $2 }
kind == "event" && /^    flow_ids: / { event["flow"] = $2 }
kind == "event" && /^    terminating_flow_ids: / { event["flow_end"] = $2 }
kind == "event" && /^    counter_value: / { event["value"] = $2 }
kind == "event" && /^      string_value_iid: / { event["text"] = $2 }
section == "interned" && /^    event_names \{/ { which = "name" }
section == "interned" && /^    debug_annotation_string_values \{/ { which = "text" }
section == "interned" && /^    debug_annotation_names \{/ { which = "key" }
section == "interned" && /^      iid: / {
    if ((which, $2) in interned)
        breach(which " " $2 " is interned twice")
    interned[which, $2] = 1
}
/^  \}/ && section == "interned" { section = "" }
/^\}/ {
    if (packets == 1 && flags != 1)
        breach("the first packet does not clear the state")
    if (kind != "event")
        next
    if (!has_time)
        breach("no time stamp")
    if (!(event["track"] in tracks))
        breach("track " event["track"] " is not declared")
    if ("name" in event && !(("name", event["name"]) in interned))
        breach("name " event["name"] " is not interned")
    if ("text" in event && !(("text", event["text"]) in interned))
        breach("text " event["text"] " is not interned")
    track = event["track"]
    if (track in last && time + 0 < last[track] + 0)
        breach("time goes back on track " track)
    last[track] = time
    if (event["type"] == "TYPE_SLICE_BEGIN") {
        depth[track]++
        slices++
        if (!("name" in event))
            breach("a slice without name")
    } else if (event["type"] == "TYPE_SLICE_END") {
        if (--depth[track] < 0)
            breach("an end without begin on track " track)
    } else if (event["type"] == "TYPE_INSTANT") {
        instants++
    } else if (event["type"] == "TYPE_COUNTER") {
        counters++
        if (!("value" in event))
            breach("a counter without value")
    } else {
        breach("type " event["type"])
    }
    if ("flow" in event)
        open[event["flow"]] = time
    if ("flow_end" in event) {
        if (!(event["flow_end"] in open))
            breach("flow " event["flow_end"] " ends but does not begin")
        else if (open[event["flow_end"]] + 0 > time + 0)
            breach("flow " event["flow_end"] " ends before it begins")
        flows++
    }
}
END {
    for (track in depth)
        if (depth[track] > 0)
            left++
    printf "%d packets, %d tracks, %d slices, %d instants, %d counters, %d flows; %d tracks with open slices\n", packets, count_tracks, slices, instants, counters, flows, left
    if (!packets || !slices)
        breach("nothing is there")
    exit breaches > 0
}
