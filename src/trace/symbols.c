/* SPDX-License-Identifier: MIT */
/*
 * Design. Addresses in user space have their top byte clear, in the kernel set. Between the two no
 * processor has any, and there the addresses are made up that inlined frames are known by:
 *
 *     bits 63-56   0x80 + depth: 1 for the caller of the leaf, and so on
 *     bits 55-0    of the looked-up address
 *
 * Depth 0 takes in what is between the two and was handed to us all the same. So no two frames
 * share an address, without any table, and a frame has the same one in every run of the same code.
 *
 * Results are kept in one hash table from looked-up addresses to runs of an array of frames. The
 * strings are interned and never freed before the end: a library may go, the names of its functions
 * are still needed.
 */
#include "trace/symbols.h"

#include "trace/symbols_modules.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Frames of one address: more inlined calls than that are dropped from the outer end. At most 0x7e.
 */
#define MAX_EXPANSION 48
#define CHUNK_BYTES   65536

#define MADE_UP   (UINT64_C(0x80) << 56)
#define TOP_BYTE  (UINT64_C(0xff) << 56)
#define NO_MEMORY "(no memory)"

typedef struct cached {
    uint64_t pc;
    uint32_t first; /* index into frames */
    uint32_t count; /* 0: the slot is free */
} cached;

typedef struct chunk {
    struct chunk *next;
    char bytes[];
} chunk;

struct trace_symbols {
    trace_modules modules;

    cached *cache; /* open addressing, size a power of two */
    size_t cache_size, cache_used;
    trace_frame *frames;
    size_t frame_count, frame_capacity;
    bool has_unknown; /* an address without an object is in the cache */

    const char **strings; /* a hash set, same kind */
    size_t string_size, string_used;
    chunk *chunks;
    char *chunk_at;
    size_t chunk_left;
};

/* ---- strings ---- */

static uint64_t hash_string(const char *s)
{
    uint64_t h = 14695981039346656037u;
    while (*s)
        h = (h ^ (unsigned char)*s++) * 1099511628211u;
    return h ^ (h >> 32);
}

/* The place of s in the set, or where it belongs. */
static const char **string_slot(const char **strings, size_t size, const char *s)
{
    size_t i = hash_string(s) & (size - 1);
    while (strings[i] && strcmp(strings[i], s) != 0)
        i = (i + 1) & (size - 1);
    return &strings[i];
}

static bool grow_strings(trace_symbols *t)
{
    if (t->string_used * 4 < t->string_size * 3)
        return true;
    size_t size = t->string_size ? t->string_size * 2 : 1024;
    const char **larger = calloc(size, sizeof *larger);
    if (!larger)
        return false;
    for (size_t i = 0; i < t->string_size; i++)
        if (t->strings[i])
            *string_slot(larger, size, t->strings[i]) = t->strings[i];
    free(t->strings);
    t->strings = larger;
    t->string_size = size;
    return true;
}

static char *string_space(trace_symbols *t, size_t size)
{
    if (size > t->chunk_left) {
        size_t bytes = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        chunk *c = malloc(sizeof *c + bytes);
        if (!c)
            return NULL;
        c->next = t->chunks;
        t->chunks = c;
        t->chunk_at = c->bytes;
        t->chunk_left = bytes;
    }
    char *at = t->chunk_at;
    t->chunk_at += size;
    t->chunk_left -= size;
    return at;
}

static const char *intern(trace_symbols *t, const char *s)
{
    if (!grow_strings(t))
        return NULL;
    const char **slot = string_slot(t->strings, t->string_size, s);
    if (!*slot) {
        size_t size = strlen(s) + 1;
        char *copy = string_space(t, size);
        if (!copy)
            return NULL;
        *slot = memcpy(copy, s, size);
        t->string_used++;
    }
    return *slot;
}

/* ---- cache ---- */

static size_t hash_pc(uint64_t pc)
{
    uint64_t h = pc * 0x9e3779b97f4a7c15u;
    return (size_t)(h ^ (h >> 32));
}

static cached *cache_slot(cached *cache, size_t size, uint64_t pc)
{
    size_t i = hash_pc(pc) & (size - 1);
    while (cache[i].count && cache[i].pc != pc)
        i = (i + 1) & (size - 1);
    return &cache[i];
}

static bool grow_cache(trace_symbols *t)
{
    if (t->cache_used * 4 < t->cache_size * 3)
        return true;
    size_t size = t->cache_size ? t->cache_size * 2 : 1024;
    cached *larger = calloc(size, sizeof *larger);
    if (!larger)
        return false;
    for (size_t i = 0; i < t->cache_size; i++)
        if (t->cache[i].count)
            *cache_slot(larger, size, t->cache[i].pc) = t->cache[i];
    free(t->cache);
    t->cache = larger;
    t->cache_size = size;
    return true;
}

static bool grow_frames(trace_symbols *t, unsigned count)
{
    if (t->frame_count + count <= t->frame_capacity)
        return true;
    size_t capacity = t->frame_capacity ? t->frame_capacity * 2 : 1024;
    if (capacity > UINT32_MAX)
        return false;
    trace_frame *larger = realloc(t->frames, capacity * sizeof *larger);
    if (!larger)
        return false;
    t->frames = larger;
    t->frame_capacity = capacity;
    return true;
}

/* Best effort: without memory the address is resolved again the next time. */
static void remember(trace_symbols *t, uint64_t pc, const trace_frame *frames, unsigned count)
{
    if (!grow_cache(t) || !grow_frames(t, count))
        return;
    memcpy(t->frames + t->frame_count, frames, count * sizeof *frames);
    cached *slot = cache_slot(t->cache, t->cache_size, pc);
    *slot = (cached){pc, (uint32_t)t->frame_count, count};
    t->frame_count += count;
    t->cache_used++;
}

static unsigned recall(const trace_symbols *t, uint64_t pc, trace_frame *out, unsigned max)
{
    if (t->cache_size == 0)
        return 0;
    const cached *slot = cache_slot(t->cache, t->cache_size, pc);
    unsigned count = slot->count < max ? slot->count : max;
    if (count)
        memcpy(out, t->frames + slot->first, count * sizeof *out);
    return count;
}

static void forget_all(trace_symbols *t)
{
    if (t->cache_size)
        memset(t->cache, 0, t->cache_size * sizeof *t->cache);
    t->cache_used = 0;
    t->frame_count = 0;
    t->has_unknown = false;
}

/* ---- resolution ---- */

static uint64_t made_up_pc(uint64_t pc, unsigned depth)
{
    return (MADE_UP + ((uint64_t)depth << 56)) | (pc & ~TOP_BYTE);
}

/* The address that stands for pc everywhere. */
static uint64_t looked_up(uintptr_t pc, bool exact)
{
    uint64_t at = exact || pc == 0 ? pc : pc - 1;
    uint64_t top = at & TOP_BYTE;
    if (at == 0 || (top >= MADE_UP && top != TOP_BYTE))
        return made_up_pc(at, 0);
    return at;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* The symbol, or OBJECT+0xOFFSET with the offset of the function's beginning where that is known.
 */
static const char *function_at(trace_symbols *t, const trace_module *m, uint64_t addr)
{
    char name[300];
    const char *symbol = m->symbols ? trace_elf_symbol(m->symbols, addr) : NULL;
    if (!symbol && m->elf)
        symbol = trace_elf_symbol(m->elf, addr);
    if (symbol)
        return intern(t, symbol);
    uint64_t start = m->elf ? trace_elf_function_start(m->elf, addr) : 0;
    snprintf(name, sizeof name, "%.255s+0x%llx", base_name(m->path),
             (unsigned long long)(start ? start : addr));
    return intern(t, name);
}

/* False if memory was refused. */
static bool frame_of_source(trace_symbols *t, const trace_module *m, uint64_t addr,
                            const trace_source *s, trace_frame *out)
{
    out->func = s->func && *s->func ? intern(t, s->func) : function_at(t, m, addr);
    out->file = intern(t, s->file && *s->file ? s->file : m->path);
    out->line = s->line ? s->line : 1;
    return out->func && out->file;
}

static unsigned resolve_in(trace_symbols *t, const trace_module *m, uint64_t pc, trace_frame *out)
{
    trace_source sources[MAX_EXPANSION];
    uint64_t addr = pc - m->bias;
    unsigned count = trace_dwarf_expand(m->dwarf, addr, sources, MAX_EXPANSION);
    if (count == 0)
        sources[count++] = (trace_source){NULL, NULL, 0};
    for (unsigned i = 0; i < count; i++) {
        if (!frame_of_source(t, m, addr, &sources[i], &out[i]))
            return 0;
        out[i].pc = i ? made_up_pc(pc, i) : pc;
    }
    return count;
}

static unsigned resolve_unknown(trace_symbols *t, uint64_t pc, trace_frame *out)
{
    char name[32];
    snprintf(name, sizeof name, "0x%llx",
             (unsigned long long)((pc & TOP_BYTE) == MADE_UP ? pc & ~TOP_BYTE : pc));
    const char *func = intern(t, name);
    if (!func)
        return 0;
    t->has_unknown = true;
    *out = (trace_frame){.pc = pc, .func = func, .file = "(unknown)", .line = 1};
    return 1;
}

static unsigned resolve(trace_symbols *t, uint64_t pc, trace_frame *out)
{
    trace_modules_update(&t->modules);
    const trace_module *m = trace_modules_find(&t->modules, (uintptr_t)pc);
    unsigned count = m ? resolve_in(t, m, pc, out) : resolve_unknown(t, pc, out);
    if (count)
        remember(t, pc, out, count);
    return count;
}

unsigned trace_symbols_resolve(trace_symbols *symbols, uintptr_t pc, bool exact, trace_frame *out,
                               unsigned max)
{
    uint64_t at = looked_up(pc, exact);
    if (symbols) {
        unsigned count = recall(symbols, at, out, max);
        if (count)
            return count;
        trace_frame frames[MAX_EXPANSION];
        count = resolve(symbols, at, frames);
        if (count) {
            count = count < max ? count : max;
            memcpy(out, frames, count * sizeof *out);
            return count;
        }
    }
    *out = (trace_frame){.pc = at, .func = NO_MEMORY, .file = NO_MEMORY, .line = 1};
    return 1;
}

void trace_symbols_refresh(trace_symbols *symbols)
{
    if (!symbols)
        return;
    bool changed = trace_modules_update(&symbols->modules);
    if (symbols->modules.dropped || (changed && symbols->has_unknown))
        forget_all(symbols);
    symbols->modules.dropped = false;
}

const trace_modules *trace_symbols_modules(trace_symbols *symbols)
{
    if (!symbols)
        return NULL;
    trace_modules_update(&symbols->modules);
    return &symbols->modules;
}

bool trace_symbols_add_module(trace_symbols *symbols, const trace_module *module)
{
    return trace_modules_add(&symbols->modules, module);
}

trace_symbols *trace_symbols_new(void)
{
    return calloc(1, sizeof(trace_symbols));
}

void trace_symbols_free(trace_symbols *symbols)
{
    if (!symbols)
        return;
    trace_modules_fini(&symbols->modules);
    for (chunk *c = symbols->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(symbols->strings);
    free(symbols->cache);
    free(symbols->frames);
    free(symbols);
}
