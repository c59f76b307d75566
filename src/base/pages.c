/* SPDX-License-Identifier: MIT */
#include "base/pages.h"

#include "base/atomic.h"
#include "base/fatal.h"
#include "base/os.h"
#include "base/torture.h"

#include <errno.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PAGES_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(PAGES_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define __lsan_register_root_region(address, size)   ((void)(address), (void)(size))
#define __lsan_unregister_root_region(address, size) ((void)(address), (void)(size))
#endif

enum { GUARD_UNKNOWN, GUARD_MARKER, GUARD_PROTECT };

static int guard_kind; /* atomic; every thread that finds it unknown computes the same value */

size_t base_page_size(void)
{
    return os_page_size();
}

void *base_pages_alloc(size_t size)
{
    return torture_refuse("pages_alloc") ? NULL : os_map(size);
}

void base_pages_free(void *pages, size_t size)
{
    /* The marks of frames that were never left would stay for whoever is mapped here next. */
    ASAN_UNPOISON_MEMORY_REGION(pages, size);
    int rc = os_unmap(pages, size);
    /* -ENOMEM: the hole would need one mapping too many. The address space is lost, the memory is
     * not. */
    if (rc == -ENOMEM)
        rc = os_discard(pages, size);
    invariant(rc == 0, "munmap(%p, %lu): error %d", pages, (unsigned long)size, -rc);
}

void base_pages_root(const void *pages, size_t size)
{
    __lsan_register_root_region(pages, size);
}

void base_pages_unroot(const void *pages, size_t size)
{
    __lsan_unregister_root_region(pages, size);
}

void base_pages_discard(void *pages, size_t size)
{
    int rc = os_discard(pages, size);
    invariant(rc == 0, "madvise(%p, %lu, MADV_DONTNEED): error %d", pages, (unsigned long)size,
              -rc);
}

void base_pages_no_huge(void *pages, size_t size)
{
    os_forbid_huge(pages, size);
}

/*
 * A success of madvise proves nothing: emulators accept and ignore advice they do not know. So the
 * trial page must really refuse a write.
 */
static int guard_try(void)
{
    size_t size = os_page_size();
    void *page = os_map(size);
    if (!page)
        return GUARD_UNKNOWN;
    int kind = os_guard_marker(page, size) == 0 && os_page_refuses_write(page) ? GUARD_MARKER
                                                                               : GUARD_PROTECT;
    os_unmap(page, size);
    return kind;
}

static int guard_decide(void)
{
    int kind = atomic_load_relaxed(&guard_kind);
    if (kind == GUARD_UNKNOWN) {
        kind = guard_try();
        atomic_store_relaxed(&guard_kind, kind);
    }
    return kind;
}

int base_guard_install(void *page, size_t size)
{
    if (torture_refuse("guard_install"))
        return -ENOMEM;
    int kind = guard_decide();
    if (kind == GUARD_UNKNOWN)
        return -ENOMEM;
    if (kind == GUARD_MARKER) {
        int rc = os_guard_marker(page, size);
        /* -EINVAL: this mapping is locked in memory (mlockall), where the first kernels refuse
         * markers. */
        if (rc != -EINVAL)
            return rc;
    }
    return os_guard_protect(page, size);
}

const char *base_guard_kind(void)
{
    return guard_decide() == GUARD_MARKER ? "madvise" : "mprotect";
}

size_t base_pages_untouched(const void *pages, size_t size)
{
    enum { BATCH = 128 };
    unsigned char present[BATCH];
    size_t page = os_page_size(), count = size / page;
    for (size_t done = 0; done < count; done += BATCH) {
        size_t n = count - done < BATCH ? count - done : BATCH;
        if (os_pages_present((const char *)pages + done * page, n * page, present))
            return 0;
        for (size_t i = 0; i < n; i++)
            if (present[i] & 1)
                return (done + i) * page;
    }
    return count * page;
}
