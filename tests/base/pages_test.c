/* SPDX-License-Identifier: MIT */
#include "base/fatal.h"
#include "base/os.h"
#include "base/pages.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/cmocka_all.h"
#include "base/death.h"

static unsigned char *alloc(size_t size)
{
    unsigned char *p = base_pages_alloc(size);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % base_page_size(), 0);
    return p;
}

static void pages_are_zero_at_first_and_after_a_discard(void **unused)
{
    (void)unused;
    size_t size = 16 * base_page_size();
    unsigned char *p = alloc(size);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xa5, size);
        base_pages_discard(p, size);
    }
    base_pages_free(p, size);
}

/* The address space is there, the memory is not: far more than any machine has. */
static void reservation_costs_nothing_before_the_touch(void **unused)
{
    (void)unused;
    size_t size = (size_t)1 << 40;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip();
#endif
    unsigned char *p = alloc(size);
    base_pages_no_huge(p, size);
    p[size / 2] = 1;
    assert_int_equal(p[size / 2], 1);
    base_pages_free(p, size);
}

static void impossible_size_is_refused(void **unused)
{
    (void)unused;
    assert_null(base_pages_alloc((size_t)1 << 62));
    assert_null(base_pages_alloc(0));
}

typedef struct touch {
    unsigned char *page;
    size_t offset;
} touch;

static void write_to(void *arg)
{
    const touch *t = arg;
    ((volatile unsigned char *)t->page)[t->offset] = 1;
}

static void read_from(void *arg)
{
    const touch *t = arg;
    (void)((volatile unsigned char *)t->page)[t->offset];
}

static void assert_faults(unsigned char *page, size_t offset)
{
    touch t = {page, offset};
    death d = death_of(write_to, &t);
    assert_int_equal(death_signal(&d), SIGSEGV);
    d = death_of(read_from, &t);
    assert_int_equal(death_signal(&d), SIGSEGV);
}

static void guard_faults_and_its_neighbours_do_not(void **unused)
{
    (void)unused;
    size_t page = base_page_size();
    unsigned char *p = alloc(4 * page);
    memset(p, 7, 4 * page);
    assert_int_equal(base_guard_install(p + page, page), 0);
    print_message("guards by %s\n", base_guard_kind());
    assert_faults(p + page, 0);
    assert_faults(p + page, page - 1);
    p[page - 1] = 1;
    p[2 * page] = 1;
    assert_int_equal(p[0], 7);
    assert_int_equal(p[3 * page], 7);
    base_pages_free(p, 4 * page);
}

static void guard_survives_a_discard_of_its_stack(void **unused)
{
    (void)unused;
    size_t page = base_page_size();
    unsigned char *p = alloc(4 * page);
    assert_int_equal(base_guard_install(p, page), 0);
    memset(p + page, 7, 3 * page);
    base_pages_discard(p + page, 3 * page);
    assert_faults(p, 0);
    base_pages_free(p, 4 * page);
}

static void guard_by_protection_faults_too(void **unused)
{
    (void)unused;
    size_t page = base_page_size();
    unsigned char *p = alloc(2 * page);
    assert_false(os_page_refuses_write(p));
    assert_int_equal(os_guard_protect(p, page), 0);
    assert_true(os_page_refuses_write(p));
    assert_faults(p, 0);
    base_pages_free(p, 2 * page);
}

/* Markers split no mapping; protection ends at the kernel's limit with an error, not with an
 * unguarded stack. */
static void guards_of_many_stacks(void **unused)
{
    (void)unused;
    enum { STACKS = 60000, PITCH = 4 };
    size_t page = base_page_size(), size = (size_t)STACKS * PITCH * page;
    unsigned char *p = alloc(size);
    base_pages_no_huge(p, size);
    int installed = 0, rc = 0;
    while (installed < STACKS && rc == 0) {
        rc = base_guard_install(p + (size_t)installed * PITCH * page, page);
        installed += rc == 0;
    }
    print_message("%d guards of %d, last result %d\n", installed, STACKS, rc);
    if (strcmp(base_guard_kind(), "madvise") == 0)
        assert_int_equal(installed, STACKS);
    else
        assert_true(installed == STACKS || rc < 0);
    assert_true(os_page_refuses_write(p + (size_t)(installed - 1) * PITCH * page));
    base_pages_free(p, size);
}

/* The first kernels with markers refuse them in locked memory. */
static void guard_in_locked_memory(void **unused)
{
    (void)unused;
    size_t page = base_page_size();
    unsigned char *p = alloc(2 * page);
    if (mlock(p, 2 * page) != 0) {
        base_pages_free(p, 2 * page);
        skip();
    }
    assert_int_equal(base_guard_install(p, page), 0);
    assert_true(os_page_refuses_write(p));
    base_pages_free(p, 2 * page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_zero_at_first_and_after_a_discard),
        cmocka_unit_test(reservation_costs_nothing_before_the_touch),
        cmocka_unit_test(impossible_size_is_refused),
        cmocka_unit_test(guard_faults_and_its_neighbours_do_not),
        cmocka_unit_test(guard_survives_a_discard_of_its_stack),
        cmocka_unit_test(guard_by_protection_faults_too),
        cmocka_unit_test(guards_of_many_stacks),
        cmocka_unit_test(guard_in_locked_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
