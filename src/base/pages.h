/* SPDX-License-Identifier: MIT */
/* Memory from the kernel: pages, and reserved stacks with guard pages. */
#ifndef WEFT_BASE_PAGES_H
#define WEFT_BASE_PAGES_H

#include <stddef.h>

size_t base_page_size(void);

/* Zeroed, page-aligned memory that is committed by touching. NULL when the kernel refuses. Any
 * thread. */
void *base_pages_alloc(size_t size);
void base_pages_free(void *pages, size_t size);
/* Gives the physical memory back; the contents read as zero afterwards. */
void base_pages_discard(void *pages, size_t size);

/* How many bytes at the low end were never touched, or discarded since: whole pages. Swapped pages
 * count as untouched. */
size_t base_pages_untouched(const void *pages, size_t size);

/* LeakSanitizer looks for pointers to the heap here, as long as that is said; and no longer. */
void base_pages_root(const void *pages, size_t size);
void base_pages_unroot(const void *pages, size_t size);

/* Asks for no huge pages here: stacks are touched thinly, and one huge page would commit a dozen of
 * them. */
void base_pages_no_huge(void *pages, size_t size);

/*
 * Makes [page, page + size) inaccessible as the guard of a stack: MADV_GUARD_INSTALL, which splits
 * no mapping, where the kernel has it; mprotect otherwise. Returns 0 or a negative errno value
 * (-ENOMEM: too many mappings).
 */
int base_guard_install(void *page, size_t size);
/* "madvise" or "mprotect": which of the two this kernel gives. */
const char *base_guard_kind(void);

#endif
