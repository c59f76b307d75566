/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/symbols_modules.h"

#include "base/file.h"

#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

static void module_free(trace_module *module)
{
    trace_dwarf_free(module->dwarf);
    trace_elf_free(module->symbols);
    trace_elf_free(module->elf);
    free(module->path);
    free(module);
}

void trace_modules_fini(trace_modules *modules)
{
    for (size_t i = 0; i < modules->count; i++)
        module_free(modules->at[i]);
    free(modules->at);
    *modules = (trace_modules){.at = NULL};
}

/* ---- scan ---- */

typedef struct scan {
    trace_modules *modules;
    unsigned long long loads, unloads;
    bool first;
    bool failed;
} scan;

static void module_range(const struct dl_phdr_info *info, uintptr_t *low, uintptr_t *high)
{
    *low = UINTPTR_MAX;
    *high = 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const Elf64_Phdr *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD)
            continue;
        uintptr_t from = info->dlpi_addr + p->p_vaddr, to = from + p->p_memsz;
        *low = from < *low ? from : *low;
        *high = to > *high ? to : *high;
    }
}

/* The program's name, which the loader leaves empty. */
static char *program_path(void)
{
    char path[PATH_MAX];
    base_program_path(path, sizeof path);
    if (path[0])
        return strdup(path);
    const char *name = (const char *)getauxval(AT_EXECFN);
    return strdup(name && *name ? name : "(program)");
}

static char *module_path(const struct dl_phdr_info *info, bool program)
{
    const char *name = info->dlpi_name;
    if (program)
        return program_path();
    if (!name || !*name)
        return strdup("(object)");
    /* Now: the working directory may be another one when the file is opened. */
    char *absolute = strchr(name, '/') && *name != '/' ? realpath(name, NULL) : NULL;
    return absolute ? absolute : strdup(name);
}

static bool same_object(const trace_module *module, const struct dl_phdr_info *info, uintptr_t low,
                        uintptr_t high, const trace_build_id *id)
{
    return module->bias == info->dlpi_addr && module->low == low && module->high == high &&
           module->id.size == id->size && memcmp(module->id.bytes, id->bytes, id->size) == 0;
}

static trace_module *known_object(const trace_modules *modules, const struct dl_phdr_info *info,
                                  uintptr_t low, uintptr_t high, const trace_build_id *id)
{
    for (size_t i = 0; i < modules->count; i++)
        if (same_object(modules->at[i], info, low, high, id))
            return modules->at[i];
    return NULL;
}

static bool make_room(trace_modules *modules)
{
    if (modules->count < modules->capacity)
        return true;
    size_t capacity = modules->capacity ? modules->capacity * 2 : 32;
    trace_module **at = realloc(modules->at, capacity * sizeof(trace_module *));
    if (!at)
        return false;
    modules->at = at;
    modules->capacity = capacity;
    return true;
}

static bool add_object(scan *s, const struct dl_phdr_info *info)
{
    bool program = s->first;
    s->first = false;
    uintptr_t low, high;
    module_range(info, &low, &high);
    if (low >= high)
        return true;
    trace_build_id id = trace_build_id_of_image(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum);
    trace_module *module = known_object(s->modules, info, low, high, &id);
    if (!module) {
        module = make_room(s->modules) ? calloc(1, sizeof *module) : NULL;
        if (!module || !(module->path = module_path(info, program))) {
            free(module);
            return false;
        }
        module->bias = info->dlpi_addr;
        module->low = low;
        module->high = high;
        module->program = program;
        module->id = id;
        module->headers = trace_elf_hash_headers(info->dlpi_phdr, info->dlpi_phnum);
        s->modules->at[s->modules->count++] = module;
    }
    module->seen = true;
    return true;
}

static int scan_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    scan *s = arg;
    (void)size;
    s->loads = info->dlpi_adds;
    s->unloads = info->dlpi_subs;
    s->failed = !add_object(s, info);
    return s->failed;
}

static int by_low(const void *a, const void *b)
{
    const trace_module *x = *(trace_module *const *)a, *y = *(trace_module *const *)b;
    return x->low < y->low ? -1 : x->low > y->low;
}

static void drop_unseen(trace_modules *modules)
{
    size_t kept = 0;
    for (size_t i = 0; i < modules->count; i++) {
        trace_module *module = modules->at[i];
        if (module->seen) {
            module->seen = false;
            modules->at[kept++] = module;
        } else {
            module_free(module);
            modules->dropped = true;
        }
    }
    modules->count = kept;
}

/* Where memory is refused the list keeps what it had and what was found until then; the next
 * look-up scans again. */
static void scan_all(trace_modules *modules)
{
    scan s = {.modules = modules, .first = true};
    dl_iterate_phdr(scan_object, &s);
    if (!s.failed) {
        drop_unseen(modules);
        modules->loads = s.loads;
        modules->unloads = s.unloads;
    }
    if (modules->count)
        qsort(modules->at, modules->count, sizeof *modules->at, by_low);
}

static int read_counters(struct dl_phdr_info *info, size_t size, void *arg)
{
    scan *s = arg;
    (void)size;
    s->loads = info->dlpi_adds;
    s->unloads = info->dlpi_subs;
    return 1;
}

bool trace_modules_add(trace_modules *modules, const trace_module *module)
{
    trace_module *copy = make_room(modules) ? malloc(sizeof *copy) : NULL;
    char *path = copy ? strdup(module->path) : NULL;
    if (!path) {
        free(copy);
        return false;
    }
    *copy = (trace_module){.bias = module->bias,
                           .low = module->low,
                           .high = module->high,
                           .path = path,
                           .foreign = true,
                           .id = module->id,
                           .headers = module->headers};
    modules->foreign = true;
    modules->at[modules->count++] = copy;
    qsort(modules->at, modules->count, sizeof *modules->at, by_low);
    return true;
}

bool trace_modules_update(trace_modules *modules)
{
    if (modules->foreign)
        return false;
    scan now = {.modules = modules};
    dl_iterate_phdr(read_counters, &now);
    if (modules->count && now.loads == modules->loads && now.unloads == modules->unloads)
        return false;
    scan_all(modules);
    return true;
}

/* ---- files ---- */

typedef struct image_request {
    const trace_module *module;
    trace_elf *elf;
} image_request;

static int visit_image(struct dl_phdr_info *info, size_t size, void *arg)
{
    image_request *r = arg;
    (void)size;
    uintptr_t low, high;
    module_range(info, &low, &high);
    if (info->dlpi_addr != r->module->bias || low != r->module->low || high != r->module->high)
        return 0;
    r->elf = trace_elf_from_image(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum);
    return 1;
}

static bool same_id(const trace_build_id *a, trace_build_id b)
{
    return a->size == b.size && memcmp(a->bytes, b.bytes, b.size) == 0;
}

/* The file at path if it is the one that was loaded. */
static trace_elf *open_loaded(const trace_module *module, const char *path)
{
    trace_elf *file = trace_elf_open(path);
    if (!file)
        return NULL;
    if (trace_elf_headers(file) == module->headers &&
        same_id(&module->id, trace_elf_build_id(file)))
        return file;
    trace_elf_free(file);
    return NULL;
}

static trace_elf *read_image(const trace_module *module)
{
    image_request r = {.module = module};
    dl_iterate_phdr(visit_image, &r);
    return r.elf;
}

/* Sets *path to where the object's file was found, or leaves it NULL. */
static trace_elf *find_object(const trace_module *module, const char **path)
{
    const char *candidates[] = {module->program ? BASE_PROGRAM_FILE : NULL, module->path};
    for (int i = 0; i < 2; i++) {
        /* The vdso's name has no slash and is no file's. */
        if (!candidates[i] || !strchr(candidates[i], '/'))
            continue;
        trace_elf *elf = open_loaded(module, candidates[i]);
        if (elf) {
            *path = candidates[i];
            return elf;
        }
    }
    return module->foreign ? NULL : read_image(module);
}

/* ---- separate debug files ---- */

#define DEBUG_ROOT "/usr/lib/debug"

typedef char debug_path[PATH_MAX + 64];

static bool has_debug_info(const trace_elf *elf)
{
    return trace_elf_has_section(elf, ".debug_info") || trace_elf_has_section(elf, ".zdebug_info");
}

static trace_elf *debug_by_build_id(const trace_module *module, debug_path path)
{
    if (module->id.size < 2)
        return NULL;
    int n = snprintf(path, sizeof(debug_path), DEBUG_ROOT "/.build-id/%02x/", module->id.bytes[0]);
    for (unsigned i = 1; i < module->id.size; i++)
        n += snprintf(path + n, sizeof(debug_path) - (size_t)n, "%02x", module->id.bytes[i]);
    snprintf(path + n, sizeof(debug_path) - (size_t)n, ".debug");
    trace_elf *elf = trace_elf_open(path);
    if (elf && same_id(&module->id, trace_elf_build_id(elf)))
        return elf;
    trace_elf_free(elf);
    return NULL;
}

/* A build id proves that the files belong together; without one the checksum of the link must. */
static bool belongs(const trace_module *module, const trace_elf *elf, uint32_t crc)
{
    if (module->id.size)
        return same_id(&module->id, trace_elf_build_id(elf));
    return trace_elf_crc(elf) == crc;
}

static trace_elf *debug_by_link(const trace_module *module, debug_path path)
{
    static const char *const roots[] = {"", "", DEBUG_ROOT}, *const folders[] = {"", ".debug/", ""};
    uint32_t crc;
    const char *name = trace_elf_debug_link(module->elf, &crc), *slash = strrchr(module->path, '/');
    if (!name || !slash)
        return NULL;
    for (int i = 0; i < 3; i++) {
        int n = snprintf(path, sizeof(debug_path), "%s%.*s%s%s", roots[i],
                         (int)(slash + 1 - module->path), module->path, folders[i], name);
        if (n < 0 || (size_t)n >= sizeof(debug_path) || strcmp(path, module->path) == 0)
            continue;
        trace_elf *elf = trace_elf_open(path);
        if (elf && belongs(module, elf, crc))
            return elf;
        trace_elf_free(elf);
    }
    return NULL;
}

static void open_debug(trace_module *module, const char *path)
{
    debug_path separate;
    if (has_debug_info(module->elf)) {
        module->dwarf = trace_dwarf_open(path);
        return;
    }
    trace_elf *elf = debug_by_build_id(module, separate);
    if (!elf)
        elf = debug_by_link(module, separate);
    if (!elf)
        return;
    if (has_debug_info(elf))
        module->dwarf = trace_dwarf_open(separate);
    if (!trace_elf_has_full_symbols(module->elf) && trace_elf_has_full_symbols(elf))
        module->symbols = elf;
    else
        trace_elf_free(elf);
}

static void module_open(trace_module *module)
{
    const char *path = NULL;
    module->opened = true;
    module->elf = find_object(module, &path);
    if (module->elf && path)
        open_debug(module, path);
}

trace_module *trace_modules_find(trace_modules *modules, uintptr_t addr)
{
    size_t low = 0, high = modules->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (modules->at[middle]->low <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    trace_module *module = low ? modules->at[low - 1] : NULL;
    if (!module || addr >= module->high)
        return NULL;
    if (!module->opened)
        module_open(module);
    return module;
}
