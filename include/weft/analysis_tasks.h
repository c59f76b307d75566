/* SPDX-License-Identifier: MIT */
#ifndef WEFT_ANALYSIS_TASKS_H
#define WEFT_ANALYSIS_TASKS_H

/*
 * What a program said of itself in its trace: tasks, regions and logs, with their latencies; and
 * the story of one task. Objects that are given every event of a reader in turn, as those of
 * analysis.h.
 *
 * Memory grows with the names, and with the tasks and regions under way at a time; that of a story
 * with the states of the goroutines which worked for its task, while they did.
 *
 * Invariants
 *  1. Times are in nanoseconds; points in time are on the clock of the trace.
 *  2. Texts are valid until the object is freed.
 *
 * Threads: an object belongs to the thread of its reader. Functions that return int give 0 or
 * -ENOMEM unless they say otherwise; after -ENOMEM an object may only be freed.
 */

#include <weft/critical_path.h>

WEFT_BEGIN_DECLS

/* -------- all of them -------- */

/* A task whose begin or end is in the trace; what is not there is replaced by the trace's own. */
typedef struct weft_task_record {
    uint64_t id, parent; /* parent: WEFT_ID_NONE if it has none, or its begin was not seen */
    weft_text type;
    int64_t begin, end;
    int seen_begin, seen_end;
    uint64_t goroutine, ended_by; /* WEFT_ID_NONE where not seen */
    uint64_t regions, logs;       /* of the task itself */
} weft_task_record;

/* A region, and what its goroutine spent its time on within. */
typedef struct weft_region_record {
    weft_text name;
    uint64_t task; /* 0: of no task */
    uint64_t goroutine;
    int64_t begin, end;
    int seen_begin, seen_end; /* seen_end: 0 if the goroutine or the trace ended first */
    int64_t spent[WEFT_SPENT_LIMIT];
    uint32_t stack; /* where it began, or ended if that was not seen */
} weft_region_record;

typedef struct weft_log_record {
    int64_t time;
    uint64_t task, goroutine;
    weft_text category, message;
    uint32_t stack;
} weft_log_record;

/* What has one name: a type of tasks, a name of regions, a category of logs. */
typedef struct weft_annotation_group {
    weft_text name;
    uint64_t count;                  /* all that were told */
    const weft_histogram *lengths;   /* of those that are there from begin to end; logs: empty */
    int64_t spent[WEFT_SPENT_LIMIT]; /* regions: sums of the same */
} weft_annotation_group;

typedef enum weft_annotation_kind {
    WEFT_ANNOTATION_TASK,
    WEFT_ANNOTATION_REGION,
    WEFT_ANNOTATION_LOG,
    WEFT_ANNOTATION_KIND_LIMIT
} weft_annotation_kind;

/*
 * Is told of each annotation: tasks and regions when they end, or at the end of the trace. The
 * record holds during the call. Returns 0, 1 for one that is not to count in the groups, or a
 * negative number which weft_annotations_event or _finish then returns.
 */
typedef struct weft_annotation_sink {
    int (*task)(void *context, const weft_task_record *task); /* each may be NULL */
    int (*region)(void *context, const weft_region_record *region);
    int (*log)(void *context, const weft_log_record *log);
    void *context;
} weft_annotation_sink;

typedef struct weft_annotations weft_annotations;

/* The reader must outlive the object. sink may be NULL, and is copied. */
WEFT_API WEFT_MUST_USE int weft_annotations_new(weft_annotations **annotations,
                                                const weft_reader *reader,
                                                const weft_annotation_sink *sink);
WEFT_API WEFT_MUST_USE int weft_annotations_event(weft_annotations *annotations,
                                                  const weft_event *event);

/* Ends all that is still under way, at the last event. Once, before asking for groups. */
WEFT_API WEFT_MUST_USE int weft_annotations_finish(weft_annotations *annotations);

/* In order of first occurrence. 0, or -ERANGE. */
WEFT_API int weft_annotations_group(const weft_annotations *annotations, weft_annotation_kind kind,
                                    size_t index, weft_annotation_group *group);

/* A frame of a stack, 0 being the innermost: 0, or -ERANGE. */
WEFT_API int weft_annotations_place(const weft_annotations *annotations, uint32_t stack,
                                    size_t index, weft_place *place);

/* NULL accepted. */
WEFT_API void weft_annotations_free(weft_annotations *annotations);

/* -------- the story of one task -------- */

typedef enum weft_moment_kind {
    WEFT_MOMENT_TASK,   /* a task that descends from this one */
    WEFT_MOMENT_REGION, /* of this task */
    WEFT_MOMENT_LOG,    /* of this task */
    WEFT_MOMENT_STATE,  /* of a goroutine that works for it */
    WEFT_MOMENT_KIND_LIMIT
} weft_moment_kind;

/* Something that lasts from begin to end, or happens at begin. */
typedef struct weft_moment {
    int64_t begin, end;
    uint64_t goroutine;
    uint64_t id;       /* TASK: its id; STATE: proc, or WEFT_ID_NONE */
    uint64_t parent;   /* TASK */
    weft_text name;    /* TASK: type; REGION: name; LOG: category; STATE: reason */
    weft_text message; /* LOG */
    uint32_t stack;
    uint8_t kind;  /* weft_moment_kind */
    uint8_t state; /* STATE: weft_path_kind */
    uint8_t ended; /* the end is within the task */
} weft_moment;

/*
 * A goroutine that works for the task: the one that began it, from then on; one with a region of
 * the task, during that; and those that either creates meanwhile, all their life. The runtime's own
 * do not count.
 */
typedef struct weft_worker {
    uint64_t goroutine;
    weft_text name;
    int64_t spent[WEFT_PATH_KIND_LIMIT]; /* by state, while it worked for the task */
} weft_worker;

typedef struct weft_story weft_story;

/* The story of the task with that number. The reader must outlive it. */
WEFT_API WEFT_MUST_USE int weft_story_new(weft_story **story, const weft_reader *reader,
                                          uint64_t task);
/* The next event of the reader. */
WEFT_API WEFT_MUST_USE int weft_story_event(weft_story *story, const weft_event *event);

/* At the end of the trace, once, before asking for results. -ENOENT: the task does not begin within
 * the trace. */
WEFT_API WEFT_MUST_USE int weft_story_finish(weft_story *story);

/* The task itself, and when the trace began. */
WEFT_API const weft_task_record *weft_story_task(const weft_story *story, int64_t *origin);

/* In order of their begin; in order of first work. */
WEFT_API const weft_moment *weft_story_moments(const weft_story *story, size_t *count);
WEFT_API const weft_worker *weft_story_workers(const weft_story *story, size_t *count);

/* A frame of a stack, 0 being the innermost: 0, or -ERANGE. */
WEFT_API int weft_story_place(const weft_story *story, uint32_t stack, size_t index,
                              weft_place *place);

/* NULL accepted. */
WEFT_API void weft_story_free(weft_story *story);

WEFT_END_DECLS

#endif
