/* SPDX-License-Identifier: MIT */
#include <weft/trace_host.h>

#define NO_SANITIZE __attribute__((no_sanitize("address"), no_sanitize("thread"), noinline))

/*
 * A frame is two words: the caller's frame pointer and the return address. Both must lie in [low,
 * high), aligned, and each frame above the one before; so the walk reads nothing but the stack and
 * ends whatever it finds there. It may run on the stack of a thread that runs meanwhile, or on
 * words that sanitizers hold for poisoned: each is read once.
 */
NO_SANITIZE unsigned weft_trace_walk(const void *frame, const void *low, const void *high,
                                     uintptr_t *pcs, unsigned max)
{
    uintptr_t at = (uintptr_t)frame, bottom = (uintptr_t)low, top = (uintptr_t)high;
    unsigned count = 0;
    while (count < max) {
        if (at < bottom || at % sizeof(uintptr_t) != 0 || at >= top ||
            top - at < 2 * sizeof(uintptr_t))
            break;
        const volatile uintptr_t *words = (const volatile uintptr_t *)at;
        uintptr_t caller = words[0], pc = words[1];
        if (caller == 0 || pc == 0)
            break;
        pcs[count] = count == 0 ? pc - 1 : pc;
        count++;
        bottom = at + 2 * sizeof(uintptr_t);
        at = caller;
    }
    return count;
}
