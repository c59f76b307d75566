/* SPDX-License-Identifier: MIT */
/* Things that are done once: a flag for those who come later, a mutex for those who come
 * meanwhile. */
#include "base/atomic.h"
#include "weft/sync.h"

void weft_once_do(weft_once *once, void (*fn)(void *arg), void *arg)
{
    if (likely(atomic_load_acquire(&once->done))) /* pairs with the store below */
        return;
    weft_mutex_lock(&once->mutex);
    if (!once->done) {
        fn(arg);
        atomic_store_release(&once->done, 1); /* pairs with the load above */
    }
    weft_mutex_unlock(&once->mutex);
}
