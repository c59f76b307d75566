/* SPDX-License-Identifier: MIT */
#include "export/scene.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wire/events.h"

/* The counter of states is written at most this often, in ns. */
#define STATES_PERIOD 20000

/* A track on which one slice at most is under way. */
struct lane {
    struct scene_track track;
    uint64_t g; /* whose slice is under way, or WEFT_ID_NONE */
    int64_t last;
};

struct actor {
    uint64_t id;
    uint32_t name;    /* text that its track has */
    uint32_t regions; /* slices under way on its track of regions */
    uint64_t flow;    /* that ends when it runs next, or 0 */
    int64_t last, last_region;
    bool declared, has_regions;
};

struct scene {
    weft_reader *reader;
    struct analysis_intern *intern;
    const struct scene_sink *sink;
    void *context;
    struct analysis_timeline timeline;
    struct analysis_ids actor_of;
    READER_VEC(struct actor) actors;
    struct reader_map lane_of[SCENE_KINDS];
    READER_VEC(struct lane) lanes;
    struct scene_names names;
    uint64_t flows;
    uint64_t states[WEFT_SPENT_LIMIT];
    int64_t states_told, last;
    bool states_changed;
};

/* -------- names -------- */

uint32_t scene_state_name(struct scene_names *names, struct analysis_intern *intern,
                          const weft_stay *stay)
{
    uint64_t key = (uint64_t)stay->spent << 32 | stay->reason;
    uint32_t name = reader_map_find(&names->of, key);
    if (name != READER_ABSENT)
        return name;
    weft_text reason = analysis_intern_get(intern, stay->reason);
    char text[256];
    int size = snprintf(text, sizeof text, "%s%s%.*s", weft_spent_name(stay->spent),
                        reason.size ? ": " : "", reason.size > 200 ? 200 : (int)reason.size,
                        reason.size ? reason.data : "");
    name = reader_pool_add(&intern->texts, text, (size_t)size);
    return name != READER_ABSENT && reader_map_add(&names->of, key, name) ? name : READER_ABSENT;
}

void scene_names_fini(struct scene_names *names)
{
    reader_map_fini(&names->of);
}

static uint32_t fixed_name(struct scene *scene, const char *name)
{
    return reader_pool_add(&scene->intern->texts, name, strlen(name));
}

/* -------- tracks -------- */

static void declare(struct scene *scene, enum scene_kind kind, uint64_t id, const char *name,
                    size_t size, uint64_t parent)
{
    scene->sink->track(scene->context, (struct scene_track){kind, id}, (weft_text){name, size},
                       parent);
}

/* "P3", "M1234", or a fixed name. */
static void declare_lane(struct scene *scene, struct scene_track track)
{
    static const char *const runtime[] = {"Garbage collector", "Stop the world",
                                          "CPU samples of other threads"};
    char name[32];
    int size;
    if (track.kind == SCENE_RUNTIME)
        size = snprintf(name, sizeof name, "%s", runtime[track.id]);
    else
        size = snprintf(name, sizeof name, "%c%lld", track.kind == SCENE_PROC ? 'P' : 'M',
                        (long long)track.id);
    declare(scene, track.kind, track.id, name, (size_t)size, WEFT_ID_NONE);
}

/* The lane of a track, declared if it is new. NULL when memory is exhausted. */
static struct lane *lane_get(struct scene *scene, struct scene_track track)
{
    struct reader_map *map = &scene->lane_of[track.kind];
    uint32_t index = reader_map_find(map, track.id);
    if (index != READER_ABSENT)
        return &scene->lanes.at[index];
    if (!reader_map_add(map, track.id, scene->lanes.count))
        return NULL;
    struct lane *lane = READER_PUSH(&scene->lanes);
    if (!lane)
        return NULL;
    *lane = (struct lane){.track = track, .g = WEFT_ID_NONE, .last = INT64_MIN};
    declare_lane(scene, track);
    return lane;
}

static void lane_end(struct scene *scene, struct lane *lane, int64_t time)
{
    if (lane->g == WEFT_ID_NONE)
        return;
    lane->g = WEFT_ID_NONE;
    if (time > lane->last)
        lane->last = time;
    scene->sink->end(scene->context, lane->track, lane->last);
}

/* Begins a slice on a lane; what is under way there ends. */
static int lane_begin(struct scene *scene, struct scene_slice slice, uint64_t g)
{
    struct lane *lane = lane_get(scene, slice.track);
    if (!lane || slice.name == READER_ABSENT)
        return -ENOMEM;
    lane_end(scene, lane, slice.time);
    if (slice.time > lane->last)
        lane->last = slice.time;
    slice.time = lane->last;
    lane->g = g;
    scene->sink->begin(scene->context, &slice);
    return 0;
}

static int lane_leave(struct scene *scene, struct scene_track track, uint64_t g, int64_t time)
{
    uint32_t index = reader_map_find(&scene->lane_of[track.kind], track.id);
    if (index != READER_ABSENT && scene->lanes.at[index].g == g)
        lane_end(scene, &scene->lanes.at[index], time);
    return 0;
}

/* -------- goroutines -------- */

static struct actor *actor_get(struct scene *scene, uint64_t id)
{
    uint32_t index = analysis_ids_find(&scene->actor_of, id);
    if (index != READER_ABSENT)
        return &scene->actors.at[index];
    index = analysis_ids_add(&scene->actor_of, id);
    if (index == READER_ABSENT)
        return NULL;
    if (index == scene->actors.count && !READER_PUSH(&scene->actors))
        return NULL;
    scene->actors.at[index] = (struct actor){.id = id, .last = INT64_MIN, .last_region = INT64_MIN};
    return &scene->actors.at[index];
}

/* "G17 main.worker". */
static void declare_actor(struct scene *scene, struct actor *actor, uint32_t name)
{
    if (actor->declared && actor->name == name)
        return;
    char text[256];
    weft_text function = analysis_intern_get(scene->intern, name);
    int size = snprintf(text, sizeof text, "G%lld%s%.*s", (long long)actor->id,
                        function.size ? " " : "", function.size > 200 ? 200 : (int)function.size,
                        function.size ? function.data : "");
    declare(scene, SCENE_GOROUTINE, actor->id, text, (size_t)size, WEFT_ID_NONE);
    actor->declared = true;
    actor->name = name;
}

static int64_t not_before(int64_t *last, int64_t time)
{
    if (time > *last)
        *last = time;
    return *last;
}

static int begin_region(struct scene *scene, const weft_event *event)
{
    struct actor *actor = actor_get(scene, event->g);
    uint32_t name = analysis_intern_text(scene->intern, event->name);
    uint32_t stack = analysis_intern_stack(scene->intern, event->stack);
    if (!actor || name == READER_ABSENT || stack == READER_ABSENT)
        return -ENOMEM;
    declare_actor(scene, actor, actor->name);
    if (!actor->has_regions)
        declare(scene, SCENE_REGIONS, actor->id, "regions", 7, actor->id);
    actor->has_regions = true;
    actor->regions++;
    struct scene_slice slice = {{SCENE_REGIONS, actor->id},
                                not_before(&actor->last_region, event->time),
                                name,
                                stack,
                                WEFT_ID_NONE,
                                0};
    scene->sink->begin(scene->context, &slice);
    return 0;
}

static void end_region(struct scene *scene, struct actor *actor, int64_t time)
{
    if (!actor || !actor->regions)
        return;
    actor->regions--;
    scene->sink->end(scene->context, (struct scene_track){SCENE_REGIONS, actor->id},
                     not_before(&actor->last_region, time));
}

static struct actor *actor_find(struct scene *scene, uint64_t id)
{
    uint32_t index = analysis_ids_find(&scene->actor_of, id);
    return index == READER_ABSENT ? NULL : &scene->actors.at[index];
}

static int end_actor(struct scene *scene, uint64_t id, int64_t time)
{
    struct actor *actor = actor_find(scene, id);
    while (actor && actor->regions)
        end_region(scene, actor, time);
    return analysis_ids_remove(&scene->actor_of, id) ? 0 : -ENOMEM;
}

/* -------- stays -------- */

/* Who made it runnable shows an arrow to where it runs. */
static int wake(struct scene *scene, const weft_event *event)
{
    if (event->from != WEFT_STATE_WAITING || event->to != WEFT_STATE_RUNNABLE ||
        event->g == WEFT_ID_NONE || event->g == event->id)
        return 0;
    struct actor *woken = actor_get(scene, event->id), *waker = actor_find(scene, event->g);
    if (!woken)
        return -ENOMEM;
    if (!waker || !waker->declared || waker->last > event->time)
        return 0;
    woken->flow = ++scene->flows;
    scene->sink->flow(scene->context, event->g, not_before(&waker->last, event->time), woken->flow);
    return 0;
}

/* A system call that was under way names the proc of who tells of it. */
static bool on_proc(const weft_stay *stay)
{
    return stay->p != WEFT_ID_NONE && stay->spent != WEFT_SPENT_SYSCALL_BLOCKED &&
           (stay->begin_seen || stay->spent == WEFT_SPENT_RUNNING);
}

static int begin_stay(void *context, const weft_stay *stay)
{
    struct scene *scene = context;
    struct actor *actor = actor_get(scene, stay->g);
    uint32_t name = scene_state_name(&scene->names, scene->intern, stay);
    if (!actor || name == READER_ABSENT)
        return -ENOMEM;
    declare_actor(scene, actor, stay->name);
    struct scene_slice slice = {{SCENE_GOROUTINE, stay->g},
                                not_before(&actor->last, stay->begin),
                                name,
                                stay->stack,
                                WEFT_ID_NONE,
                                0};
    if (stay->spent == WEFT_SPENT_RUNNING) {
        slice.flow = actor->flow;
        actor->flow = 0;
    }
    scene->sink->begin(scene->context, &slice);
    scene->states[stay->spent]++;
    scene->states_changed = true;

    uint32_t shown = stay->name ? stay->name : fixed_name(scene, "goroutine");
    int status = 0;
    if (on_proc(stay))
        status = lane_begin(scene,
                            (struct scene_slice){
                                {SCENE_PROC, stay->p}, stay->begin, shown, stay->stack, stay->g, 0},
                            stay->g);
    if (!status && stay->m != WEFT_ID_NONE)
        status =
            lane_begin(scene,
                       (struct scene_slice){
                           {SCENE_THREAD, stay->m}, stay->begin, shown, stay->stack, stay->g, 0},
                       stay->g);
    return status;
}

static int end_stay(void *context, const weft_stay *stay)
{
    struct scene *scene = context;
    struct actor *actor = actor_find(scene, stay->g);
    if (actor)
        scene->sink->end(scene->context, (struct scene_track){SCENE_GOROUTINE, stay->g},
                         not_before(&actor->last, stay->end));
    scene->states[stay->spent]--;
    scene->states_changed = true;
    if (on_proc(stay))
        lane_leave(scene, (struct scene_track){SCENE_PROC, stay->p}, stay->g, stay->end);
    if (stay->m != WEFT_ID_NONE)
        lane_leave(scene, (struct scene_track){SCENE_THREAD, stay->m}, stay->g, stay->end);
    return 0;
}

static int transition(struct scene *scene, const weft_event *event)
{
    bool goroutine = event->resource == WEFT_RESOURCE_GOROUTINE;
    int status = goroutine ? wake(scene, event) : 0;
    if (!status)
        status = analysis_timeline_event(&scene->timeline, event);
    if (!status && goroutine && event->to == WEFT_STATE_NOT_EXIST)
        status = end_actor(scene, event->id, event->time);
    return status;
}

/* -------- tasks, ranges, metrics -------- */

static int begin_task(struct scene *scene, const weft_event *event)
{
    uint32_t name = analysis_intern_text(scene->intern, event->name);
    uint32_t stack = analysis_intern_stack(scene->intern, event->stack);
    struct reader_map *map = &scene->lane_of[SCENE_TASK];
    if (name == READER_ABSENT || stack == READER_ABSENT)
        return -ENOMEM;
    reader_map_remove(map, event->id);
    if (!reader_map_add(map, event->id, 0))
        return -ENOMEM;
    weft_text text = analysis_intern_get(scene->intern, name);
    bool inside =
        event->u.parent != WEFT_ID_NONE && reader_map_find(map, event->u.parent) != READER_ABSENT;
    declare(scene, SCENE_TASK, event->id, text.data, text.size,
            inside ? event->u.parent : WEFT_ID_NONE);
    scene->sink->begin(
        scene->context,
        &(struct scene_slice){{SCENE_TASK, event->id}, event->time, name, stack, event->g, 0});
    return 0;
}

static void end_task(struct scene *scene, const weft_event *event)
{
    struct reader_map *map = &scene->lane_of[SCENE_TASK];
    if (reader_map_find(map, event->id) == READER_ABSENT)
        return;
    reader_map_remove(map, event->id);
    scene->sink->end(scene->context, (struct scene_track){SCENE_TASK, event->id}, event->time);
}

/* Collections and stops of the world; sweeps and assists are the goroutines' own business. */
static int range(struct scene *scene, const weft_event *event)
{
    bool stop = event->wire == WIRE_EV_STW_BEGIN || event->wire == WIRE_EV_STW_END;
    if (event->resource != WEFT_RESOURCE_NONE && !stop)
        return 0;
    struct scene_track track = {SCENE_RUNTIME, stop ? SCENE_STOPS : SCENE_COLLECTOR};
    uint64_t key = stop ? event->id : 0;
    if (event->kind == WEFT_EVENT_RANGE_END)
        return lane_leave(scene, track, key, event->time);
    uint32_t index = reader_map_find(&scene->lane_of[SCENE_RUNTIME], track.id);
    if (event->kind == WEFT_EVENT_RANGE_ACTIVE && index != READER_ABSENT &&
        scene->lanes.at[index].g != WEFT_ID_NONE)
        return 0;
    uint32_t stack = analysis_intern_stack(scene->intern, event->stack);
    if (stack == READER_ABSENT)
        return -ENOMEM;
    return lane_begin(scene,
                      (struct scene_slice){track, event->time,
                                           analysis_intern_text(scene->intern, event->name), stack,
                                           event->g, 0},
                      key);
}

static void metric(struct scene *scene, const weft_event *event)
{
    const uint64_t value = event->u.value;
    if (event->wire == WIRE_EV_HEAP_ALLOC)
        scene->sink->counter(scene->context, SCENE_HEAP, event->time, &value);
    else if (event->wire == WIRE_EV_HEAP_GOAL)
        scene->sink->counter(scene->context, SCENE_HEAP_GOAL, event->time, &value);
    else if (event->wire == WIRE_EV_PROCS_CHANGE)
        scene->sink->counter(scene->context, SCENE_PROCS, event->time, &value);
}

static int sync(struct scene *scene, const weft_event *event)
{
    weft_sync details;
    analysis_intern_forget(scene->intern);
    weft_reader_sync(scene->reader, &details);
    if (details.has_clock)
        scene->sink->clock(scene->context,
                           &(struct scene_clock){details.trace_time, details.mono, details.wall_sec,
                                                 details.wall_nsec});
    return analysis_timeline_event(&scene->timeline, event);
}

static int write_log(struct scene *scene, const weft_event *event)
{
    uint32_t category = analysis_intern_text(scene->intern, event->name);
    struct actor *actor = actor_get(scene, event->g);
    if (!actor || category == READER_ABSENT)
        return -ENOMEM;
    declare_actor(scene, actor, actor->name);
    scene->sink->log(scene->context, event->g, not_before(&actor->last, event->time), category,
                     weft_reader_string(scene->reader, event->message));
    return 0;
}

static int sample(struct scene *scene, const weft_event *event)
{
    struct scene_track track = {SCENE_THREAD, event->m};
    if (event->m == WEFT_ID_NONE)
        track = (struct scene_track){SCENE_RUNTIME, SCENE_OTHER_THREADS};
    struct lane *lane = lane_get(scene, track);
    uint32_t stack = analysis_intern_stack(scene->intern, event->stack);
    if (!lane || stack == READER_ABSENT)
        return -ENOMEM;
    scene->sink->sample(scene->context, track, not_before(&lane->last, event->time), stack,
                        event->g);
    return 0;
}

/* -------- the whole -------- */

static int show_event(struct scene *scene, const weft_event *event)
{
    scene->last = event->time;
    switch (event->kind) {
    case WEFT_EVENT_SYNC:
        return sync(scene, event);
    case WEFT_EVENT_STATE_TRANSITION:
        return transition(scene, event);
    case WEFT_EVENT_REGION_BEGIN:
        return begin_region(scene, event);
    case WEFT_EVENT_REGION_END:
        end_region(scene, actor_find(scene, event->g), event->time);
        return 0;
    case WEFT_EVENT_TASK_BEGIN:
        return begin_task(scene, event);
    case WEFT_EVENT_TASK_END:
        end_task(scene, event);
        return 0;
    case WEFT_EVENT_RANGE_BEGIN:
    case WEFT_EVENT_RANGE_ACTIVE:
    case WEFT_EVENT_RANGE_END:
        return range(scene, event);
    case WEFT_EVENT_LOG:
        return write_log(scene, event);
    case WEFT_EVENT_METRIC:
        metric(scene, event);
        return 0;
    case WEFT_EVENT_STACK_SAMPLE:
        return sample(scene, event);
    default:
        return 0;
    }
}

/* Tells the number of goroutines in each state, but not too often. */
static void tell_states(struct scene *scene, bool now)
{
    int64_t since;
    if (!scene->states_changed ||
        (!now && !__builtin_sub_overflow(scene->last, scene->states_told, &since) &&
         since < STATES_PERIOD))
        return;
    scene->states_told = scene->last;
    scene->states_changed = false;
    scene->sink->counter(scene->context, SCENE_STATES, scene->last, scene->states);
}

/* Ends what is under way; tasks stay open. */
static int finish(struct scene *scene)
{
    tell_states(scene, true);
    int status = analysis_timeline_finish(&scene->timeline);
    for (uint32_t i = 0; i < scene->lanes.count; i++)
        lane_end(scene, &scene->lanes.at[i], scene->last);
    for (uint32_t i = 0; i < scene->actors.count; i++)
        while (scene->actors.at[i].regions)
            end_region(scene, &scene->actors.at[i], scene->last);
    return status;
}

static int show_all(struct scene *scene)
{
    weft_event event;
    int status, failed = 0;
    while (!failed && (status = weft_reader_next(scene->reader, &event)) == 1) {
        failed = show_event(scene, &event);
        tell_states(scene, false);
    }
    if (!failed)
        failed = finish(scene);
    return failed ? failed : status;
}

int scene_show(weft_reader *reader, struct analysis_intern *intern, const struct scene_sink *sink,
               void *context)
{
    struct scene *scene = calloc(1, sizeof *scene);
    if (!scene)
        return -ENOMEM;
    scene->reader = reader;
    scene->intern = intern;
    scene->sink = sink;
    scene->context = context;
    scene->states_told = INT64_MIN;
    analysis_ids_init(&scene->actor_of);
    int status = -ENOMEM;
    if (analysis_timeline_init(&scene->timeline, intern, begin_stay, end_stay, scene))
        status = show_all(scene);
    analysis_timeline_fini(&scene->timeline);
    analysis_ids_fini(&scene->actor_of);
    READER_VEC_FINI(&scene->actors);
    READER_VEC_FINI(&scene->lanes);
    for (unsigned i = 0; i < SCENE_KINDS; i++)
        reader_map_fini(&scene->lane_of[i]);
    scene_names_fini(&scene->names);
    free(scene);
    return status;
}
