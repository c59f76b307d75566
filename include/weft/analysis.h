/* SPDX-License-Identifier: MIT */
#ifndef WEFT_ANALYSIS_H
#define WEFT_ANALYSIS_H

/*
 * Analyses of execution traces: where the time of goroutines and procs went, profiles of it by
 * stack, and the story of one goroutine. Each is an object that is given every event of a reader in
 * turn; several can be fed from one pass. None keeps events: memory grows with what the trace names
 * (live goroutines, groups, stacks), not with its length.
 *
 *     weft_summary *summary;
 *     int status = weft_summary_new(&summary, reader);
 *     while (status == 0 && (status = weft_reader_next(reader, &event)) == 1)
 *         status = weft_summary_event(summary, &event);
 *     if (weft_summary_finish(summary) == 0)
 *         use(weft_summary_totals(summary));
 *     weft_summary_free(summary);
 *
 * A trace that ends in an error can be finished all the same: the result covers what was sound.
 *
 * Invariants
 *  1. Times are in nanoseconds and never negative.
 *  2. The times that a goroutine spent add up to its end less its creation.
 *  3. Texts (names) are valid until the analysis is freed: they do not depend on generations.
 *
 * Threads: an analysis belongs to the thread of its reader. Functions that return int give 0 or
 * -ENOMEM unless they say otherwise; after -ENOMEM an analysis may only be freed.
 */

#include <weft/reader.h>

WEFT_BEGIN_DECLS

/* -------- durations -------- */

/* Buckets with a relative width of at most 1/16, for any duration that there is. */
#define WEFT_HISTOGRAM_BUCKETS 960

typedef struct weft_histogram {
    uint64_t count;
    int64_t sum, max;
    uint64_t buckets[WEFT_HISTOGRAM_BUCKETS];
} weft_histogram;

/* Counts a duration; a negative one counts as 0. The empty histogram is all zero. */
WEFT_API void weft_histogram_add(weft_histogram *histogram, int64_t duration);

/*
 * The least duration that at least the given share (0 to 1) of all does not exceed: the upper end
 * of its bucket, but not more than the maximum. 0 if there are none.
 */
WEFT_API int64_t weft_histogram_quantile(const weft_histogram *histogram, double share);

/* Durations that fall into bucket number index, from *low to *high inclusive. */
WEFT_API void weft_histogram_bucket(size_t index, int64_t *low, int64_t *high);

/* -------- goroutines -------- */

/* On what a goroutine spends its time. */
typedef enum weft_spent {
    WEFT_SPENT_RUNNING,
    WEFT_SPENT_RUNNABLE,        /* waiting for a proc */
    WEFT_SPENT_BLOCKED,         /* waiting for something else */
    WEFT_SPENT_SYSCALL,         /* in a system call, keeping its proc */
    WEFT_SPENT_SYSCALL_BLOCKED, /* in a system call, its proc taken by others */
    WEFT_SPENT_LIMIT
} weft_spent;

/* "running", "runnable", "blocked", "syscall", "syscall-blocked"; "" for an unknown number. */
WEFT_API const char *weft_spent_name(unsigned spent);

/* Time by a name: of a reason to block, or of a range. */
typedef struct weft_share {
    weft_text name;
    uint64_t count;
    int64_t time; /* sum */
    int64_t max;
} weft_share;

/* Shares, the largest time first; valid until the next call with the same analysis. */
typedef struct weft_shares {
    const weft_share *at;
    size_t count;
} weft_shares;

typedef struct weft_times {
    int64_t time[WEFT_SPENT_LIMIT];
    uint64_t count[WEFT_SPENT_LIMIT]; /* how often it was entered */
    int64_t max[WEFT_SPENT_LIMIT];    /* the longest single stay */
} weft_times;

/*
 * One goroutine. What was so when the trace began is counted from there on. The name is that of the
 * entry function, found in the first stack that the trace shows of the goroutine, or empty.
 */
typedef struct weft_goroutine_stats {
    uint64_t id, creator;            /* creator: WEFT_ID_NONE if it is not known */
    int64_t created, started, ended; /* started: first time running, INT64_MIN if never */
    int seen_created, seen_ended;    /* whether these happened within the trace */
    int is_system;                   /* of the runtime, not of the program */
    weft_text name;
    weft_times times;
    weft_shares blocked; /* by reason */
    weft_shares ranges;  /* sweeps, assists, stops of the world within the goroutine */
} weft_goroutine_stats;

/* Goroutines with one entry function. */
typedef struct weft_group_stats {
    weft_text name;
    uint64_t goroutines;
    int is_system;
    int64_t lifetime; /* sum */
    weft_times times;
    weft_shares blocked, ranges;
} weft_group_stats;

/* -------- summary of a whole trace -------- */

typedef struct weft_metric {
    uint64_t changes; /* 0: never reported, the others mean nothing */
    uint64_t first, last, least, most;
} weft_metric;

typedef struct weft_totals {
    int64_t begin, end; /* time of the first event and of the last */
    uint64_t events;
    uint64_t events_by_kind[WEFT_EVENT_KIND_LIMIT];
    uint64_t generations;
    uint64_t goroutines, goroutines_created, goroutines_ended, goroutines_live_most;
    uint64_t procs, threads;
    weft_times times;      /* of all goroutines */
    int64_t procs_running; /* sum over procs */
    int64_t procs_offered; /* number of procs allowed to run, summed over time */
    weft_metric max_procs, heap, heap_goal;
    uint64_t gc_cycles;
    weft_shares blocked; /* of all goroutines by reason */
    weft_shares ranges;  /* by name, whatever their scope */
    /* From runnable to running, where both were seen; without direct switches (coroutines). */
    const weft_histogram *latency;
} weft_totals;

typedef struct weft_summary weft_summary;

/* The reader must outlive the analysis. */
WEFT_API WEFT_MUST_USE int weft_summary_new(weft_summary **summary, const weft_reader *reader);

/*
 * Have each goroutine told when it ends, or at the end of the trace. The record holds during the
 * call. What the function returns other than 0 is returned by weft_summary_event or _finish.
 */
typedef int (*weft_goroutine_fn)(void *context, const weft_goroutine_stats *goroutine);
WEFT_API void weft_summary_each_goroutine(weft_summary *summary, weft_goroutine_fn function,
                                          void *context);

/* The next event of the reader. 0, -ENOMEM, or what the function of weft_summary_each_goroutine
 * returned. */
WEFT_API WEFT_MUST_USE int weft_summary_event(weft_summary *summary, const weft_event *event);

/* Ends all that is still under way, at the last event. Once, before asking for results. */
WEFT_API WEFT_MUST_USE int weft_summary_finish(weft_summary *summary);

/* The result for the whole trace; valid until the summary is freed. */
WEFT_API const weft_totals *weft_summary_totals(weft_summary *summary);

/* Groups by entry function, in no order. weft_summary_group gives 0, or -ERANGE. */
WEFT_API size_t weft_summary_groups(const weft_summary *summary);
WEFT_API int weft_summary_group(weft_summary *summary, size_t index, weft_group_stats *group);

/* NULL accepted. */
WEFT_API void weft_summary_free(weft_summary *summary);

/* -------- one goroutine -------- */

/* A frame whose texts last. */
typedef struct weft_place {
    uint64_t pc, line;
    weft_text function, file;
} weft_place;

/* A stay in one state. Memory grows with their number, which is that of one goroutine. */
typedef struct weft_interval {
    int64_t begin, end;
    uint64_t p;       /* where it ran, or WEFT_ID_NONE */
    uint64_t by;      /* who ended it: made a blocked goroutine runnable; or WEFT_ID_NONE */
    uint32_t stack;   /* where it began, for weft_watch_place; 0 if the trace does not say */
    uint8_t state;    /* weft_state */
    weft_text reason; /* for blocking or stopping */
} weft_interval;

/* Another goroutine and what the two did to each other. */
typedef struct weft_relation {
    uint64_t id;
    weft_text name;                /* entry function, as far as weft_watch_name was told */
    uint64_t woke_it, woken_by_it; /* times the watched one woke the other, and was woken */
    int created_it, created_by_it;
} weft_relation;

typedef struct weft_watch weft_watch;

/* The reader must outlive the watch. */
WEFT_API WEFT_MUST_USE int weft_watch_new(weft_watch **watch, const weft_reader *reader,
                                          uint64_t goroutine);
WEFT_API WEFT_MUST_USE int weft_watch_event(weft_watch *watch, const weft_event *event);

/* Give a relation its name; for a weft_goroutine_fn. */
WEFT_API WEFT_MUST_USE int weft_watch_name(weft_watch *watch, const weft_goroutine_stats *other);

/* Ends the last interval at the last event, if the goroutine still exists. */
WEFT_API void weft_watch_finish(weft_watch *watch);

/* In order of time; in order of first contact. Valid until the next event. */
WEFT_API const weft_interval *weft_watch_intervals(const weft_watch *watch, size_t *count);
WEFT_API const weft_relation *weft_watch_relations(const weft_watch *watch, size_t *count);

/* The stack of the goroutine itself when it was created, and of the creator then; 0 if unknown. */
WEFT_API uint32_t weft_watch_entry_stack(const weft_watch *watch);
WEFT_API uint32_t weft_watch_creation_stack(const weft_watch *watch);

/* Frames of a stack, 0 being the innermost. weft_watch_place gives 0, or -ERANGE. */
WEFT_API size_t weft_watch_depth(const weft_watch *watch, uint32_t stack);
WEFT_API int weft_watch_place(const weft_watch *watch, uint32_t stack, size_t index,
                              weft_place *place);

/* NULL accepted. */
WEFT_API void weft_watch_free(weft_watch *watch);

/* -------- profiles: time by stack -------- */

/*
 * What a profile counts. The first four are those of `go tool trace -pprof`, with equal totals:
 * each stay of a goroutine in a state, by the stack of the event that began it. A stay whose end is
 * not in the trace does not count.
 */
typedef enum weft_profile_kind {
    WEFT_PROFILE_NET,     /* blocked for the network */
    WEFT_PROFILE_SYNC,    /* blocked for a channel, select, lock or the like */
    WEFT_PROFILE_SYSCALL, /* in system calls */
    WEFT_PROFILE_SCHED,   /* runnable, but not running */
    WEFT_PROFILE_CPU,     /* CPU samples, each for weft_profile_period */
    WEFT_PROFILE_REGION,  /* user regions of one name, from begin to end */
    WEFT_PROFILE_KIND_LIMIT
} weft_profile_kind;

typedef struct weft_profile weft_profile;

/* One stack of a profile. */
typedef struct weft_sample {
    uint64_t count;
    int64_t time;           /* ns */
    const uint32_t *frames; /* numbers of frames, the innermost first */
    size_t depth;           /* 0 where the trace has no stack */
} weft_sample;

/* A frame of a profile: texts by number. */
typedef struct weft_profile_frame {
    uint64_t pc, line;
    uint32_t function, file;
} weft_profile_frame;

/* name is that of the regions and not used for other kinds. The reader must outlive the profile. */
WEFT_API WEFT_MUST_USE int weft_profile_new(weft_profile **profile, const weft_reader *reader,
                                            weft_profile_kind kind, const char *name);

/* Time that a CPU sample stands for: 10 ms, which is Go's usual rate, unless set here. Ns. */
WEFT_API void weft_profile_set_period(weft_profile *profile, int64_t period);
WEFT_API int64_t weft_profile_period(const weft_profile *profile);

/* The kind that it was made for. */
WEFT_API weft_profile_kind weft_profile_kind_get(const weft_profile *profile);
/* The next event of the reader. */
WEFT_API WEFT_MUST_USE int weft_profile_event(weft_profile *profile, const weft_event *event);

/* At the end of the trace, once, before asking for results. */
WEFT_API WEFT_MUST_USE int weft_profile_finish(weft_profile *profile);

/* Sums over all stacks. */
WEFT_API void weft_profile_total(const weft_profile *profile, uint64_t *count, int64_t *time);

/* From the first event to the last. */
WEFT_API int64_t weft_profile_duration(const weft_profile *profile);

/*
 * Numbers run from 0 to one below the count. A sample of a stack that nothing counted for has count
 * 0. What is returned is valid until the next event; functions that return int give 0 or -ERANGE.
 */
WEFT_API size_t weft_profile_samples(const weft_profile *profile);
WEFT_API int weft_profile_sample(const weft_profile *profile, size_t index, weft_sample *sample);
WEFT_API size_t weft_profile_frames(const weft_profile *profile);
WEFT_API int weft_profile_frame_get(const weft_profile *profile, size_t index,
                                    weft_profile_frame *frame);
WEFT_API size_t weft_profile_texts(const weft_profile *profile); /* 0 is the empty text */
WEFT_API weft_text weft_profile_text(const weft_profile *profile, size_t index);

/* NULL accepted. */
WEFT_API void weft_profile_free(weft_profile *profile);

WEFT_END_DECLS

#endif
