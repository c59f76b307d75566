/* SPDX-License-Identifier: MIT */
/*
 * Tasks, regions and logs.
 *
 * Design: a summary runs along, for what goroutines spend within regions: a region notes what its
 * goroutine had spent when it began. Texts and stacks are numbered by the summary's intern. Regions
 * under way are a list for each goroutine, the innermost first, for they end in that order.
 */
#include <errno.h>
#include <string.h>

#include <weft/analysis_tasks.h>

#include "reader/analysis_summary.h"

struct open_task {
    uint64_t id, parent, goroutine, regions, logs;
    int64_t begin;
    uint32_t type;
    bool live, seen_begin;
};

struct open_region {
    uint64_t task;
    int64_t begin;
    int64_t spent[WEFT_SPENT_LIMIT]; /* by the goroutine, before */
    uint32_t name, stack, next;
};

struct annotation_group {
    uint32_t name;
    uint64_t count;
    weft_histogram *lengths;
    int64_t spent[WEFT_SPENT_LIMIT];
};

struct annotation_groups {
    READER_VEC(struct annotation_group) at;
    READER_VEC(uint32_t) of_text; /* text → group + 1 */
};

struct weft_annotations {
    weft_summary *summary;
    weft_annotation_sink sink;
    struct annotation_groups groups[WEFT_ANNOTATION_KIND_LIMIT];
    struct analysis_ids task_of, goroutine_of;
    READER_VEC(struct open_task) tasks;
    READER_VEC(struct open_region) regions;
    READER_VEC(uint32_t) innermost; /* of goroutines: region */
    READER_VEC(uint64_t) owners;    /* their ids; WEFT_ID_NONE where there is none */
    uint32_t free_region;
    bool finished;
};

int weft_annotations_new(weft_annotations **out, const weft_reader *reader,
                         const weft_annotation_sink *sink)
{
    weft_annotations *annotations = *out = calloc(1, sizeof *annotations);
    if (!annotations)
        return -ENOMEM;
    if (sink)
        annotations->sink = *sink;
    annotations->free_region = READER_ABSENT;
    analysis_ids_init(&annotations->task_of);
    analysis_ids_init(&annotations->goroutine_of);
    if (weft_summary_new(&annotations->summary, reader) == 0)
        return 0;
    weft_annotations_free(annotations);
    *out = NULL;
    return -ENOMEM;
}

static struct analysis_intern *intern(weft_annotations *annotations)
{
    return &annotations->summary->intern;
}

static weft_text text(weft_annotations *annotations, uint32_t number)
{
    return analysis_intern_get(intern(annotations), number);
}

/* -------- groups -------- */

static struct annotation_group *group_new(struct annotation_groups *groups, uint32_t name)
{
    weft_histogram *lengths = calloc(1, sizeof *lengths);
    struct annotation_group *group = lengths ? READER_PUSH(&groups->at) : NULL;
    if (!group) {
        free(lengths);
        return NULL;
    }
    *group = (struct annotation_group){.name = name, .lengths = lengths};
    groups->of_text.at[name] = groups->at.count;
    return group;
}

static struct annotation_group *group_get(struct annotation_groups *groups, uint32_t name)
{
    while (groups->of_text.count <= name) {
        uint32_t *slot = READER_PUSH(&groups->of_text);
        if (!slot)
            return NULL;
        *slot = 0;
    }
    uint32_t known = groups->of_text.at[name];
    return known ? &groups->at.at[known - 1] : group_new(groups, name);
}

/* Counts one for its group. length is negative where it is not known; spent may be NULL. */
static int count(weft_annotations *annotations, weft_annotation_kind kind, uint32_t name,
                 int64_t length, const int64_t *spent)
{
    struct annotation_group *group = group_get(&annotations->groups[kind], name);
    if (!group)
        return -ENOMEM;
    group->count++;
    if (length < 0)
        return 0;
    weft_histogram_add(group->lengths, length);
    for (unsigned i = 0; spent && i < WEFT_SPENT_LIMIT; i++)
        analysis_add(&group->spent[i], spent[i]);
    return 0;
}

/* -------- tasks -------- */

static uint32_t task_new(weft_annotations *annotations, const weft_event *event, bool begins)
{
    uint32_t type = analysis_intern_text(intern(annotations), event->name);
    uint32_t index =
        type == READER_ABSENT ? type : analysis_ids_add(&annotations->task_of, event->id);
    if (index == READER_ABSENT ||
        (index == annotations->tasks.count && !READER_PUSH(&annotations->tasks)))
        return READER_ABSENT;
    annotations->tasks.at[index] =
        (struct open_task){.id = event->id,
                           .parent = event->u.parent,
                           .goroutine = begins ? event->g : WEFT_ID_NONE,
                           .begin = begins ? event->time : annotations->summary->totals.begin,
                           .type = type,
                           .live = true,
                           .seen_begin = begins};
    return index;
}

/* Tells of a task and forgets it; ended is the event, or NULL at the end of the trace. */
static int task_end(weft_annotations *annotations, uint32_t index, const weft_event *ended)
{
    struct open_task *task = &annotations->tasks.at[index];
    weft_task_record record = {.id = task->id,
                               .parent = task->parent,
                               .type = text(annotations, task->type),
                               .begin = task->begin,
                               .end = annotations->summary->totals.end,
                               .seen_begin = task->seen_begin,
                               .seen_end = ended != NULL,
                               .goroutine = task->goroutine,
                               .ended_by = ended ? ended->g : WEFT_ID_NONE,
                               .regions = task->regions,
                               .logs = task->logs};
    task->live = false;
    if (!analysis_ids_remove(&annotations->task_of, task->id))
        return -ENOMEM;
    int status =
        annotations->sink.task ? annotations->sink.task(annotations->sink.context, &record) : 0;
    bool whole = record.seen_begin && record.seen_end;
    if (status == 0)
        status = count(annotations, WEFT_ANNOTATION_TASK, task->type,
                       whole ? analysis_span(record.begin, record.end) : -1, NULL);
    return status < 0 ? status : 0;
}

static int task_event(weft_annotations *annotations, const weft_event *event)
{
    bool begins = event->kind == WEFT_EVENT_TASK_BEGIN;
    uint32_t index = analysis_ids_find(&annotations->task_of, event->id);
    if (index == READER_ABSENT)
        index = task_new(annotations, event, begins);
    if (index == READER_ABSENT)
        return -ENOMEM;
    return begins ? 0 : task_end(annotations, index, event);
}

static struct open_task *task_of(weft_annotations *annotations, uint64_t id)
{
    uint32_t index =
        id == WEFT_ID_NONE ? READER_ABSENT : analysis_ids_find(&annotations->task_of, id);
    return index == READER_ABSENT ? NULL : &annotations->tasks.at[index];
}

/* -------- regions -------- */

/* The innermost region of a goroutine; NULL when memory is exhausted. */
static uint32_t *innermost(weft_annotations *annotations, uint64_t goroutine)
{
    uint32_t index = analysis_ids_find(&annotations->goroutine_of, goroutine);
    if (index != READER_ABSENT)
        return &annotations->innermost.at[index];
    index = analysis_ids_add(&annotations->goroutine_of, goroutine);
    if (index == READER_ABSENT ||
        (index == annotations->innermost.count &&
         (!READER_PUSH(&annotations->innermost) || !READER_PUSH(&annotations->owners))))
        return NULL;
    annotations->innermost.at[index] = READER_ABSENT;
    annotations->owners.at[index] = goroutine;
    return &annotations->innermost.at[index];
}

static int region_begin(weft_annotations *annotations, const weft_event *event)
{
    uint32_t *top = innermost(annotations, event->g);
    uint32_t index = annotations->free_region;
    if (index != READER_ABSENT)
        annotations->free_region = annotations->regions.at[index].next;
    else if (READER_PUSH(&annotations->regions))
        index = annotations->regions.count - 1;
    uint32_t name = analysis_intern_text(intern(annotations), event->name);
    uint32_t stack = analysis_intern_stack(intern(annotations), event->stack);
    if (!top || index == READER_ABSENT || name == READER_ABSENT || stack == READER_ABSENT)
        return -ENOMEM;
    struct open_region *region = &annotations->regions.at[index];
    *region = (struct open_region){
        .task = event->id, .begin = event->time, .name = name, .stack = stack, .next = *top};
    analysis_goroutine_spent(annotations->summary, event->g, event->time, region->spent);
    *top = index;
    struct open_task *task = task_of(annotations, event->id);
    if (task)
        task->regions++;
    return 0;
}

static int region_tell(weft_annotations *annotations, uint32_t name,
                       const weft_region_record *record)
{
    int status =
        annotations->sink.region ? annotations->sink.region(annotations->sink.context, record) : 0;
    bool whole = record->seen_begin && record->seen_end;
    if (status == 0)
        status = count(annotations, WEFT_ANNOTATION_REGION, name,
                       whole ? analysis_span(record->begin, record->end) : -1, record->spent);
    return status < 0 ? status : 0;
}

/* Ends the innermost region of a goroutine. */
static int region_end(weft_annotations *annotations, uint32_t *top, uint64_t goroutine,
                      int64_t time, bool seen)
{
    uint32_t index = *top;
    struct open_region *region = &annotations->regions.at[index];
    weft_region_record record = {.name = text(annotations, region->name),
                                 .task = region->task,
                                 .goroutine = goroutine,
                                 .begin = region->begin,
                                 .end = time,
                                 .seen_begin = 1,
                                 .seen_end = seen,
                                 .stack = region->stack};
    analysis_goroutine_spent(annotations->summary, goroutine, time, record.spent);
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++)
        record.spent[i] -= region->spent[i];
    *top = region->next;
    region->next = annotations->free_region;
    annotations->free_region = index;
    return region_tell(annotations, region->name, &record);
}

/* The end of a region that began before the trace: all of the goroutine's time was within. */
static int region_end_alone(weft_annotations *annotations, const weft_event *event)
{
    uint32_t name = analysis_intern_text(intern(annotations), event->name);
    uint32_t stack = analysis_intern_stack(intern(annotations), event->stack);
    if (name == READER_ABSENT || stack == READER_ABSENT)
        return -ENOMEM;
    weft_region_record record = {.name = text(annotations, name),
                                 .task = event->id,
                                 .goroutine = event->g,
                                 .begin = annotations->summary->totals.begin,
                                 .end = event->time,
                                 .seen_end = 1,
                                 .stack = stack};
    analysis_goroutine_spent(annotations->summary, event->g, event->time, record.spent);
    return region_tell(annotations, name, &record);
}

static int region_event(weft_annotations *annotations, const weft_event *event)
{
    if (event->kind == WEFT_EVENT_REGION_BEGIN)
        return region_begin(annotations, event);
    uint32_t index = analysis_ids_find(&annotations->goroutine_of, event->g);
    uint32_t *top = index == READER_ABSENT ? NULL : &annotations->innermost.at[index];
    if (!top || *top == READER_ABSENT)
        return region_end_alone(annotations, event);
    return region_end(annotations, top, event->g, event->time, true);
}

/* Regions end with their goroutine. */
static int goroutine_end(weft_annotations *annotations, uint64_t goroutine, int64_t time)
{
    uint32_t index = analysis_ids_find(&annotations->goroutine_of, goroutine);
    int status = 0;
    if (index == READER_ABSENT)
        return 0;
    while (annotations->innermost.at[index] != READER_ABSENT && !status)
        status = region_end(annotations, &annotations->innermost.at[index], goroutine, time, false);
    annotations->owners.at[index] = WEFT_ID_NONE;
    return status || analysis_ids_remove(&annotations->goroutine_of, goroutine) ? status : -ENOMEM;
}

/* -------- logs -------- */

static int log_event(weft_annotations *annotations, const weft_event *event)
{
    uint32_t category = analysis_intern_text(intern(annotations), event->name);
    uint32_t stack = analysis_intern_stack(intern(annotations), event->stack);
    if (category == READER_ABSENT || stack == READER_ABSENT)
        return -ENOMEM;
    weft_log_record record = {.time = event->time,
                              .task = event->id,
                              .goroutine = event->g,
                              .category = text(annotations, category),
                              .message =
                                  weft_reader_string(annotations->summary->reader, event->message),
                              .stack = stack};
    struct open_task *task = task_of(annotations, event->id);
    if (task)
        task->logs++;
    int status =
        annotations->sink.log ? annotations->sink.log(annotations->sink.context, &record) : 0;
    if (status == 0)
        status = count(annotations, WEFT_ANNOTATION_LOG, category, -1, NULL);
    return status < 0 ? status : 0;
}

/* -------- events -------- */

static int annotation_event(weft_annotations *annotations, const weft_event *event)
{
    switch (event->kind) {
    case WEFT_EVENT_TASK_BEGIN:
    case WEFT_EVENT_TASK_END:
        return task_event(annotations, event);
    case WEFT_EVENT_REGION_BEGIN:
    case WEFT_EVENT_REGION_END:
        return region_event(annotations, event);
    case WEFT_EVENT_LOG:
        return log_event(annotations, event);
    default:
        return 0;
    }
}

/* Regions of a goroutine that ends are told before the summary forgets it. */
int weft_annotations_event(weft_annotations *annotations, const weft_event *event)
{
    int status = 0;
    bool changes = event->kind == WEFT_EVENT_STATE_TRANSITION && event->from != event->to;
    if (changes && event->resource == WEFT_RESOURCE_GOROUTINE &&
        analysis_goroutine_ends(annotations->summary, event))
        status = goroutine_end(annotations, event->id, event->time);
    if (!status)
        status = weft_summary_event(annotations->summary, event);
    return status || changes ? status : annotation_event(annotations, event);
}

int weft_annotations_finish(weft_annotations *annotations)
{
    int status = 0;
    if (annotations->finished)
        return 0;
    annotations->finished = true;
    for (uint32_t i = 0; i < annotations->owners.count && !status; i++)
        if (annotations->owners.at[i] != WEFT_ID_NONE)
            status = goroutine_end(annotations, annotations->owners.at[i],
                                   annotations->summary->totals.end);
    for (uint32_t i = 0; i < annotations->tasks.count && !status; i++)
        if (annotations->tasks.at[i].live)
            status = task_end(annotations, i, NULL);
    return status;
}

/* -------- results -------- */

int weft_annotations_group(const weft_annotations *annotations, weft_annotation_kind kind,
                           size_t index, weft_annotation_group *group)
{
    if ((unsigned)kind >= WEFT_ANNOTATION_KIND_LIMIT || index >= annotations->groups[kind].at.count)
        return -ERANGE;
    const struct annotation_group *of = &annotations->groups[kind].at.at[index];
    *group = (weft_annotation_group){
        .name = analysis_intern_get(&annotations->summary->intern, of->name),
        .count = of->count,
        .lengths = of->lengths};
    memcpy(group->spent, of->spent, sizeof group->spent);
    return 0;
}

int weft_annotations_place(const weft_annotations *annotations, uint32_t stack, size_t index,
                           weft_place *place)
{
    return analysis_intern_place(&annotations->summary->intern, stack, index, place);
}

void weft_annotations_free(weft_annotations *annotations)
{
    if (!annotations)
        return;
    for (unsigned kind = 0; kind < WEFT_ANNOTATION_KIND_LIMIT; kind++) {
        struct annotation_groups *groups = &annotations->groups[kind];
        for (uint32_t i = 0; i < groups->at.count; i++)
            free(groups->at.at[i].lengths);
        READER_VEC_FINI(&groups->at);
        READER_VEC_FINI(&groups->of_text);
    }
    weft_summary_free(annotations->summary);
    analysis_ids_fini(&annotations->task_of);
    analysis_ids_fini(&annotations->goroutine_of);
    READER_VEC_FINI(&annotations->tasks);
    READER_VEC_FINI(&annotations->regions);
    READER_VEC_FINI(&annotations->innermost);
    READER_VEC_FINI(&annotations->owners);
    free(annotations);
}
