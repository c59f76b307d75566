/* SPDX-License-Identifier: MIT */
/*
 * CPU profiles: which code uses the CPU time, function by function and line by line, in pprof's
 * format (`go tool pprof FILE`, or any tool that reads it). No tracing is needed, and both may be
 * on at once.
 *
 * How samples are taken. Each thread has a timer of its own CPU time. When the thread has used up a
 * period of it, SIGPROF interrupts it, and the handler takes down what it executes: the stack, the
 * goroutine and its label. So threads that wait are not sampled, and those that compute are,
 * whatever they do: in user code, in the kernel on their behalf, inside the runtime, also when
 * their goroutine's lease was revoked. Kernels look at these timers only every few milliseconds;
 * periods that pass meanwhile are counted in the next sample. CPU samples in a trace
 * (weft_trace_options.cpu_hz, WEFT_TRACE_CPU) are taken in the same way; when several ask, the
 * highest rate is that of all.
 *
 * Which threads: those of the runtime, and those that another host of the tracer has registered
 * (weft_trace_m_register).
 *
 * What it asks of the program. Stacks are walked by frame pointers; code compiled without them
 * costs frames, never a crash. SIGPROF is the profiler's: a handler that was there before gets the
 * signals that are not of its timers, and must not be replaced while samples are taken. Our handler
 * stays when profiling ends. It keeps errno, takes no lock and allocates nothing. System calls that
 * can be restarted are restarted; others, such as poll, epoll_wait, nanosleep or a socket call with
 * a time-out, may return EINTR when a tick comes just as the thread goes to sleep, as after any
 * other signal; weft's own functions never do. A thread that blocks SIGPROF yields no samples.
 */
#ifndef WEFT_PROFILE_H
#define WEFT_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include <weft/config.h>
#include <weft/trace.h>

WEFT_BEGIN_DECLS

typedef struct weft_cpu_profile_options {
    size_t size;          /* sizeof(weft_cpu_profile_options) */
    unsigned hz;          /* samples for each second of CPU time of a thread, 1 … 10000; 0: 100 */
    size_t memory_budget; /* bytes for the different stacks and what samples wait in; 0: 64 MiB, at
                             least 4 MiB */
} weft_cpu_profile_options;

typedef struct weft_cpu_profile_result {
    size_t size;              /* sizeof(weft_cpu_profile_result), set by the caller */
    uint64_t samples;         /* in the profile */
    uint64_t cpu_ns;          /* CPU time that they stand for */
    uint64_t lost_samples;    /* taken, but there was no memory left for them */
    uint64_t refused_threads; /* had no samples, as the kernel had no timer for them */
    uint64_t bytes;           /* written */
    int error;                /* 0, or the negative errno value of the first failure */
} weft_cpu_profile_result;

/*
 * Starts the profile of the process; there is one at a time. What it found is written when it is
 * stopped: to a path (created or truncated at once, mode 0644), to a descriptor, which stays the
 * caller's, or through a callback, on the profiler's own thread. `options` may be NULL. Any thread
 * or goroutine, with or without a running runtime.
 *
 * Return 0, or -EBUSY there is one already, -EINVAL bad option, -EBADF, -ENOMEM, -EAGAIN no thread,
 * or what open() or sigaction() said.
 */
WEFT_API WEFT_MUST_USE int weft_cpu_profile_start_path(const char *path,
                                                       const weft_cpu_profile_options *options);
WEFT_API WEFT_MUST_USE int weft_cpu_profile_start_fd(int fd,
                                                     const weft_cpu_profile_options *options);
WEFT_API WEFT_MUST_USE int weft_cpu_profile_start_callback(weft_trace_write_fn write, void *context,
                                                           const weft_cpu_profile_options *options);

/*
 * Stops it and writes it: samples and nanoseconds for each stack, with functions, files and lines,
 * and the label "goroutine" where goroutines have one; compressed where the library was built with
 * zlib. Waits for the profiler's thread. `result` may be NULL. Any thread or goroutine. Returns 0,
 * -EINVAL if there is no profile, or the first failure of writing or memory.
 *
 * exit() completes a profile that is still there, in programs that have used weft_run().
 * WEFT_CPUPROFILE=FILE in the environment profiles the whole run of the runtime, at
 * WEFT_CPUPROFILE_HZ samples a second. After fork() the child has no profile.
 */
WEFT_API int weft_cpu_profile_stop(weft_cpu_profile_result *result);

WEFT_END_DECLS

#endif
