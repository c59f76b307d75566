/* SPDX-License-Identifier: MIT */
#ifndef WEFT_WIRE_EVENTS_H
#define WEFT_WIRE_EVENTS_H

/*
 * Events of the trace format: ids, argument counts and descriptions, all expanded from events.def.
 * Constant data only; any thread may use it at any time.
 */

#include <stdbool.h>
#include <stdint.h>

/* WIRE_EV_GO_START and so on: the tag byte of each event. */
enum wire_event_id {
#define WIRE_EVENT(id, symbol, name, since, shape, args) WIRE_EV_##symbol = id,
#include "wire/events.def"
};

/* WIRE_ARGC_GO_START and so on: arguments after the delta time. */
enum wire_event_argc {
#define WIRE_ARG(name, kind)                             +1
#define WIRE_EVENT(id, symbol, name, since, shape, args) WIRE_ARGC_##symbol = 0 args,
#include "wire/events.def"
};

/* Ids are below this; tags at or above it are no events at all. */
#define WIRE_EVENT_LIMIT 137
/* Most arguments that an event lists (CPUSample); timed events have at most 4. */
#define WIRE_EVENT_MAX_ARGS 5
#define WIRE_TIMED_MAX_ARGS 4

enum wire_shape {
    WIRE_SHAPE_UNUSED, /* no event has this id */
    WIRE_SHAPE_STRUCTURE,
    WIRE_SHAPE_TIMED,
    WIRE_SHAPE_EXPERIMENT, /* timed */
};

enum wire_arg_kind {
    WIRE_ARG_VALUE,
    WIRE_ARG_G,
    WIRE_ARG_P,
    WIRE_ARG_M,
    WIRE_ARG_TASK,
    WIRE_ARG_SEQ,
    WIRE_ARG_STACK,
    WIRE_ARG_NEW_STACK,
    WIRE_ARG_STRING,
};

struct wire_arg_spec {
    const char *name;
    uint8_t kind; /* enum wire_arg_kind */
};

struct wire_event_spec {
    const char *name; /* NULL where no event has the id */
    uint8_t shape;    /* enum wire_shape */
    uint8_t since;    /* header version that introduced it: 22, 23, 25, 26 */
    uint8_t argc;     /* entries of args; a timed event has its delta time in addition */
    struct wire_arg_spec args[WIRE_EVENT_MAX_ARGS];
};

/* Indexed by id. */
extern const struct wire_event_spec wire_event_specs[WIRE_EVENT_LIMIT];

/* Whether the tag byte is that of an event which a stream may hold. */
static inline bool wire_event_is_timed(unsigned tag)
{
    return tag < WIRE_EVENT_LIMIT && wire_event_specs[tag].shape >= WIRE_SHAPE_TIMED;
}

/*
 * Whether raw texts of a header version have a name for the event. The binary format never asks:
 * any version may carry any event.
 */
bool wire_event_has_name(unsigned id, unsigned version);

/* The event of that name (length bytes, case matters) in a raw text of that version, or -1. */
int wire_event_by_name(const char *name, uint64_t length, unsigned version);

/* Status numbers of goroutines and procs on the wire. */
enum wire_g_status {
    WIRE_G_BAD,
    WIRE_G_RUNNABLE,
    WIRE_G_RUNNING,
    WIRE_G_SYSCALL,
    WIRE_G_WAITING,
    WIRE_G_STATUS_LIMIT,
};

enum wire_p_status {
    WIRE_P_BAD,
    WIRE_P_RUNNING,
    WIRE_P_IDLE,
    WIRE_P_SYSCALL,           /* attached to a thread whose goroutine is in a system call */
    WIRE_P_SYSCALL_ABANDONED, /* in a system call, about to be stolen, its thread unknown */
    WIRE_P_STATUS_LIMIT,
};

#endif
