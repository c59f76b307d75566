/* SPDX-License-Identifier: MIT */
/* The symbols of an object whose file is gone or was never there, from what the loader has put into
 * memory. */
#include "trace/symbols_elf.h"

#include <string.h>

typedef struct span {
    const uint8_t *bytes; /* NULL: none */
    uint64_t size;
} span;

typedef struct image {
    uintptr_t bias;
    const Elf64_Phdr *headers;
    unsigned count;
} image;

/* What [addr, addr + size) of the object is in memory, if all of it is readable. */
static span image_part(const image *m, uint64_t addr, uint64_t size)
{
    for (unsigned i = 0; i < m->count; i++) {
        const Elf64_Phdr *p = &m->headers[i];
        if (p->p_type == PT_LOAD && (p->p_flags & PF_R) && addr >= p->p_vaddr &&
            addr - p->p_vaddr <= p->p_memsz && size <= p->p_memsz - (addr - p->p_vaddr))
            return (span){(const uint8_t *)(m->bias + addr), size};
    }
    return (span){NULL, 0};
}

static const Elf64_Phdr *image_header(const image *m, uint32_t type)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->headers[i].p_type == type)
            return &m->headers[i];
    return NULL;
}

static trace_build_id notes_id(span notes)
{
    return trace_build_id_in_notes(notes.bytes, notes.size);
}

trace_build_id trace_build_id_of_image(uintptr_t bias, const Elf64_Phdr *headers, unsigned count)
{
    image m = {bias, headers, count};
    trace_build_id id = {0};
    for (unsigned i = 0; i < count && id.size == 0; i++)
        if (headers[i].p_type == PT_NOTE)
            id = notes_id(image_part(&m, headers[i].p_vaddr, headers[i].p_memsz));
    return id;
}

/* Some loaders add the bias to the pointers of the dynamic section, others (and the kernel's vdso)
 * do not. */
static uint64_t image_address(const image *m, uint64_t pointer)
{
    return pointer >= m->bias ? pointer - m->bias : pointer;
}

static bool image_dynamic(const image *m, int64_t tag, uint64_t *value)
{
    const Elf64_Phdr *p = image_header(m, PT_DYNAMIC);
    span part = p ? image_part(m, p->p_vaddr, p->p_memsz) : (span){NULL, 0};
    for (uint64_t i = 0; i + sizeof(Elf64_Dyn) <= part.size; i += sizeof(Elf64_Dyn)) {
        Elf64_Dyn d;
        memcpy(&d, part.bytes + i, sizeof d);
        if (d.d_tag == DT_NULL)
            return false;
        if (d.d_tag == tag) {
            *value = d.d_un.d_val;
            return true;
        }
    }
    return false;
}

static bool image_word(const image *m, uint64_t addr, uint32_t *word)
{
    span part = image_part(m, addr, sizeof *word);
    if (part.bytes)
        memcpy(word, part.bytes, sizeof *word);
    return part.bytes != NULL;
}

/* Words of DT_GNU_HASH: buckets, first symbol, size of the filter in 8-byte words, a shift; filter;
 * buckets; chains. */
static uint64_t symbols_of_gnu_hash(const image *m, uint64_t at)
{
    uint32_t buckets, first, filter, word, last = 0;
    if (!image_word(m, at, &buckets) || !image_word(m, at + 4, &first) ||
        !image_word(m, at + 8, &filter))
        return 0;
    uint64_t bucket = at + 16 + (uint64_t)filter * 8, chains = bucket + (uint64_t)buckets * 4;
    for (uint32_t i = 0; i < buckets && image_word(m, bucket + (uint64_t)i * 4, &word); i++)
        last = word > last ? word : last;
    if (last < first)
        return 0;
    /* The last chain ends with a word whose lowest bit is set. */
    while (image_word(m, chains + (uint64_t)(last - first) * 4, &word) && !(word & 1))
        last++;
    return (uint64_t)last + 1;
}

/* No entry of a loaded object tells the number of its symbols: the hash tables do. */
static uint64_t image_symbols(const image *m)
{
    uint64_t at;
    uint32_t chains;
    if (image_dynamic(m, DT_HASH, &at) && image_word(m, image_address(m, at) + 4, &chains))
        return chains;
    if (image_dynamic(m, DT_GNU_HASH, &at))
        return symbols_of_gnu_hash(m, image_address(m, at));
    return 0;
}

trace_elf *trace_elf_from_image(uintptr_t bias, const Elf64_Phdr *headers, unsigned count)
{
    image m = {bias, headers, count};
    span entries = {NULL, 0}, strings = {NULL, 0};
    uint64_t table, names, size;
    if (image_dynamic(&m, DT_SYMTAB, &table) && image_dynamic(&m, DT_STRTAB, &names) &&
        image_dynamic(&m, DT_STRSZ, &size)) {
        strings = image_part(&m, image_address(&m, names), size);
        entries = image_part(&m, image_address(&m, table), image_symbols(&m) * sizeof(Elf64_Sym));
    }
    return trace_elf_from_table(entries.bytes, entries.size, strings.bytes, strings.size);
}
