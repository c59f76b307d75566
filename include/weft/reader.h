/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_H
#define WEFT_READER_H

/*
 * Reader of execution traces in the Go runtime's v2 format (header versions 1.22, 1.23, 1.25 and
 * 1.26): weft's own traces and those of Go programs.
 *
 * A reader turns the bytes into one totally ordered sequence of events. It holds one generation
 * (about a second of the traced program) in memory, whatever the size of the trace. It checks
 * everything that Go's reader checks and rejects what that rejects; an error names the rule, the
 * generation and the byte offset. No input makes it crash, hang or allocate more than a small
 * multiple of what it has read.
 *
 * Invariants
 *  1. Times of events strictly increase. A trace begins and ends with a WEFT_EVENT_SYNC.
 *  2. Handles of strings and stacks are valid until the next call that returns a WEFT_EVENT_SYNC,
 *     or until the reader is freed; stable ones (weft_reader_options) always until the latter.
 *     Handle 0 is the empty string and "no stack".
 *
 * Threads: a reader has no shared state; it may be used from any one thread at a time. No function
 * here needs the runtime, and all may be called on a goroutine (they may block in read(2)).
 *
 *     weft_reader *reader;
 *     weft_event event;
 *     int status = weft_reader_open_path(&reader, path);
 *     while (status >= 0 && (status = weft_reader_next(reader, &event)) == 1)
 *         use(&event);
 *     if (status < 0 && reader)
 *         fputs(weft_reader_error_get(reader)->message, stderr);
 *     weft_reader_free(reader);
 */

#include <stddef.h>
#include <stdint.h>

#include <weft/config.h>

WEFT_BEGIN_DECLS

typedef struct weft_reader weft_reader;

/* Handles, resolved by weft_reader_string and weft_reader_stack; see invariant 2. */
typedef uint32_t weft_string;
typedef uint32_t weft_stack;

/* "None" for the ids of threads, procs, goroutines and tasks. */
#define WEFT_ID_NONE UINT64_MAX

typedef enum weft_event_kind {
    WEFT_EVENT_SYNC,         /* start of a generation, and end of the trace */
    WEFT_EVENT_METRIC,       /* a quantity changed */
    WEFT_EVENT_LABEL,        /* a goroutine was labelled */
    WEFT_EVENT_STACK_SAMPLE, /* CPU profile sample; its context may contradict other events */
    WEFT_EVENT_RANGE_BEGIN,  /* a stop-the-world, sweep, … begins on a resource */
    WEFT_EVENT_RANGE_ACTIVE, /* … was under way already when the generation began */
    WEFT_EVENT_RANGE_END,
    WEFT_EVENT_TASK_BEGIN,
    WEFT_EVENT_TASK_END,
    WEFT_EVENT_REGION_BEGIN,
    WEFT_EVENT_REGION_END,
    WEFT_EVENT_LOG,
    WEFT_EVENT_STATE_TRANSITION, /* a goroutine or proc changed state, or told which it is in */
    WEFT_EVENT_EXPERIMENTAL,     /* an event of an experiment */
    WEFT_EVENT_KIND_LIMIT
} weft_event_kind;

typedef enum weft_resource {
    WEFT_RESOURCE_NONE, /* the whole program */
    WEFT_RESOURCE_GOROUTINE,
    WEFT_RESOURCE_PROC,
    WEFT_RESOURCE_THREAD
} weft_resource;

/* States of goroutines and procs. A proc uses UNDETERMINED, NOT_EXIST, RUNNING and IDLE only. */
typedef enum weft_state {
    WEFT_STATE_UNDETERMINED,
    WEFT_STATE_NOT_EXIST,
    WEFT_STATE_RUNNABLE, /* goroutines: ready, without a proc */
    WEFT_STATE_RUNNING,
    WEFT_STATE_WAITING, /* goroutines: blocked */
    WEFT_STATE_SYSCALL, /* goroutines: in a blocking call; counts as executing on its thread */
    WEFT_STATE_IDLE     /* procs */
} weft_state;

typedef struct weft_event {
    int64_t time; /* ns on the trace's clock */
    /* Scheduling context before the event: thread, proc and goroutine, or WEFT_ID_NONE. */
    uint64_t m, p, g;
    /* Stack of the context, 0 if there is none. */
    weft_stack stack;
    uint8_t kind; /* weft_event_kind */
    /* What the event is about: the resource of a transition, the scope of a range or label. */
    uint8_t resource; /* weft_resource */
    uint8_t from, to; /* STATE_TRANSITION: weft_state */
    uint64_t id; /* id of the resource; of the task (TASK, REGION, LOG); SYNC: number, from 1 */
    weft_string name;    /* METRIC, RANGE: name; LABEL: text; TASK, REGION: type; LOG: category;
                            STATE_TRANSITION: reason; EXPERIMENTAL: event's name */
    weft_string message; /* LOG: message; EXPERIMENTAL: experiment's name */
    uint8_t wire;        /* tag of the wire event that it came from; 0 for SYNC */
    uint8_t argc;        /* EXPERIMENTAL: valid entries of args; RANGE_END: valid attributes */
    weft_stack resource_stack; /* STATE_TRANSITION: stack of the resource, 0 if there is none */
    union {
        uint64_t value;  /* METRIC */
        uint64_t parent; /* TASK: parent task or WEFT_ID_NONE */
        struct {
            uint64_t bytes_swept, bytes_reclaimed;
        } sweep;          /* RANGE_END of a sweep, where argc is 2 */
        uint64_t args[3]; /* EXPERIMENTAL */
    } u;
} weft_event;

/* Why reading ended. Valid until the reader is freed. */
typedef struct weft_reader_error {
    const char *rule;    /* code of the rule of the format, such as "GEN-3"; "IO", "MEM" */
    uint64_t generation; /* 0 if none was reached */
    uint64_t offset;     /* bytes from the start of the trace */
    const char *message; /* one line, without the three above */
} weft_reader_error;

/* Bytes with a length; not terminated. */
typedef struct weft_text {
    const char *data;
    size_t size;
} weft_text;

typedef struct weft_frame {
    uint64_t pc;
    uint64_t line;
    weft_string function;
    weft_string file;
} weft_frame;

/* What a SYNC event says about clocks and experiments. */
typedef struct weft_sync {
    uint64_t number;
    int has_clock;      /* the fields below are set */
    int64_t trace_time; /* ns on the trace's clock, at the snapshot */
    uint64_t mono;      /* ns on the monotonic clock, at the same moment */
    int64_t wall_sec;   /* seconds since 1970, UTC */
    uint32_t wall_nsec; /* 0 to 999999999 */
    size_t batches;     /* experimental batches of the generation */
} weft_sync;

/* A batch of an experiment: bytes which the reader does not look into. */
typedef struct weft_batch {
    uint64_t experiment; /* 1 is AllocFree */
    uint64_t m;
    const void *data;
    size_t size;
} weft_batch;

/*
 * Something that a reader accepts because Go's reader does, though it is wrong: a number of
 * occurrences and the place of the first.
 */
typedef struct weft_reader_warning {
    uint64_t count;
    uint64_t generation; /* of the first */
    uint64_t offset;     /* of the first */
    const char *text;
} weft_reader_warning;

/*
 * Reads up to size bytes of the trace into data. Returns how many, 0 at the end, or a negative
 * errno value. It may return fewer than asked for.
 */
typedef ptrdiff_t (*weft_read_fn)(void *context, void *data, size_t size);

/*
 * Open a trace and read its header. Return 0, or a negative errno value; -EBADMSG says that the
 * header is not that of a trace. Whenever *reader is not set to NULL (out of memory), it explains
 * the failure through weft_reader_error_get and must be freed.
 * open_fd does not close the descriptor. Any thread.
 */
WEFT_API WEFT_MUST_USE int weft_reader_open_path(weft_reader **reader, const char *path);
WEFT_API WEFT_MUST_USE int weft_reader_open_fd(weft_reader **reader, int fd);
WEFT_API WEFT_MUST_USE int weft_reader_open_callback(weft_reader **reader, weft_read_fn read,
                                                     void *context);

/*
 * How a reader works. All zero but for the size is what a reader does that was not told.
 *
 * threads: how many take part, the caller's included. With 2 or more, batches are decoded ahead on
 * threads of the reader's own while the caller's orders them. Two threads are the most that pays:
 * decoding costs about half of what ordering does.
 *
 * max_memory: what depends on the input may take so many bytes, else reading ends with -ENOMEM
 * (rule "MEM"). It is checked before each allocation. A trace needs about the size of its largest
 * generation, and 100 bytes for each goroutine that lives. The buffers that every reader has, some
 * 300 KiB, do not count.
 *
 * stable_handles: equal strings, and stacks of equal frames, have the same handle in the whole
 * trace, and handles count from 0, so that arrays can be indexed by them. Memory grows with the
 * different texts and stacks of the trace.
 *
 * on_free: called with context when the reader is freed, for what belongs to its input.
 */
typedef struct weft_reader_options {
    size_t size; /* sizeof(weft_reader_options) */
    unsigned threads;
    size_t max_memory; /* 0: no limit */
    int stable_handles;
    void (*on_free)(void *context);
    void *context;
} weft_reader_options;

#define WEFT_READER_MAX_THREADS 64

/*
 * Sets the options of a reader that was opened and has not given an event yet. Returns 0, or
 * -EINVAL, -ENOMEM, -EBUSY when it is too late, -EAGAIN when no thread can be started (the other
 * options hold then, and the reader works on one thread).
 */
WEFT_API WEFT_MUST_USE int weft_reader_configure(weft_reader *reader,
                                                 const weft_reader_options *options);

/* For what reads a trace more than once: opens it anew, at its start, as the functions above do. */
typedef int (*weft_open_fn)(void *context, weft_reader **reader);

/*
 * The next event: 1 and *event, 0 at the end, or a negative errno value: -EBADMSG for a malformed
 * or inconsistent trace, -ENOMEM, or what reading gave. After an end or an error it goes on
 * returning the same.
 */
WEFT_API WEFT_MUST_USE int weft_reader_next(weft_reader *reader, weft_event *event);

/* The error behind the last negative result, or one with empty texts. */
WEFT_API const weft_reader_error *weft_reader_error_get(const weft_reader *reader);

/* NULL accepted. */
WEFT_API void weft_reader_free(weft_reader *reader);

/* Number behind "1." in the trace's header: 22, 23, 25 or 26. */
WEFT_API unsigned weft_reader_version(const weft_reader *reader);

/* Number of the generation that the last event belongs to; 0 before the first. */
WEFT_API uint64_t weft_reader_generation(const weft_reader *reader);

/* Generations opened so far. */
WEFT_API uint64_t weft_reader_generations(const weft_reader *reader);

/* Where in the trace the wire event stands that the last event came from. */
WEFT_API uint64_t weft_reader_event_offset(const weft_reader *reader);

/* Bytes of the trace read so far. */
WEFT_API uint64_t weft_reader_offset(const weft_reader *reader);

/* The text of a handle; empty for 0 and for a handle that is not valid. */
WEFT_API weft_text weft_reader_string(const weft_reader *reader, weft_string string);

/* Frames of a stack; 0 for handle 0 and for a handle that is not valid. */
WEFT_API size_t weft_reader_stack_depth(const weft_reader *reader, weft_stack stack);

/* A frame, 0 being the innermost. Returns 0, or -ERANGE and an empty frame. */
WEFT_API int weft_reader_stack_frame(const weft_reader *reader, weft_stack stack, size_t index,
                                     weft_frame *frame);

/* Details of the SYNC event returned last. */
WEFT_API void weft_reader_sync(const weft_reader *reader, weft_sync *sync);

/* An experimental batch of the generation that the last SYNC opened. 0, or -ERANGE. */
WEFT_API int weft_reader_batch(const weft_reader *reader, size_t index, weft_batch *batch);

/* The index-th kind of warning met so far. Returns 1, or 0 if there are no more. */
WEFT_API int weft_reader_warning_get(const weft_reader *reader, size_t index,
                                     weft_reader_warning *warning);

/* Name of an argument of an EXPERIMENTAL event, or "" for an index out of range. */
WEFT_API const char *weft_event_arg_name(const weft_event *event, size_t index);

/* Names for texts: "StateTransition", "Running", "Goroutine"; "" for an unknown number. */
WEFT_API const char *weft_event_kind_name(unsigned kind);
WEFT_API const char *weft_state_name(unsigned state);
WEFT_API const char *weft_resource_name(unsigned resource);

/*
 * Strict validator: a second state machine over the events of a reader, independent of the one that
 * orders them. Every trace that weft writes passes it. Give it each event in turn; after the first
 * complaint it goes on as well as it can.
 */
typedef struct weft_validator weft_validator;

typedef struct weft_complaint {
    const char *rule;    /* "VAL-1" to "VAL-14" */
    const char *message; /* one line; valid until the next call with this validator */
} weft_complaint;

/* Returns 0 or -ENOMEM. The reader must outlive the validator. */
WEFT_API WEFT_MUST_USE int weft_validator_new(weft_validator **validator,
                                              const weft_reader *reader);

/* Do not compare clock snapshots, for machines whose clocks are coarse. */
WEFT_API void weft_validator_ignore_clocks(weft_validator *validator);

/* Returns 0, 1 with the first complaint about this event, or -ENOMEM. complaint may be NULL. */
WEFT_API WEFT_MUST_USE int weft_validator_event(weft_validator *validator, const weft_event *event,
                                                weft_complaint *complaint);

/* NULL accepted. */
WEFT_API void weft_validator_free(weft_validator *validator);

/*
 * Raw text: the wire events of a trace one by one, in file order, undecoded (trace-format.md 11).
 * The two directions are inverse up to padded numbers, so that a trace can be edited as text.
 */

/* Takes size bytes of output. Returns 0 or a negative errno value, which ends the conversion. */
typedef int (*weft_write_fn)(void *context, const void *data, size_t size);

/*
 * Convert a whole trace. Return 0, or a negative errno value and the explanation in *error (where
 * given): text to bytes -EBADMSG with offset counting lines of the text from 1, bytes to text
 * -EBADMSG with a byte offset. What was converted up to the error has been written. The texts of
 * *error are static or thread-local: they hold until the next conversion on the same thread.
 */
WEFT_API WEFT_MUST_USE int weft_raw_print(weft_read_fn read, void *read_context,
                                          weft_write_fn write, void *write_context,
                                          weft_reader_error *error);
WEFT_API WEFT_MUST_USE int weft_raw_assemble(weft_read_fn read, void *read_context,
                                             weft_write_fn write, void *write_context,
                                             weft_reader_error *error);

WEFT_END_DECLS

#endif
