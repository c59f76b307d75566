/* SPDX-License-Identifier: MIT */
/* The first frame of a new goroutine: what weft_context_entry (arch/) finds on its stack. */
#include "sched/context.h"

void context_make(struct saved_context *context, void *top, void (*fn)(void *), void *arg)
{
    uintptr_t *sp = (uintptr_t *)top - 2;
    sp[0] = (uintptr_t)fn;
    sp[1] = (uintptr_t)arg;
    *context = (struct saved_context){sp, NULL, (void *)(uintptr_t)weft_context_entry};
}
