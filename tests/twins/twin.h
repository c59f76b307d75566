/* SPDX-License-Identifier: MIT */
/*
 * What the twins share. A twin runs a body on the main goroutine, which writes traces, and then
 * checks the traces with the reader.
 *
 *   twin_NAME [MODE [FORMAT:PROCS…]]
 *
 *   MODE         normal: as it is; cooperative: one P all the time, so that goroutines take turns;
 *                advancing: generations end without a pause
 *   FORMAT:PROCS one run each; without any, one run with WEFT_TRACE_FORMAT and WEFT_PROCS
 */
#ifndef WEFT_TESTS_TWIN_H
#define WEFT_TESTS_TWIN_H

#include "sched/on_runtime.h"

#include <weft/reader.h>

/* The run at hand. */
typedef struct twin_run {
    const char *name, *mode;
    unsigned format, procs; /* 22 to 26; 0: WEFT_PROCS decides */
    bool cooperative, advancing;
    unsigned cpu_hz; /* of CPU samples, for twin_start(); set by the body */
} twin_run;
extern twin_run twin;

/* body: on the main goroutine; verify: afterwards, on a plain thread. */
int twin_main(int argc, char **argv, void (*body)(void), void (*verify)(void));

/* Sets the number of Ps to n, but leaves it at 1 in a cooperative run. */
void twin_procs(int n);

/* Trace number n of the run, $WEFT_TRACE_DIR/twin_NAME_MODE_FORMAT_PROCS_n.trace; valid until the
 * next call. */
const char *twin_path(unsigned n);
weft_trace_stream *twin_start(unsigned n);
/* Nothing may be lost. Returns the number of generations. */
uint64_t twin_stop(weft_trace_stream *stream);
/* Ends a generation n times. */
void twin_advance(unsigned n);

/* Lets others do what they are about to do: sleeps a while. */
void twin_settle(void);

/* Waits until *count is n. */
void twin_await(const uint32_t *count, uint32_t n);

/* Keeps the call before it from becoming a jump that leaves the caller's frame. */
#define TWIN_FRAME_STAYS() __asm__ __volatile__("" ::: "memory")

#endif
