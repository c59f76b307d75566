/* SPDX-License-Identifier: MIT */
/*
 * coro_bench: what a switch between coroutines costs, in ns, beside a yield to the scheduler by a
 * goroutine that is alone. A resumption and a yield of a coroutine are two switches.
 */
#include <stdio.h>
#include <weft/weft.h>

#include "rounds.h"

enum { N = 5 * 1000 * 1000 };

static void *bounce(void *arg, void *value)
{
    (void)arg;
    while (weft_coro_yield(value, &value) == 0)
        ;
    return NULL;
}

static weft_coro *coro;

static void switches(long n)
{
    for (long i = 0; i < n; i += 2)
        weft_coro_resume(coro, NULL, NULL);
}

static void yields(long n)
{
    while (n-- > 0)
        weft_yield();
}

static int run(void *arg)
{
    (void)arg;
    coro = weft_coro_new(bounce, NULL, 0);
    if (!coro)
        return 1;
    bench_print("coro_switch", switches, N);
    bench_print("yield", yields, N);
    return weft_coro_free(coro) != 0;
}

int main(void)
{
    return weft_run(NULL, run, NULL) != 0;
}
