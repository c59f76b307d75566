/* SPDX-License-Identifier: MIT */
/*
 * A scene as a stream of Perfetto's TracePackets. Source: perfetto.dev, "Synthetic track events";
 * tests/export/perfetto.proto has the part of the schema that is written here.
 *
 * Names, frames and stacks are written once, with a number, in the packet that needs them first
 * (interned data); all packets are of one sequence, so the numbers hold to the end.
 *
 * Rejected: CPU samples as packets of a profiler (PerfSample, StreamingProfilePacket). They are
 * those of threads of processes, which the trace does not tell, so the viewer would show them
 * apart from the threads' tracks, and their form is not a documented interface. An instant of the
 * thread's track with a call stack is; of those in a selection the viewer makes a flame graph.
 */
#include <errno.h>
#include <stdio.h>

#include <weft/export.h>

#include "export/protobuf.h"
#include "export/scene.h"
#include "export/utf8.h"

/* Numbers of fields. */
enum {
    TRACE_PACKET = 1,
    PACKET_CLOCKS = 6,
    PACKET_TIMESTAMP = 8,
    PACKET_SEQUENCE = 10,
    PACKET_EVENT = 11,
    PACKET_INTERNED = 12,
    PACKET_FLAGS = 13,
    PACKET_TRACK = 60,
    CLOCKS_CLOCK = 1,
    CLOCK_ID = 1,
    CLOCK_TIMESTAMP = 2,
    TRACK_UUID = 1,
    TRACK_NAME = 2,
    TRACK_PARENT = 5,
    TRACK_COUNTER = 8,
    COUNTER_UNIT = 3,
    EVENT_ANNOTATION = 4,
    EVENT_TYPE = 9,
    EVENT_NAME = 10,
    EVENT_TRACK = 11,
    EVENT_VALUE = 30,
    EVENT_FLOW = 47,
    EVENT_FLOW_END = 48,
    EVENT_STACK = 56,
    INTERNED_NAME = 2,
    INTERNED_KEY = 3,
    INTERNED_FUNCTION = 5,
    INTERNED_FRAME = 6,
    INTERNED_STACK = 7,
    INTERNED_FILE = 18,
    ENTRY_NUMBER = 1,
    ENTRY_TEXT = 2,
    FRAME_FUNCTION = 2,
    FRAME_FILE = 5,
    FRAME_LINE = 6,
    STACK_FRAME = 2,
    ANNOTATION_KEY = 1,
    ANNOTATION_UINT = 3,
    ANNOTATION_STRING = 6,
};

enum { TYPE_BEGIN = 1, TYPE_END = 2, TYPE_INSTANT = 3, TYPE_COUNTER = 4 };
enum { UNIT_COUNT = 2, UNIT_BYTES = 3 };
enum { FLAG_CLEARED = 1, FLAG_NEEDS_STATE = 2 };
enum { CLOCK_REALTIME = 1, CLOCK_MONOTONIC = 3, CLOCK_BOOTTIME = 6 };

/* Keys of annotations, interned under these numbers. */
enum { KEY_GOROUTINE = 1, KEY_MESSAGE, KEYS };
static const char *const keys[KEYS] = {"", "goroutine", "message"};

#define SEQUENCE 1

/* Tracks that others belong to, and counters: numbers beside those of enum scene_kind. */
enum { GROUP_TRACKS = 32, COUNTER_TRACKS = 64 };

/* Numbers that were written: 1 for each. */
struct seen {
    READER_VEC(uint8_t) numbers;
};

struct perfetto {
    struct export_output output;
    struct analysis_intern intern;
    struct protobuf packet, part, entry, interned;
    struct seen names, functions, files, frames, stacks; /* that were written */
    bool failed, groups[SCENE_KINDS], counters;
};

/* -------- packets -------- */

static uint64_t uuid_of(unsigned kind, uint64_t id)
{
    return (uint64_t)(kind + 1) << 56 ^ id;
}

static uint64_t uuid(struct scene_track track)
{
    return uuid_of(track.kind, track.id);
}

static void write_packet(struct perfetto *perfetto)
{
    struct protobuf *packet = &perfetto->packet;
    protobuf_number(packet, PACKET_SEQUENCE, SEQUENCE);
    perfetto->failed |= packet->failed;
    protobuf_write(&perfetto->output, TRACE_PACKET, packet->at, packet->size);
    packet->size = 0;
}

/* The first packet: from here on numbers of interned data hold. */
static void write_head(struct perfetto *perfetto)
{
    perfetto->interned.size = 0;
    for (unsigned i = 1; i < KEYS; i++) {
        perfetto->entry.size = 0;
        protobuf_number(&perfetto->entry, ENTRY_NUMBER, i);
        protobuf_bytes(&perfetto->entry, ENTRY_TEXT, keys[i], strlen(keys[i]));
        protobuf_part(&perfetto->interned, INTERNED_KEY, &perfetto->entry);
    }
    protobuf_number(&perfetto->packet, PACKET_FLAGS, FLAG_CLEARED);
    protobuf_part(&perfetto->packet, PACKET_INTERNED, &perfetto->interned);
    write_packet(perfetto);
}

/* -------- interned data -------- */

/* Marks a number as written. False if it was before, or memory is exhausted. */
static bool is_new(struct perfetto *perfetto, struct seen *seen, uint32_t number)
{
    while (number >= seen->numbers.count) {
        uint8_t *slot = READER_PUSH(&seen->numbers);
        if (!slot) {
            perfetto->failed = true;
            return false;
        }
        *slot = 0;
    }
    bool fresh = !seen->numbers.at[number];
    seen->numbers.at[number] = 1;
    return fresh;
}

/* What viewers read must be UTF-8. */
static void put_text(struct protobuf *message, unsigned field, weft_text text)
{
    protobuf_bytes(message, field, text.data, text.size);
    if (!message->failed)
        utf8_repair(message->at + message->size - text.size, text.size);
}

static void intern(struct perfetto *perfetto, unsigned field, uint64_t number, weft_text text)
{
    perfetto->entry.size = 0;
    protobuf_number(&perfetto->entry, ENTRY_NUMBER, number);
    put_text(&perfetto->entry, ENTRY_TEXT, text);
    protobuf_part(&perfetto->interned, field, &perfetto->entry);
}

/* The number of a text; it goes along if it is new. Numbers are not 0. */
static uint64_t text_number(struct perfetto *perfetto, struct seen *seen, unsigned field,
                            uint32_t text)
{
    if (is_new(perfetto, seen, text))
        intern(perfetto, field, (uint64_t)text + 1, analysis_intern_get(&perfetto->intern, text));
    return (uint64_t)text + 1;
}

/* For names of events. */
static uint64_t name_number(struct perfetto *perfetto, uint32_t name)
{
    return text_number(perfetto, &perfetto->names, INTERNED_NAME, name);
}

static void put_name(struct perfetto *perfetto, const char *name)
{
    uint32_t text = reader_pool_add(&perfetto->intern.texts, name, strlen(name));
    if (text == READER_ABSENT)
        perfetto->failed = true;
    else
        protobuf_number(&perfetto->part, EVENT_NAME, name_number(perfetto, text));
}

/* Frames have no mapping: the trace does not tell the program's modules. */
static void intern_frame(struct perfetto *perfetto, uint32_t index)
{
    const struct analysis_frame *frame = &perfetto->intern.frames.at[index];
    uint64_t function =
        text_number(perfetto, &perfetto->functions, INTERNED_FUNCTION, frame->function);
    uint64_t file = text_number(perfetto, &perfetto->files, INTERNED_FILE, frame->file);
    perfetto->entry.size = 0;
    protobuf_number(&perfetto->entry, ENTRY_NUMBER, (uint64_t)index + 1);
    protobuf_number(&perfetto->entry, FRAME_FUNCTION, function);
    protobuf_number(&perfetto->entry, FRAME_FILE, file);
    protobuf_number(&perfetto->entry, FRAME_LINE, (uint32_t)frame->line);
    protobuf_part(&perfetto->interned, INTERNED_FRAME, &perfetto->entry);
}

/* Outermost first. */
static void intern_stack(struct perfetto *perfetto, uint32_t stack)
{
    const struct analysis_stack *of = &perfetto->intern.stacks.at[stack];
    const uint32_t *frames = perfetto->intern.stack_frames.at + of->first;
    for (uint32_t i = 0; i < of->count; i++)
        if (is_new(perfetto, &perfetto->frames, frames[i]))
            intern_frame(perfetto, frames[i]);
    perfetto->entry.size = 0;
    protobuf_number(&perfetto->entry, ENTRY_NUMBER, stack);
    for (uint32_t i = of->count; i-- > 0;)
        protobuf_number(&perfetto->entry, STACK_FRAME, (uint64_t)frames[i] + 1);
    protobuf_part(&perfetto->interned, INTERNED_STACK, &perfetto->entry);
}

/* Stack 0 is none. */
static void put_stack(struct perfetto *perfetto, uint32_t stack)
{
    if (!stack)
        return;
    if (is_new(perfetto, &perfetto->stacks, stack))
        intern_stack(perfetto, stack);
    protobuf_number(&perfetto->part, EVENT_STACK, stack);
}

/* -------- events -------- */

static void begin_event(struct perfetto *perfetto, unsigned type, uint64_t track)
{
    perfetto->part.size = perfetto->interned.size = 0;
    protobuf_number(&perfetto->part, EVENT_TYPE, type);
    protobuf_number(&perfetto->part, EVENT_TRACK, track);
}

static void end_event(struct perfetto *perfetto, int64_t time)
{
    protobuf_number(&perfetto->packet, PACKET_TIMESTAMP, (uint64_t)time);
    protobuf_number(&perfetto->packet, PACKET_FLAGS, FLAG_NEEDS_STATE);
    protobuf_part(&perfetto->packet, PACKET_EVENT, &perfetto->part);
    if (perfetto->interned.size)
        protobuf_part(&perfetto->packet, PACKET_INTERNED, &perfetto->interned);
    perfetto->failed |= perfetto->interned.failed || perfetto->entry.failed;
    write_packet(perfetto);
}

static void put_goroutine(struct perfetto *perfetto, uint64_t g)
{
    if (g == WEFT_ID_NONE)
        return;
    perfetto->entry.size = 0;
    protobuf_number(&perfetto->entry, ANNOTATION_KEY, KEY_GOROUTINE);
    protobuf_number(&perfetto->entry, ANNOTATION_UINT, g);
    protobuf_part(&perfetto->part, EVENT_ANNOTATION, &perfetto->entry);
}

static void sink_begin(void *sink, const struct scene_slice *slice)
{
    struct perfetto *perfetto = sink;
    begin_event(perfetto, TYPE_BEGIN, uuid(slice->track));
    protobuf_number(&perfetto->part, EVENT_NAME, name_number(perfetto, slice->name));
    put_stack(perfetto, slice->stack);
    put_goroutine(perfetto, slice->g);
    if (slice->flow)
        protobuf_fixed64(&perfetto->part, EVENT_FLOW_END, slice->flow);
    end_event(perfetto, slice->time);
}

static void sink_end(void *sink, struct scene_track track, int64_t time)
{
    begin_event(sink, TYPE_END, uuid(track));
    end_event(sink, time);
}

static void sink_log(void *sink, uint64_t g, int64_t time, uint32_t category, weft_text message)
{
    struct perfetto *perfetto = sink;
    begin_event(perfetto, TYPE_INSTANT, uuid_of(SCENE_GOROUTINE, g));
    protobuf_number(&perfetto->part, EVENT_NAME, name_number(perfetto, category));
    perfetto->entry.size = 0;
    protobuf_number(&perfetto->entry, ANNOTATION_KEY, KEY_MESSAGE);
    put_text(&perfetto->entry, ANNOTATION_STRING, message);
    protobuf_part(&perfetto->part, EVENT_ANNOTATION, &perfetto->entry);
    end_event(perfetto, time);
}

static void sink_flow(void *sink, uint64_t g, int64_t time, uint64_t flow)
{
    struct perfetto *perfetto = sink;
    begin_event(perfetto, TYPE_INSTANT, uuid_of(SCENE_GOROUTINE, g));
    put_name(perfetto, "wakes");
    protobuf_fixed64(&perfetto->part, EVENT_FLOW, flow);
    end_event(perfetto, time);
}

static void sink_sample(void *sink, struct scene_track track, int64_t time, uint32_t stack,
                        uint64_t g)
{
    struct perfetto *perfetto = sink;
    begin_event(perfetto, TYPE_INSTANT, uuid(track));
    put_name(perfetto, "CPU sample");
    put_stack(perfetto, stack);
    put_goroutine(perfetto, g);
    end_event(perfetto, time);
}

/* -------- tracks -------- */

static void write_track(struct perfetto *perfetto, uint64_t number, weft_text name, uint64_t parent,
                        unsigned unit)
{
    perfetto->part.size = 0;
    protobuf_number(&perfetto->part, TRACK_UUID, number);
    put_text(&perfetto->part, TRACK_NAME, name);
    if (parent)
        protobuf_number(&perfetto->part, TRACK_PARENT, parent);
    if (unit) {
        perfetto->entry.size = 0;
        protobuf_number(&perfetto->entry, COUNTER_UNIT, unit);
        protobuf_part(&perfetto->part, TRACK_COUNTER, &perfetto->entry);
    }
    protobuf_part(&perfetto->packet, PACKET_TRACK, &perfetto->part);
    write_packet(perfetto);
}

/* The track that those of a kind belong to. */
static uint64_t group_of(struct perfetto *perfetto, enum scene_kind kind)
{
    static const char *const names[SCENE_KINDS] = {"Procs", "Threads", "Goroutines",
                                                   "",      "Tasks",   "Runtime"};
    uint64_t number = uuid_of(GROUP_TRACKS, kind);
    if (!perfetto->groups[kind])
        write_track(perfetto, number, (weft_text){names[kind], strlen(names[kind])}, 0, 0);
    perfetto->groups[kind] = true;
    return number;
}

static void sink_track(void *sink, struct scene_track track, weft_text name, uint64_t parent)
{
    struct perfetto *perfetto = sink;
    uint64_t above;
    if (track.kind == SCENE_REGIONS)
        above = uuid_of(SCENE_GOROUTINE, parent);
    else if (parent != WEFT_ID_NONE)
        above = uuid_of(track.kind, parent);
    else
        above = group_of(perfetto, track.kind);
    write_track(perfetto, uuid(track), name, above, 0);
}

/* -------- counters and clocks -------- */

static void declare_counters(struct perfetto *perfetto)
{
    static const char *const names[] = {"Heap", "Heap goal", "GOMAXPROCS"};
    for (unsigned i = 0; i < SCENE_STATES; i++)
        write_track(perfetto, uuid_of(COUNTER_TRACKS, i), (weft_text){names[i], strlen(names[i])},
                    0, i == SCENE_PROCS ? UNIT_COUNT : UNIT_BYTES);
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++) {
        char name[64];
        int size = snprintf(name, sizeof name, "Goroutines %s", weft_spent_name(i));
        write_track(perfetto, uuid_of(COUNTER_TRACKS, SCENE_STATES + i),
                    (weft_text){name, (size_t)size}, 0, UNIT_COUNT);
    }
}

static void sink_counter(void *sink, enum scene_counter counter, int64_t time,
                         const uint64_t *values)
{
    struct perfetto *perfetto = sink;
    unsigned count = counter == SCENE_STATES ? WEFT_SPENT_LIMIT : 1;
    if (!perfetto->counters)
        declare_counters(perfetto);
    perfetto->counters = true;
    for (unsigned i = 0; i < count; i++) {
        begin_event(perfetto, TYPE_COUNTER, uuid_of(COUNTER_TRACKS, counter + i));
        protobuf_number(&perfetto->part, EVENT_VALUE, values[i]);
        end_event(perfetto, time);
    }
}

static void put_clock(struct perfetto *perfetto, unsigned id, uint64_t time)
{
    perfetto->entry.size = 0;
    protobuf_number(&perfetto->entry, CLOCK_ID, id);
    protobuf_number(&perfetto->entry, CLOCK_TIMESTAMP, time);
    protobuf_part(&perfetto->part, CLOCKS_CLOCK, &perfetto->entry);
}

/* Time stamps without a clock of their own are of the one that Perfetto calls BOOTTIME. */
static void sink_clock(void *sink, const struct scene_clock *clock)
{
    struct perfetto *perfetto = sink;
    perfetto->part.size = 0;
    put_clock(perfetto, CLOCK_BOOTTIME, (uint64_t)clock->time);
    put_clock(perfetto, CLOCK_MONOTONIC, clock->mono);
    put_clock(perfetto, CLOCK_REALTIME, (uint64_t)clock->wall_sec * 1000000000 + clock->wall_nsec);
    protobuf_part(&perfetto->packet, PACKET_CLOCKS, &perfetto->part);
    write_packet(perfetto);
}

/* -------- the whole -------- */

static int export_all(struct perfetto *perfetto, weft_reader *reader)
{
    static const struct scene_sink sink = {sink_track, sink_begin,  sink_end,     sink_log,
                                           sink_flow,  sink_sample, sink_counter, sink_clock};
    write_head(perfetto);
    int status = scene_show(reader, &perfetto->intern, &sink, perfetto);
    if (perfetto->failed || perfetto->part.failed)
        return -ENOMEM;
    int written = export_flush(&perfetto->output);
    return written ? written : status;
}

int weft_export_perfetto(weft_reader *reader, weft_write_fn write, void *context)
{
    struct perfetto *perfetto = calloc(1, sizeof *perfetto);
    int status = -ENOMEM;
    if (!perfetto)
        return status;
    perfetto->output.write = write;
    perfetto->output.context = context;
    if (analysis_intern_init(&perfetto->intern, reader))
        status = export_all(perfetto, reader);
    analysis_intern_fini(&perfetto->intern);
    free(perfetto->packet.at);
    free(perfetto->part.at);
    free(perfetto->entry.at);
    free(perfetto->interned.at);
    struct seen *seen[] = {&perfetto->names, &perfetto->functions, &perfetto->files,
                           &perfetto->frames, &perfetto->stacks};
    for (unsigned i = 0; i < sizeof seen / sizeof *seen; i++)
        READER_VEC_FINI(&seen[i]->numbers);
    free(perfetto);
    return status;
}
