/* SPDX-License-Identifier: MIT */
#include "base/fence.h"

#include "base/fatal.h"
#include "base/os.h"

bool base_fence_asymmetric;

/* Before any other constructor of weft and before main: no thread can have used the fence yet. */
__attribute__((constructor(102))) static void fence_constructor(void)
{
    base_fence_init();
}

void base_fence_init(void)
{
#ifndef BASE_TSAN
    /* Once true it stays true: a second thread that arrives here writes what is there already. */
    if (!base_fence_asymmetric && os_membarrier_register())
        base_fence_asymmetric = true;
#endif
}

void fence_heavy(void)
{
#ifdef BASE_TSAN
    compiler_barrier(); /* fence_store and fence_load are sequentially consistent by themselves */
#else
    if (!base_fence_asymmetric) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* pairs with fence_light() */
        return;
    }
    /* Only a filter on system calls that was installed later makes a registered membarrier fail. */
    int rc = os_membarrier();
    if (rc < 0 && os_membarrier_register())
        rc = os_membarrier();
    invariant(rc == 0, "membarrier served at the start and fails now: error %d", -rc);
#endif
}
