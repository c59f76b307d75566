/* SPDX-License-Identifier: MIT */
/* The end of the process for a broken invariant or a misuse that corrupts: one message, the dump
 * hooks, abort(). */
#ifndef WEFT_BASE_FATAL_H
#define WEFT_BASE_FATAL_H

/*
 * Writes "weft: fatal: MESSAGE" and a newline to standard error without allocating, runs the dump
 * hook (which prints Gs, Ms, Ps), and aborts. Any thread; async-signal-safe but for the hook. A
 * second call while the first runs prints its message and waits for the end. The symbol has weft's
 * prefix, because programs that link the static library have a fatal() of their own. Formats: %s %d
 * %u %ld %lu %llu %lld %x %lx %p %c %% (no width).
 */
_Noreturn void fatal(const char *format, ...) __asm__("weft_base_fatal")
    __attribute__((format(printf, 1, 2)));

/* A warning line on standard error, same formatter. */
void base_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line without the prefix. */
void base_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Registers the one hook that fatal() runs after its message. */
void base_fatal_hook(void (*hook)(void));

/* Checked always, even in release builds: for what would corrupt silently. */
#define invariant(condition, ...)                                                                  \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            fatal(__VA_ARGS__);                                                                    \
    } while (0)

/* Checked in WEFT_DEBUG builds. */
#ifdef WEFT_DEBUG
#define debug_invariant(condition, ...) invariant(condition, __VA_ARGS__)
#else
#define debug_invariant(condition, ...) ((void)0)
#endif

#endif
