/* SPDX-License-Identifier: MIT */
/* What the consumers of the installed libraries do, the same in C and in C++. */
#include <stdio.h>
#include <weft/weft.h>

static void set_flag(void *arg)
{
    *(int *)arg = 1;
}

static int consumer_main(void *arg)
{
    if (weft_go(set_flag, arg) != 0)
        return 2;
    for (int i = 0; i < 1000 && !*(volatile int *)arg; i++)
        weft_yield();
    return *(int *)arg ? 0 : 3;
}
