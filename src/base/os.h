/* SPDX-License-Identifier: MIT */
/*
 * What base/ needs of the operating system, and nothing above base/ includes. Implemented once per
 * system (os_linux.c). Calls return 0 or a negative errno value and never touch the caller's errno.
 */
#ifndef WEFT_BASE_OS_H
#define WEFT_BASE_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sleeps while *word == expected; timeout_ns < 0: no limit. Any return but -ETIMEDOUT may be
 * spurious. */
int os_futex_wait(uint32_t *word, uint32_t expected, int64_t timeout_ns);
void os_futex_wake(uint32_t *word, int count);

/* True if os_membarrier() will serve from now on. */
bool os_membarrier_register(void);
/* A full barrier on every running thread of the process. */
int os_membarrier(void);

size_t os_page_size(void);
void *os_map(size_t size);
int os_unmap(void *pages, size_t size);
int os_discard(void *pages, size_t size);
/* One byte for each page, whose lowest bit is set if the page is in memory. */
int os_pages_present(const void *pages, size_t size, unsigned char *present);
void os_forbid_huge(void *pages, size_t size);
/* Two ways to make pages inaccessible: without and with splitting the mapping. */
int os_guard_marker(void *page, size_t size);
int os_guard_protect(void *page, size_t size);
/* True if the kernel refuses to write to page on our behalf: a test for a guard that raises no
 * signal. */
bool os_page_refuses_write(void *page);

uint64_t os_thread_id(void);
bool os_thread_sleeps(uint64_t tid);
int os_process_census(unsigned *threads, uint64_t *caught);
int os_thread_create(pthread_t *thread, void *(*fn)(void *), void *arg);
void os_thread_name(const char *name);
int os_thread_stack(void **low, void **high);
unsigned os_cpu_count(void);
void os_yield(void);
void os_sleep_ns(int64_t ns);

/* True if the kernel itself keeps time with the counter that ticks_read() reads. */
bool os_clock_is_counter(void);
uint64_t os_clock_monotonic(void);
void os_clock_wall(uint64_t *sec, uint32_t *nsec);

/* write(2) until all is out or an error; async-signal-safe. */
void os_write_stderr(const char *text, size_t size);

/* Ends the process at once; async-signal-safe. */
_Noreturn void os_exit(int status);

#endif
