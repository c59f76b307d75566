/* SPDX-License-Identifier: MIT */
/*
 * Design. libdw can find the unit of an address (.debug_aranges) and the scopes around it, but the
 * one table is missing in what clang writes, and the other search reads a whole unit for every
 * address. So this file keeps its own index: the ranges of all units, and, for each unit that is
 * met, those of its functions. From the function down, inlined calls are found by walking the few
 * entries around the address.
 *
 * Rejected. libdwfl, which may ask a server in the network for debug information while it looks for
 * it.
 *
 * Corners. libdw does not survive a refused allocation everywhere: it aborts, reads a null pointer,
 * or calls a handler that must not return and by default ends the process. So it is called only
 * when the kernel would give as much address space as it could want; and the handler jumps out of
 * libdw, whose object is given up from then on and never freed, as nobody knows its state.
 */
#include "trace/symbols_dwarf.h"

#ifdef WEFT_WITH_LIBDW

#include "base/pages.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than any compiler nests; ends the walk through malformed input. */
#define MAX_NESTING 64

typedef struct range {
    uint64_t low, high;
    size_t index; /* of the unit, or of the function's DIE */
} range;

typedef struct ranges {
    range *at;
    size_t count, capacity;
} ranges;

typedef struct unit {
    Dwarf_Die die;  /* has the line table */
    Dwarf_Die tree; /* has the functions: another one where they are in a .dwo file */
    bool loaded;
    ranges functions;
    Dwarf_Die *dies;
    size_t count, capacity;
} unit;

struct trace_dwarf {
    int fd;
    size_t headroom; /* bytes that libdw might want for one address */
    Dwarf *dw;
    bool indexed;
    bool dead; /* memory was refused inside libdw */
    unit *units;
    size_t count, capacity;
    ranges by_address;
};

/* Where the handler jumps to. Per thread: several objects may be at work. */
static __thread jmp_buf *out_of_memory;

__attribute__((noreturn)) static void give_up(void)
{
    longjmp(*out_of_memory, 1);
}

/* Tables of a unit are of the size of the file at most, or of this, where the file is compressed.
 */
#define LEAST_HEADROOM ((size_t)16 << 20)

/* By mmap: a large malloc would change where the program's own blocks go. Nothing is touched. */
static bool has_headroom(size_t size)
{
    void *pages = base_pages_alloc(size);
    if (pages)
        base_pages_free(pages, size);
    return pages != NULL;
}

static bool grow(void **at, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    size_t larger = *capacity ? *capacity * 2 : 16;
    void *moved = realloc(*at, larger * size);
    if (!moved)
        return false;
    *at = moved;
    *capacity = larger;
    return true;
}

/* ---- ranges ---- */

static int by_low(const void *a, const void *b)
{
    const range *x = a, *y = b;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    return x->high < y->high ? 1 : x->high > y->high ? -1 : 0; /* the narrower one last */
}

/* What a linker dropped begins at 0, 1 or the end of the address space. */
static bool plausible(uint64_t low, uint64_t high)
{
    return low > 1 && high > low && low < UINT64_MAX - 1;
}

static void add_ranges(ranges *r, Dwarf_Die *die, size_t index)
{
    Dwarf_Addr base, low, high;
    for (ptrdiff_t at = 0; (at = dwarf_ranges(die, at, &base, &low, &high)) > 0;) {
        if (!plausible(low, high))
            continue;
        void *moved = r->at;
        if (!grow(&moved, r->count, &r->capacity, sizeof *r->at))
            return;
        r->at = moved;
        r->at[r->count++] = (range){low, high, index};
    }
}

static void sort_ranges(ranges *r)
{
    if (r->count)
        qsort(r->at, r->count, sizeof *r->at, by_low);
}

/* The innermost range around addr. Ranges of one kind hardly ever overlap: a few steps back are
 * enough. */
static const range *range_around(const ranges *r, uint64_t addr)
{
    enum { STEPS_BACK = 16 };
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->at[middle].low <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i-- > 0 && low - i <= STEPS_BACK;)
        if (addr < r->at[i].high)
            return &r->at[i];
    return NULL;
}

/* ---- index ---- */

static void add_unit(trace_dwarf *d, Dwarf_Die *die, Dwarf_Die *split)
{
    void *moved = d->units;
    if (!grow(&moved, d->count, &d->capacity, sizeof *d->units))
        return;
    d->units = moved;
    unit *u = &d->units[d->count];
    memset(u, 0, sizeof *u);
    u->die = *die;
    u->tree = *die;
    if (split->cu) {
        u->tree = *split;
        dwarf_new_oom_handler(dwarf_cu_getdwarf(split->cu), give_up);
    }
    add_ranges(&d->by_address, die, d->count);
    d->count++;
}

static void index_units(trace_dwarf *d)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die die, split;
    uint8_t type;
    dwarf_new_oom_handler(d->dw, give_up);
    Dwarf *alt = dwarf_getalt(d->dw);
    if (alt)
        dwarf_new_oom_handler(alt, give_up);
    for (;;) {
        memset(&split, 0, sizeof split);
        if (dwarf_get_units(d->dw, cu, &cu, NULL, &type, &die, &split) != 0)
            break;
        if (type == DW_UT_compile || type == DW_UT_skeleton)
            add_unit(d, &die, &split);
    }
    sort_ranges(&d->by_address);
    d->indexed = true;
}

static bool holds_functions(int tag)
{
    return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_structure_type ||
           tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

static void add_function(unit *u, Dwarf_Die *die)
{
    void *moved = u->dies;
    if (!grow(&moved, u->count, &u->capacity, sizeof *u->dies))
        return;
    u->dies = moved;
    size_t before = u->functions.count;
    add_ranges(&u->functions, die, u->count);
    if (u->functions.count > before)
        u->dies[u->count++] = *die;
}

static void index_functions(unit *u, Dwarf_Die *parent, int depth)
{
    Dwarf_Die die;
    if (depth > MAX_NESTING || dwarf_child(parent, &die) != 0)
        return;
    do {
        int tag = dwarf_tag(&die);
        if (tag == DW_TAG_subprogram)
            add_function(u, &die);
        else if (holds_functions(tag))
            index_functions(u, &die, depth + 1);
    } while (dwarf_siblingof(&die, &die) == 0);
}

static unit *unit_around(trace_dwarf *d, uint64_t addr)
{
    if (!d->indexed)
        index_units(d);
    const range *r = range_around(&d->by_address, addr);
    if (!r)
        return NULL;
    unit *u = &d->units[r->index];
    if (!u->loaded) {
        u->loaded = true;
        index_functions(u, &u->tree, 0);
        sort_ranges(&u->functions);
    }
    return u;
}

/* ---- expansion ---- */

/* From the function to the innermost call inlined at an address. */
typedef struct chain {
    Dwarf_Die at[MAX_NESTING];
    unsigned count;
} chain;

static bool is_block(int tag)
{
    return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block ||
           tag == DW_TAG_with_stmt;
}

/* Sets *inner to the inlined call or the block in parent that covers addr. */
static bool step_inside(Dwarf_Die *parent, uint64_t addr, Dwarf_Die *inner, bool *call)
{
    Dwarf_Die die;
    if (dwarf_child(parent, &die) != 0)
        return false;
    do {
        int tag = dwarf_tag(&die);
        *call = tag == DW_TAG_inlined_subroutine;
        if ((*call || is_block(tag)) && dwarf_haspc(&die, addr) > 0) {
            *inner = die;
            return true;
        }
    } while (dwarf_siblingof(&die, &die) == 0);
    return false;
}

static void find_chain(unit *u, uint64_t addr, chain *c)
{
    c->count = 0;
    const range *r = range_around(&u->functions, addr);
    if (!r)
        return;
    Dwarf_Die at = u->dies[r->index], inner;
    c->at[c->count++] = at;
    bool call;
    for (int depth = 0; depth < 4 * MAX_NESTING && c->count < MAX_NESTING; depth++) {
        if (!step_inside(&at, addr, &inner, &call))
            break;
        at = inner;
        if (call)
            c->at[c->count++] = at;
    }
}

static const char *string_attribute(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    const char *s = dwarf_formstring(dwarf_attr_integrate(die, name, &attribute));
    return s && *s ? s : NULL;
}

/* The linker's name where there is one: in C++ the plain one is no function's alone. */
static const char *function_name(Dwarf_Die *die)
{
    const char *s = string_attribute(die, DW_AT_linkage_name);
    if (!s)
        s = string_attribute(die, DW_AT_MIPS_linkage_name);
    return s ? s : string_attribute(die, DW_AT_name);
}

static bool number_attribute(Dwarf_Die *die, unsigned name, Dwarf_Word *value)
{
    Dwarf_Attribute attribute;
    return dwarf_formudata(dwarf_attr(die, name, &attribute), value) == 0;
}

/* The place of the leaf, from the line table. Line 0 is code that no line stands for: then the
 * function's own. */
static void place_of_address(unit *u, uint64_t addr, Dwarf_Die *function, trace_source *out)
{
    int number = 0;
    Dwarf_Line *line = dwarf_getsrc_die(&u->die, addr);
    if (line && dwarf_lineno(line, &number) == 0)
        out->file = dwarf_linesrc(line, NULL, NULL);
    if (number <= 0 && function && dwarf_decl_line(function, &number) == 0)
        out->file = dwarf_decl_file(function);
    out->line = number > 0 ? (uint32_t)number : 0;
}

static void place_of_call(unit *u, Dwarf_Die *call, trace_source *out)
{
    Dwarf_Word file, line;
    Dwarf_Files *files;
    size_t count;
    if (number_attribute(call, DW_AT_call_line, &line) && line <= UINT32_MAX)
        out->line = (uint32_t)line;
    if (number_attribute(call, DW_AT_call_file, &file) &&
        dwarf_getsrcfiles(&u->die, &files, &count) == 0 && file < count)
        out->file = dwarf_filesrc(files, file, NULL, NULL);
}

static unsigned expand(trace_dwarf *d, uint64_t addr, trace_source *out, unsigned max)
{
    unit *u = unit_around(d, addr);
    if (!u)
        return 0;
    chain c;
    find_chain(u, addr, &c);
    memset(out, 0, max * sizeof *out);
    place_of_address(u, addr, c.count ? &c.at[c.count - 1] : NULL, &out[0]);
    if (c.count == 0)
        return out[0].line ? 1 : 0; /* assembly: lines without functions */
    unsigned n = c.count < max ? c.count : max;
    for (unsigned i = 0; i < n; i++) {
        out[i].func = function_name(&c.at[c.count - 1 - i]);
        if (i > 0)
            place_of_call(u, &c.at[c.count - i], &out[i]);
    }
    return n;
}

/* ---- interface ---- */

static bool open_file(trace_dwarf *d, const char *path)
{
    struct stat st;
    d->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (d->fd < 0 || fstat(d->fd, &st) != 0 || st.st_size < 0)
        return false;
    d->headroom = LEAST_HEADROOM + 2 * (size_t)st.st_size;
    if (!has_headroom(d->headroom))
        return false;
    d->dw = dwarf_begin(d->fd, DWARF_C_READ);
    return d->dw != NULL;
}

trace_dwarf *trace_dwarf_open(const char *path)
{
    trace_dwarf *d = calloc(1, sizeof *d);
    if (d && !open_file(d, path)) {
        trace_dwarf_free(d);
        return NULL;
    }
    return d;
}

void trace_dwarf_free(trace_dwarf *dwarf)
{
    if (!dwarf)
        return;
    if (dwarf->dw && !dwarf->dead)
        dwarf_end(dwarf->dw);
    for (size_t i = 0; i < dwarf->count; i++) {
        free(dwarf->units[i].functions.at);
        free(dwarf->units[i].dies);
    }
    free(dwarf->units);
    free(dwarf->by_address.at);
    if (dwarf->fd >= 0)
        close(dwarf->fd);
    free(dwarf);
}

unsigned trace_dwarf_expand(trace_dwarf *dwarf, uint64_t addr, trace_source *out, unsigned max)
{
    if (!dwarf || dwarf->dead || max == 0 || !has_headroom(dwarf->headroom))
        return 0;
    jmp_buf here;
    out_of_memory = &here;
    if (setjmp(here) != 0) {
        dwarf->dead = true;
        return 0;
    }
    return expand(dwarf, addr, out, max);
}

#else /* !WEFT_WITH_LIBDW */

#include <stddef.h>

trace_dwarf *trace_dwarf_open(const char *path)
{
    (void)path;
    return NULL;
}

void trace_dwarf_free(trace_dwarf *dwarf)
{
    (void)dwarf;
}

unsigned trace_dwarf_expand(trace_dwarf *dwarf, uint64_t addr, trace_source *out, unsigned max)
{
    (void)dwarf;
    (void)addr;
    (void)out;
    (void)max;
    return 0;
}

#endif
