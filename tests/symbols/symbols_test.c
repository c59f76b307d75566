/* SPDX-License-Identifier: MIT */
/* The symboliser, built with libdw (WEFT_WITH_LIBDW) and without: what it says about this program
 * and its libraries. */
#define _GNU_SOURCE
#include "base/clock.h"
#include "trace/symbols.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cmocka_all.h"
#include "symbols/sample.h"

#ifdef WEFT_WITH_LIBDW
#define DWARF true
#else
#define DWARF false
#endif

#define MAX_FRAMES 32

static trace_symbols *symbols;

/* ---- every answer is checked against all earlier ones ---- */

#define SEEN_SIZE (1u << 20)
static trace_frame *seen; /* hash set by pc */

static void assert_one_meaning(const trace_frame *f)
{
    size_t i = (f->pc * 0x9e3779b97f4a7c15u) >> 44;
    while (seen[i].pc && seen[i].pc != f->pc)
        i = (i + 1) % SEEN_SIZE;
    if (!seen[i].pc) {
        seen[i] = *f;
        return;
    }
    assert_string_equal(seen[i].func, f->func);
    assert_string_equal(seen[i].file, f->file);
    assert_int_equal(seen[i].line, f->line);
}

static unsigned resolve(uintptr_t pc, bool exact, trace_frame *frames)
{
    unsigned n = trace_symbols_resolve(symbols, pc, exact, frames, MAX_FRAMES);
    assert_in_range(n, 1, MAX_FRAMES);
    for (unsigned i = 0; i < n; i++) {
        assert_true(frames[i].pc != 0);
        assert_true(frames[i].func && frames[i].func[0]);
        assert_true(frames[i].file && frames[i].file[0]);
        assert_true(frames[i].line > 0);
        assert_one_meaning(&frames[i]);
    }
    return n;
}

static trace_frame resolve_one(uintptr_t pc, bool exact)
{
    trace_frame frames[MAX_FRAMES];
    assert_int_equal(resolve(pc, exact, frames), 1);
    return frames[0];
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* ---- this program ---- */

__attribute__((noinline)) static int static_function(int x)
{
    __asm__ __volatile__("" : "+r"(x));
    return x + 1;
}

static void static_function_has_its_name(void **unused)
{
    (void)unused;
    trace_frame f = resolve_one((uintptr_t)static_function, true);
    assert_string_equal(f.func, "static_function");
    assert_true(f.pc == (uintptr_t)static_function);
    if (DWARF) {
        assert_true(ends_with(f.file, "/symbols_test.c"));
        assert_true(f.line > 70 && f.line < 85);
    } else {
        assert_true(f.file[0] == '/' && ends_with(f.file, "/symbols_elf"));
        assert_int_equal(f.line, 1);
    }
    static_function(1);
}

static void return_address_means_the_call_before_it(void **unused)
{
    (void)unused;
    uintptr_t pc = (uintptr_t)static_function;
    trace_frame frames[MAX_FRAMES], f = resolve_one(pc + 1, false);
    assert_true(f.pc == pc);
    assert_string_equal(f.func, "static_function");
    resolve(pc, false, frames);
    assert_string_not_equal(frames[0].func, "static_function");
}

static void inlined_functions_are_expanded(void **unused)
{
    (void)unused;
    static const char *const names[] = {"sample_innermost", "sample_middle", "sample_outer"};
    trace_frame frames[MAX_FRAMES], again[MAX_FRAMES];
    uintptr_t pc = sample_outer();
    unsigned n = resolve(pc, false, frames);
    if (!DWARF) {
        assert_int_equal(n, 1);
        assert_string_equal(frames[0].func, "sample_outer");
        return;
    }
    assert_int_equal(n, 3);
    for (unsigned i = 0; i < n; i++) {
        assert_string_equal(frames[i].func, names[i]);
        assert_int_equal(frames[i].line, sample_lines[i]);
        assert_true(ends_with(frames[i].file, "/sample.h"));
        for (unsigned k = 0; k < i; k++)
            assert_true(frames[i].pc != frames[k].pc);
    }
    assert_true(frames[0].pc == pc - 1);
    trace_symbols *fresh = trace_symbols_new();
    assert_int_equal(trace_symbols_resolve(fresh, pc - 1, true, again, MAX_FRAMES), n);
    for (unsigned i = 0; i < n; i++)
        assert_true(frames[i].pc == again[i].pc);
    trace_symbols_free(fresh);
    assert_int_equal(trace_symbols_resolve(symbols, pc, false, again, 2), 2);
    assert_string_equal(again[1].func, "sample_middle");
}

/* ---- libraries ---- */

static uintptr_t caller_of_compare;

static int compare(const void *a, const void *b)
{
    caller_of_compare = (uintptr_t)__builtin_return_address(0);
    return *(const int *)a - *(const int *)b;
}

static void callback_from_libc_has_libc_frames(void **unused)
{
    (void)unused;
    int numbers[] = {3, 1, 2};
    trace_frame frames[MAX_FRAMES];
    qsort(numbers, 3, sizeof numbers[0], compare);
    unsigned n = resolve(caller_of_compare, false, frames);
    print_message("caller of compare: %s %s %u\n", frames[n - 1].func, frames[n - 1].file,
                  frames[n - 1].line);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(strstr(frames[n - 1].file, "libc") || strstr(frames[n - 1].file, ".c"));
#endif
    resolve((uintptr_t)dlsym(RTLD_DEFAULT, "qsort_r"), true, frames);
    void *strtod_in_libc = dlsym(RTLD_NEXT, "strtod");
    n = resolve((uintptr_t)strtod_in_libc, true, frames);
    assert_non_null(strstr(frames[n - 1].func, "strtod"));
}

static void vdso_is_known(void **unused)
{
    (void)unused;
    uintptr_t base = getauxval(AT_SYSINFO_EHDR);
    if (!base)
        skip();
    trace_frame f = resolve_one(base + 0x900, true);
    print_message("in the vdso: %s %s\n", f.func, f.file);
    assert_non_null(strstr(f.file, "vdso"));
}

static uintptr_t call(void *library, const char *name)
{
    uintptr_t (*fn)(void);
    *(void **)&fn = dlsym(library, name);
    assert_non_null(fn);
    return fn();
}

static char *copy_of(const char *path, const char *name)
{
    static char copy[4096], command[9000];
    const char *dir = getenv("WEFT_TRACE_DIR");
    snprintf(copy, sizeof copy, "%s/%s", dir ? dir : ".", name);
    unlink(copy);
    snprintf(command, sizeof command, "cp '%s' '%s'", path, copy);
    assert_int_equal(system(command), 0);
    return copy;
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        skip();
    return value;
}

static void library_loaded_later_is_found(void **unused)
{
    (void)unused;
    resolve_one((uintptr_t)static_function, true);
    void *library = dlopen(environment("SYMBOLS_PLUGIN1"), RTLD_NOW);
    assert_non_null(library);
    trace_frame f = resolve_one(call(library, "plugin_static_address"), true);
    assert_string_equal(f.func, "plugin_static");
    assert_non_null(strstr(f.file, DWARF ? "/plugin.c" : "symbols_plugin1"));
    dlclose(library);
}

/* Whether s says what an object without a past says about the addresses around pc. */
static void assert_no_memories(trace_symbols *s, uintptr_t pc)
{
    trace_symbols *fresh = trace_symbols_new();
    for (uintptr_t at = pc - 96; at < pc + 96; at++) {
        trace_frame remembered, right;
        trace_symbols_resolve(s, at, true, &remembered, 1);
        trace_symbols_resolve(fresh, at, true, &right, 1);
        assert_string_equal(remembered.func, right.func);
        assert_string_equal(remembered.file, right.file);
        assert_int_equal(remembered.line, right.line);
    }
    trace_symbols_free(fresh);
}

/* The strings stay, and the next library at the place has its own names after a refresh. */
static void library_may_be_unloaded_and_replaced(void **unused)
{
    (void)unused;
    char *path = copy_of(environment("SYMBOLS_PLUGIN1"), "replaced.so");
    trace_symbols *s = trace_symbols_new();
    trace_frame first, second;
    for (int round = 0; round < 6; round++) {
        void *library = dlopen(path, RTLD_NOW);
        assert_non_null(library);
        trace_symbols_refresh(s);
        trace_symbols_resolve(s, call(library, "plugin_entry"), true, &first, 1);
        assert_string_equal(first.func, "plugin_entry");
        trace_symbols_resolve(s, call(library, "plugin_static_address"), true, &second, 1);
        assert_string_equal(second.func, "plugin_static");
        assert_no_memories(s, (uintptr_t)first.pc);
        assert_no_memories(s, (uintptr_t)second.pc);
        dlclose(library);
        path =
            copy_of(environment(round % 2 ? "SYMBOLS_PLUGIN1" : "SYMBOLS_PLUGIN2"), "replaced.so");
        trace_symbols_refresh(s);
        assert_string_equal(first.func, "plugin_entry");
    }
    trace_symbols_free(s);
}

/* The file on disk is another one now: it must not be believed, and the dynamic symbols are left.
 */
static void file_replaced_under_a_loaded_library(void **unused)
{
    (void)unused;
    char *path = copy_of(environment("SYMBOLS_PLUGIN1"), "swapped.so");
    void *library = dlopen(path, RTLD_NOW);
    assert_non_null(library);
    copy_of(environment("SYMBOLS_PLUGIN2"), "swapped.so");
    trace_symbols *s = trace_symbols_new();
    trace_frame f;
    trace_symbols_resolve(s, call(library, "plugin_entry"), true, &f, 1);
    assert_string_equal(f.func, "plugin_entry");
    assert_true(ends_with(f.file, "/swapped.so"));
    trace_symbols_resolve(s, call(library, "plugin_static_address"), true, &f, 1);
    assert_string_not_equal(f.func, "plugin_padding");
    assert_int_equal(f.line, 1);
    print_message("static function without a file: %s\n", f.func);
    trace_symbols_free(s);
    dlclose(library);
}

/* ---- other programs ---- */

static void run_probe(const char *path, const char *argument, char *out, size_t size)
{
    char command[9000];
    snprintf(command, sizeof command, "'%s' %s", path, argument);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    size_t n = fread(out, 1, size - 1, f);
    out[n] = 0;
    assert_int_equal(pclose(f), 0);
}

static void assert_full_answer(const char *text, bool dwarf)
{
    assert_non_null(strstr(text, "sample_outer "));
    assert_non_null(strstr(text, "sample_here "));
    assert_non_null(strstr(text, "main "));
    if (dwarf) {
        assert_non_null(strstr(text, "sample_innermost "));
        assert_non_null(strstr(text, "/sample.h "));
    }
}

static void probe_names_its_own_functions(void **unused)
{
    (void)unused;
    char path[4096], text[8192];
    snprintf(path, sizeof path, "%s/probe", environment("SYMBOLS_PROBE_DIR"));
    run_probe(path, "", text, sizeof text);
    assert_full_answer(text, DWARF);
    char *copy = copy_of(path, "removed");
    run_probe(copy, "remove", text, sizeof text);
    assert_full_answer(text, DWARF);
    assert_int_not_equal(access(copy, F_OK), 0);
}

static void stripped_program_has_offsets(void **unused)
{
    (void)unused;
    char path[4096], text[8192];
    snprintf(path, sizeof path, "%s/stripped", environment("SYMBOLS_PROBE_DIR"));
    run_probe(path, "", text, sizeof text);
    assert_null(strstr(text, "sample_"));
    assert_non_null(strstr(text, "stripped+0x"));
    assert_non_null(strstr(text, "/stripped 1\n"));
}

static void separate_debug_file_is_used(void **unused)
{
    (void)unused;
    char path[4096], text[8192];
    snprintf(path, sizeof path, "%s/linked", environment("SYMBOLS_PROBE_DIR"));
    run_probe(path, "", text, sizeof text);
    assert_full_answer(text, DWARF);
}

/* ---- no code at all ---- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void garbage_has_names_like_numbers(void **unused)
{
    (void)unused;
    uint64_t state = 1;
    trace_frame f = resolve_one(0x1234, true);
    assert_string_equal(f.func, "0x1234");
    f = resolve_one(0, false);
    assert_string_equal(f.func, "0x0");
    resolve_one(1, false);
    resolve_one(UINTPTR_MAX, true);
    resolve_one(UINTPTR_MAX, false);
    f = resolve_one((uintptr_t)0xffffffff81000000u, true);
    assert_string_equal(f.func, "0xffffffff81000000");
    for (int i = 0; i < 50000; i++)
        resolve_one(next_random(&state) >> (i % 24), i & 1);
}

/* Made-up addresses handed in again, as a confused caller might. */
static void made_up_address_is_no_code(void **unused)
{
    (void)unused;
    trace_frame frames[MAX_FRAMES];
    uintptr_t pc = sample_outer();
    unsigned n = resolve(pc, false, frames);
    for (unsigned i = 1; i < n; i++)
        resolve_one((uintptr_t)frames[i].pc, true);
}

static void data_and_stack_are_no_functions(void **unused)
{
    (void)unused;
    int local;
    trace_frame frames[MAX_FRAMES];
    resolve((uintptr_t)&symbols, true, frames);
    resolve((uintptr_t)&local, true, frames);
    assert_int_equal(strncmp(frames[0].func, "0x", 2), 0);
}

/* Every byte of this program and a part of libc: nothing empty, nothing with two meanings. */
static void every_address_has_one_meaning(void **unused)
{
    (void)unused;
    trace_frame frames[MAX_FRAMES];
    uintptr_t libc = (uintptr_t)dlsym(RTLD_NEXT, "strtod");
    for (int i = -6000; i < 6000; i++) {
        resolve((uintptr_t)static_function + (uintptr_t)i, true, frames);
        resolve(libc + (uintptr_t)(i * 3), true, frames);
    }
}

static void null_object_gives_placeholders(void **unused)
{
    (void)unused;
    trace_frame f;
    assert_int_equal(trace_symbols_resolve(NULL, 5, true, &f, 1), 1);
    assert_string_equal(f.func, "(no memory)");
    trace_symbols_refresh(NULL);
    trace_symbols_free(NULL);
}

/* ---- speed ---- */

static void speed(void **unused)
{
    (void)unused;
    enum { ADDRESSES = 2000, LOOKUPS = 200000 };
    trace_frame frames[MAX_FRAMES];
    trace_symbols *s = trace_symbols_new();
    uintptr_t base = (uintptr_t)static_function;
    uint64_t start = base_clock_now();
    trace_symbols_resolve(s, base, true, frames, MAX_FRAMES);
    uint64_t first = base_clock_now();
    for (int i = 0; i < ADDRESSES; i++)
        trace_symbols_resolve(s, base + (uintptr_t)i * 8, true, frames, MAX_FRAMES);
    uint64_t fresh = base_clock_now();
    for (int i = 0; i < LOOKUPS; i++)
        trace_symbols_resolve(s, base + (uintptr_t)(i * 7 % ADDRESSES) * 8, true, frames,
                              MAX_FRAMES);
    uint64_t end = base_clock_now();
    print_message("first address %llu us, new address %llu ns, known address %llu ns\n",
                  (unsigned long long)(first - start) / 1000,
                  (unsigned long long)(fresh - first) / ADDRESSES,
                  (unsigned long long)(end - fresh) / LOOKUPS);
    trace_symbols_free(s);
}

static int set_up(void **unused)
{
    (void)unused;
    seen = calloc(SEEN_SIZE, sizeof *seen);
    symbols = trace_symbols_new();
    return seen && symbols ? 0 : -1;
}

static int tear_down(void **unused)
{
    (void)unused;
    trace_symbols_free(symbols);
    free(seen);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(static_function_has_its_name),
        cmocka_unit_test(return_address_means_the_call_before_it),
        cmocka_unit_test(inlined_functions_are_expanded),
        cmocka_unit_test(callback_from_libc_has_libc_frames),
        cmocka_unit_test(vdso_is_known),
        cmocka_unit_test(library_loaded_later_is_found),
        cmocka_unit_test(library_may_be_unloaded_and_replaced),
        cmocka_unit_test(file_replaced_under_a_loaded_library),
        cmocka_unit_test(probe_names_its_own_functions),
        cmocka_unit_test(stripped_program_has_offsets),
        cmocka_unit_test(separate_debug_file_is_used),
        cmocka_unit_test(garbage_has_names_like_numbers),
        cmocka_unit_test(made_up_address_is_no_code),
        cmocka_unit_test(data_and_stack_are_no_functions),
        cmocka_unit_test(every_address_has_one_meaning),
        cmocka_unit_test(null_object_gives_placeholders),
        cmocka_unit_test(speed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
