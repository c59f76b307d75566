/* SPDX-License-Identifier: MIT */
/* What gdb_test.sh looks at: goroutines that wait, run and block, each in functions of known names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <weft/weft.h>

void stop_here(void);

static weft_chan *gate;
static volatile int spinning, over;

__attribute__((noinline)) void stop_here(void)
{
    __asm__ __volatile__("");
}

static __attribute__((noinline)) int wait_inner(int depth)
{
    volatile int result = depth > 0 ? wait_inner(depth - 1) : weft_chan_recv(gate, NULL);
    return result + 1;
}

static void waits_for_gate(void *arg)
{
    (void)arg;
    if (wait_inner(3) < 0)
        spinning = 0;
}

static void spins(void *arg)
{
    (void)arg;
    spinning = 1;
    while (!over)
        ;
}

static int naps(void *arg)
{
    struct timespec time = {.tv_sec = 600};
    (void)arg;
    return nanosleep(&time, NULL);
}

static void blocks(void *arg)
{
    if (weft_blocking(naps, arg))
        perror("nanosleep");
}

static int main_goroutine(void *arg)
{
    gate = weft_chan_new(1, 0);
    weft_go(waits_for_gate, NULL);
    weft_go(blocks, NULL);
    weft_go(spins, NULL);
    while (!spinning)
        weft_yield();
    weft_sleep(50 * WEFT_MILLISECOND);
    if (arg)
        abort();
    stop_here();
    over = 1;
    _exit(0);
}

/* With an argument it dies and leaves a core file. */
int main(int argc, char **argv)
{
    return weft_run(NULL, main_goroutine, argc > 1 ? argv[1] : NULL);
}
