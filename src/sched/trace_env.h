/* SPDX-License-Identifier: MIT */
/*
 * Recording without code: what the environment asks for.
 *
 *   WEFT_TRACE=FILE            traces the whole run
 *   WEFT_TRACE_SECONDS=N       … or its first N seconds, such as 5 or 0.2
 *   WEFT_TRACE_FORMAT=1.22 …   the format; WEFT_TRACE_CPU=HZ: with CPU samples
 *   WEFT_TRACE_SNAPSHOT=FILE   a flight recorder; each WEFT_TRACE_SIGNAL=NAME|NUMBER writes what it
 *                              keeps: to FILE, then to FILE.1, FILE.2, …
 *   WEFT_TRACE_ON_CRASH=FILE   the same, written once, to FILE, when the program fails
 *   WEFT_FLIGHT=FILE           the same, with the tracer's memory in a file, for `weft recover`
 */
#ifndef WEFT_SCHED_TRACE_ENV_H
#define WEFT_SCHED_TRACE_ENV_H

/* The runtime's tracer is there and nothing runs yet. Returns 0 or a negative errno value, after
 * saying what is wrong; then trace_env_stop() is still to be called. */
int trace_env_start(void);

/* Completes the trace of WEFT_TRACE. Once, by the end of the runtime or by exit(), whichever comes
 * first. */
void trace_env_complete(void);

/* The program fails: writes what WEFT_TRACE_ON_CRASH asks for. On a plain thread, while the tracer
 * works. */
void trace_env_crash(void);

/* The runtime ends: the same, and signals write no snapshots any more. */
void trace_env_stop(void);

/* The signal of WEFT_TRACE_SIGNAL, 0 if there is none. */
int trace_env_signal(void);

/* In the child of a fork: none of it is its own. */
void trace_env_forget(void);

#endif
