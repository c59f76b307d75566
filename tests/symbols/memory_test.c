/* SPDX-License-Identifier: MIT */
/*
 * The symboliser while memory is refused: by malloc, at each of its own allocations, once and from
 * there on; and by the kernel, to libdw as well, at any size of the address space.
 */
#define _GNU_SOURCE
#include "trace/symbols.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cmocka_all.h"
#include "base/death.h"
#include "symbols/sample.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_MALLOC 0
#else
#define OWN_MALLOC 1
#endif

static long refuse_at = -1; /* number of allocations until the refusal; negative: never */
static bool for_good;
static bool refused;

#if OWN_MALLOC
extern const char __executable_start, etext;

/* libdw does not stand it. It is a shared library, so what comes from there is easily told. */
static bool from_libdw(const char *caller)
{
#ifdef WEFT_WITH_LIBDW
    return caller < &__executable_start || caller >= &etext;
#else
    return !caller;
#endif
}

static bool refuse_to(void *caller)
{
    if (refuse_at < 0 || from_libdw(caller))
        return false;
    if (refuse_at > 0) {
        refuse_at--;
        return false;
    }
    if (!for_good)
        refuse_at = -1;
    refused = true;
    errno = ENOMEM;
    return true;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *at, size_t size);

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    return refuse_to(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
    return refuse_to(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *realloc(void *at, size_t size)
{
    return refuse_to(__builtin_return_address(0)) ? NULL : __libc_realloc(at, size);
}
#endif

static bool sensible(const trace_frame *frames, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!frames[i].pc || !frames[i].func || !frames[i].func[0] || !frames[i].file ||
            !frames[i].file[0] || !frames[i].line)
            return false;
    return n > 0;
}

/* Exits with 0 where all went well and memory was refused, 1 where it never was, 2 where an answer
 * was wrong. */
static void resolve_some(void *arg)
{
    trace_frame frames[16];
    uintptr_t pcs[] = {sample_outer(), (uintptr_t)sample_here, (uintptr_t)memcmp, 0x1234,
                       sample_outer()};
    bool right = true;
    refuse_at = *(long *)arg;
    trace_symbols *s = trace_symbols_new();
    for (size_t i = 0; i < sizeof pcs / sizeof pcs[0]; i++)
        right &= sensible(frames, trace_symbols_resolve(s, pcs[i], false, frames, 16));
    refuse_at = -1;
    trace_symbols_refresh(s);
    right &= sensible(frames, trace_symbols_resolve(s, pcs[0], false, frames, 16));
    trace_symbols_free(s);
    _exit(!right ? 2 : refused ? 0 : 1);
}

static void refuse_each_allocation(void)
{
    if (!OWN_MALLOC)
        skip();
    long at = 0;
    for (;; at++) {
        death d = death_of(resolve_some, &at);
        if (WIFEXITED(d.status) && WEXITSTATUS(d.status) == 1)
            break;
        if (d.status != 0)
            fail_msg("allocation %ld: status %#x, %s", at, d.status, d.text);
    }
    print_message("%ld allocations refused\n", at);
    assert_true(at > 10);
}

static void refused_once(void **unused)
{
    (void)unused;
    for_good = false;
    refuse_each_allocation();
}

static void refused_from_there_on(void **unused)
{
    (void)unused;
    for_good = true;
    refuse_each_allocation();
}

/* Exits with 0 where all answers were right. */
static void resolve_in_little_space(void *arg)
{
    trace_frame frames[16];
    uintptr_t pcs[] = {sample_outer(), (uintptr_t)sample_here, (uintptr_t)memcmp, 0x1234};
    rlim_t room = *(rlim_t *)arg;
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    if (!f || fscanf(f, "%lu", &pages) != 1)
        _exit(3);
    fclose(f);
    struct rlimit limit = {0, 0};
    limit.rlim_cur = limit.rlim_max = pages * (rlim_t)getpagesize() + room;
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        _exit(3);
    bool right = true;
    trace_symbols *s = trace_symbols_new();
    for (size_t i = 0; i < sizeof pcs / sizeof pcs[0]; i++)
        right &= sensible(frames, trace_symbols_resolve(s, pcs[i], false, frames, 16));
    trace_symbols_free(s);
    _exit(right ? 0 : 2);
}

static void address_space_of_any_size(void **unused)
{
    (void)unused;
    if (!OWN_MALLOC)
        skip(); /* sanitizers need the space for themselves */
    for (rlim_t room = 0; room < ((rlim_t)48 << 20); room += room < (1 << 20) ? 16384 : 1500000) {
        death d = death_of(resolve_in_little_space, &room);
        if (d.status != 0)
            fail_msg("%lu bytes: status %#x, %s", (unsigned long)room, d.status, d.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_once),
        cmocka_unit_test(refused_from_there_on),
        cmocka_unit_test(address_space_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
