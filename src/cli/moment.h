/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_MOMENT_H
#define WEFT_CLI_MOMENT_H

/* Lengths of time and points in time as a user names them. */

#include <stdbool.h>
#include <stdint.h>

/*
 * "1.5s", "20ms", "300us" or "µs", "7ns", exact to the nanosecond; a number alone is nanoseconds.
 * False if it is none, or more than an int64_t holds.
 */
bool cli_duration_parse(const char *text, int64_t *ns);
/* The same, but a number alone is seconds. */
bool cli_seconds_parse(const char *text, int64_t *ns);

/* A point: counted from the trace's begin, or by the wall clock (UTC). */
enum cli_moment_kind { CLI_MOMENT_OFFSET, CLI_MOMENT_WALL, CLI_MOMENT_END };

struct cli_moment {
    enum cli_moment_kind kind;
    int64_t ns;  /* OFFSET: from the begin; WALL: of the second */
    int64_t sec; /* WALL: since 1970 */
};

/* Of a trace: its first event, and a reading of the wall clock at a time. */
struct cli_origin {
    int64_t begin;
    int has_wall;
    int64_t trace_time, wall_sec;
    uint32_t wall_nsec;
};

/* What cli_duration_parse takes, or "2026-01-31T12:00:00.25Z". False if it is neither. */
bool cli_moment_parse(const char *text, struct cli_moment *moment);

/* The time on the trace's clock. Returns 0, or -ENODATA: the trace does not tell the wall clock. */
int cli_moment_locate(const struct cli_moment *moment, const struct cli_origin *origin,
                      int64_t *time);

#endif
