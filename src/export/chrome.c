/* SPDX-License-Identifier: MIT */
/*
 * A scene as Chrome's JSON ("Trace Event Format", object form): each kind of track is a process,
 * each track a thread of it. Times are microseconds with three digits after the point. The clock is
 * the trace's; wall-clock readings are in "otherData".
 */
#include <errno.h>
#include <stdio.h>

#include <weft/export.h>

#include "export/output.h"
#include "export/scene.h"
#include "export/utf8.h"

struct chrome {
    struct export_output output;
    struct analysis_intern intern;
    bool follows, failed;
    READER_VEC(uint8_t) stacks; /* 1 for each that was named */
    bool processes[SCENE_KINDS + 2];
    bool has_clock;
    struct scene_clock clock; /* the first reading */
};

/* Where counters are. */
#define COUNTERS (SCENE_KINDS + 1)

/* -------- JSON -------- */

static void put(struct chrome *chrome, const char *text)
{
    export_put(&chrome->output, text, strlen(text));
}

/* A trace has millions of numbers, for which printf is too slow. */
static void put_digits(struct chrome *chrome, uint64_t number, unsigned least)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    while (sizeof digits - at < least)
        digits[--at] = '0';
    export_put(&chrome->output, digits + at, sizeof digits - at);
}

static void put_number(struct chrome *chrome, const char *before, uint64_t number)
{
    put(chrome, before);
    put_digits(chrome, number, 1);
}

static void put_time(struct chrome *chrome, int64_t time)
{
    uint64_t ns = time < 0 ? 0 - (uint64_t)time : (uint64_t)time;
    put_number(chrome, time < 0 ? ",\"ts\":-" : ",\"ts\":", ns / 1000);
    put(chrome, ".");
    put_digits(chrome, ns % 1000, 3);
}

static void put_character(struct chrome *chrome, const unsigned char *at, size_t length)
{
    char escape[8];
    if (length == 0) {
        put(chrome, "\xef\xbf\xbd");
    } else if (*at < 0x20) {
        snprintf(escape, sizeof escape, "\\u%04x", *at);
        put(chrome, escape);
    } else {
        if (*at == '"' || *at == '\\')
            put(chrome, "\\");
        export_put(&chrome->output, at, length);
    }
}

/* The inside of a string. */
static void put_escaped(struct chrome *chrome, weft_text text)
{
    const unsigned char *at = (const unsigned char *)text.data;
    for (size_t left = text.size; left > 0;) {
        size_t length = utf8_length(at, left), step = length ? length : 1;
        put_character(chrome, at, length);
        at += step;
        left -= step;
    }
}

static void put_string(struct chrome *chrome, const char *before, weft_text text)
{
    put(chrome, before);
    put(chrome, "\"");
    put_escaped(chrome, text);
    put(chrome, "\"");
}

/* -------- events -------- */

/* Begins an event; the members up to its track. Numbers of processes are not 0. */
static void begin_event(struct chrome *chrome, const char *phase, unsigned kind, uint64_t id)
{
    put(chrome, chrome->follows ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
    put(chrome, phase);
    put_number(chrome, "\",\"pid\":", kind + 1);
    put_number(chrome, ",\"tid\":", id);
    chrome->follows = true;
}

static void end_event(struct chrome *chrome)
{
    put(chrome, "}");
}

static void name_thing(struct chrome *chrome, const char *what, unsigned kind, uint64_t id,
                       weft_text name)
{
    begin_event(chrome, "M", kind, id);
    put(chrome, ",\"name\":\"");
    put(chrome, what);
    put_string(chrome, "\",\"args\":{\"name\":", name);
    put(chrome, "}");
    end_event(chrome);
}

static void name_process(struct chrome *chrome, unsigned kind)
{
    static const char *const names[] = {"Procs", "Threads", "Goroutines", "Regions",
                                        "Tasks", "Runtime", "",           "Counters"};
    if (chrome->processes[kind])
        return;
    chrome->processes[kind] = true;
    name_thing(chrome, "process_name", kind, 0, (weft_text){names[kind], strlen(names[kind])});
}

/* Tasks are asynchronous events, which need no track. */
static void sink_track(void *sink, struct scene_track track, weft_text name, uint64_t parent)
{
    (void)parent;
    name_process(sink, track.kind);
    if (track.kind != SCENE_TASK)
        name_thing(sink, "thread_name", track.kind, track.id, name);
}

/* Remembers that a stack was named, for the table of frames at the end. */
static void note_stack(struct chrome *chrome, uint32_t stack)
{
    while (stack >= chrome->stacks.count) {
        uint8_t *slot = READER_PUSH(&chrome->stacks);
        if (!slot) {
            chrome->failed = true;
            return;
        }
        *slot = 0;
    }
    chrome->stacks.at[stack] = 1;
}

/* A frame of a stack: its name in the table of frames. */
static void put_frame(struct chrome *chrome, const char *before, uint32_t stack, size_t index)
{
    put(chrome, before);
    put_number(chrome, "\"", stack);
    put_number(chrome, ".", index);
    put(chrome, "\"");
}

/* The functions of a stack, innermost first, for viewers that do not follow frames. */
static void put_functions(struct chrome *chrome, uint32_t stack)
{
    size_t depth = analysis_intern_depth(&chrome->intern, stack);
    for (size_t i = 0; i < depth; i++) {
        weft_place place;
        if (analysis_intern_place(&chrome->intern, stack, i, &place) != 0)
            break;
        if (i)
            put(chrome, "\\n");
        put_escaped(chrome, place.function);
    }
}

static void put_stack(struct chrome *chrome, uint32_t stack)
{
    if (!stack)
        return;
    note_stack(chrome, stack);
    put_frame(chrome, ",\"sf\":", stack, 0);
}

static void put_details(struct chrome *chrome, const struct scene_slice *slice)
{
    put_stack(chrome, slice->stack);
    if (slice->g != WEFT_ID_NONE) {
        put_number(chrome, ",\"args\":{\"goroutine\":", slice->g);
        put(chrome, "}");
    }
}

/* An arrow's end that is bound to the slice which begins or is under way there. */
static void put_flow(struct chrome *chrome, const char *phase, struct scene_track track,
                     int64_t time, uint64_t flow)
{
    begin_event(chrome, phase, track.kind, track.id);
    put_time(chrome, time);
    put(chrome, ",\"cat\":\"wake\",\"name\":\"wakes\"");
    if (*phase == 'f')
        put(chrome, ",\"bp\":\"e\"");
    put_number(chrome, ",\"id\":", flow);
    end_event(chrome);
}

/* The members that an asynchronous event is found by. */
static void put_task(struct chrome *chrome, uint64_t id)
{
    put_number(chrome, ",\"cat\":\"task\",\"id\":\"", id);
    put(chrome, "\"");
}

static void sink_begin(void *sink, const struct scene_slice *slice)
{
    struct chrome *chrome = sink;
    bool task = slice->track.kind == SCENE_TASK;
    begin_event(chrome, task ? "b" : "B", slice->track.kind, task ? 0 : slice->track.id);
    put_time(chrome, slice->time);
    if (task)
        put_task(chrome, slice->track.id);
    put_string(chrome, ",\"name\":", analysis_intern_get(&chrome->intern, slice->name));
    put_details(chrome, slice);
    end_event(chrome);
    if (slice->flow)
        put_flow(chrome, "f", slice->track, slice->time, slice->flow);
}

/* The end of an asynchronous event needs a name, but not that of the begin. */
static void sink_end(void *sink, struct scene_track track, int64_t time)
{
    struct chrome *chrome = sink;
    bool task = track.kind == SCENE_TASK;
    begin_event(chrome, task ? "e" : "E", track.kind, task ? 0 : track.id);
    put_time(chrome, time);
    if (task) {
        put_task(chrome, track.id);
        put(chrome, ",\"name\":\"\"");
    }
    end_event(chrome);
}

static void sink_log(void *sink, uint64_t g, int64_t time, uint32_t category, weft_text message)
{
    struct chrome *chrome = sink;
    begin_event(chrome, "i", SCENE_GOROUTINE, g);
    put_time(chrome, time);
    put_string(chrome, ",\"s\":\"t\",\"name\":", analysis_intern_get(&chrome->intern, category));
    put_string(chrome, ",\"args\":{\"message\":", message);
    put(chrome, "}");
    end_event(chrome);
}

static void sink_flow(void *sink, uint64_t g, int64_t time, uint64_t flow)
{
    put_flow(sink, "s", (struct scene_track){SCENE_GOROUTINE, g}, time, flow);
}

/*
 * An instant: sample events ("P") are shown by chrome://tracing alone, and of instants no viewer
 * shows the frames, but all show the arguments.
 */
static void sink_sample(void *sink, struct scene_track track, int64_t time, uint32_t stack,
                        uint64_t g)
{
    struct chrome *chrome = sink;
    begin_event(chrome, "i", track.kind, track.id);
    put_time(chrome, time);
    put(chrome, ",\"s\":\"t\",\"cat\":\"cpu\",\"name\":\"CPU sample\"");
    put_stack(chrome, stack);
    put(chrome, ",\"args\":{\"stack\":\"");
    put_functions(chrome, stack);
    put(chrome, "\"");
    if (g != WEFT_ID_NONE)
        put_number(chrome, ",\"goroutine\":", g);
    put(chrome, "}");
    end_event(chrome);
}

static void put_counter(struct chrome *chrome, const char *name, int64_t time)
{
    name_process(chrome, COUNTERS);
    begin_event(chrome, "C", COUNTERS, 0);
    put_time(chrome, time);
    put(chrome, ",\"name\":\"");
    put(chrome, name);
    put(chrome, "\",\"args\":{");
}

static void sink_counter(void *sink, enum scene_counter counter, int64_t time,
                         const uint64_t *values)
{
    static const char *const names[] = {"Heap", "Heap goal", "GOMAXPROCS", "Goroutines"};
    static const char *const units[] = {"\"bytes\":", "\"bytes\":", "\"procs\":"};
    struct chrome *chrome = sink;
    put_counter(chrome, names[counter], time);
    if (counter != SCENE_STATES)
        put_number(chrome, units[counter], values[0]);
    for (unsigned i = 0; counter == SCENE_STATES && i < WEFT_SPENT_LIMIT; i++) {
        put(chrome, i ? ",\"" : "\"");
        put(chrome, weft_spent_name(i));
        put_number(chrome, "\":", values[i]);
    }
    put(chrome, "}");
    end_event(chrome);
}

static void sink_clock(void *sink, const struct scene_clock *clock)
{
    struct chrome *chrome = sink;
    if (!chrome->has_clock)
        chrome->clock = *clock;
    chrome->has_clock = true;
}

/* -------- the whole -------- */

/* Frames name their callers: those of one stack are a chain. */
static void put_frames(struct chrome *chrome, uint32_t stack)
{
    size_t depth = analysis_intern_depth(&chrome->intern, stack);
    for (size_t i = 0; i < depth; i++) {
        weft_place place;
        if (analysis_intern_place(&chrome->intern, stack, i, &place) != 0)
            break;
        put_frame(chrome, chrome->follows ? ",\n" : "\n", stack, i);
        put_string(chrome, ":{\"category\":\"\",\"name\":", place.function);
        if (i + 1 < depth)
            put_frame(chrome, ",\"parent\":", stack, i + 1);
        put(chrome, "}");
        chrome->follows = true;
    }
}

static void put_tail(struct chrome *chrome)
{
    put(chrome, "\n],\"stackFrames\":{");
    chrome->follows = false;
    for (uint32_t i = 0; i < chrome->stacks.count; i++)
        if (chrome->stacks.at[i])
            put_frames(chrome, i);
    char text[256] = "";
    if (chrome->has_clock)
        snprintf(text, sizeof text,
                 "\"clock_ns\":%lld,\"monotonic_ns\":%llu,\"wall\":\"%lld.%09u\"",
                 (long long)chrome->clock.time, (unsigned long long)chrome->clock.mono,
                 (long long)chrome->clock.wall_sec, (unsigned)chrome->clock.wall_nsec);
    put(chrome, "\n},\"displayTimeUnit\":\"ns\",\"otherData\":{");
    put(chrome, text);
    put(chrome, "}}\n");
}

static int export_all(struct chrome *chrome, weft_reader *reader)
{
    static const struct scene_sink sink = {sink_track, sink_begin,  sink_end,     sink_log,
                                           sink_flow,  sink_sample, sink_counter, sink_clock};
    put(chrome, "{\"traceEvents\":[");
    int status = scene_show(reader, &chrome->intern, &sink, chrome);
    put_tail(chrome);
    if (chrome->failed)
        return -ENOMEM;
    int written = export_flush(&chrome->output);
    return written ? written : status;
}

int weft_export_chrome(weft_reader *reader, weft_write_fn write, void *context)
{
    struct chrome *chrome = calloc(1, sizeof *chrome);
    int status = -ENOMEM;
    if (!chrome)
        return status;
    chrome->output.write = write;
    chrome->output.context = context;
    if (analysis_intern_init(&chrome->intern, reader))
        status = export_all(chrome, reader);
    analysis_intern_fini(&chrome->intern);
    READER_VEC_FINI(&chrome->stacks);
    free(chrome);
    return status;
}
