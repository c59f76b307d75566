/* SPDX-License-Identifier: MIT */
#include "trace/symbols_elf.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define ELF_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define ELF_MACHINE EM_AARCH64
#endif

typedef struct span {
    const uint8_t *bytes; /* NULL: none */
    uint64_t size;
} span;

typedef struct symbol {
    uint64_t addr;
    uint64_t size; /* 0: up to the next one */
    uint32_t name; /* offset into strings */
    uint32_t rank; /* greater is better, of several at one address */
} symbol;

struct trace_elf {
    span file; /* the mapping; none when read from an image */
    symbol *symbols;
    size_t count;
    span strings;       /* ends in a zero byte */
    char *strings_copy; /* owned, where strings does not lie in the file */
    bool loaded;        /* symbols have been looked for */
};

/* ---- the file ---- */

static span span_part(span s, uint64_t offset, uint64_t size)
{
    span none = {NULL, 0};
    if (!s.bytes || offset > s.size || size > s.size - offset)
        return none;
    return (span){s.bytes + offset, size};
}

static const Elf64_Ehdr *header_of(span file)
{
    const Elf64_Ehdr *h = (const Elf64_Ehdr *)span_part(file, 0, sizeof *h).bytes;
    if (!h || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
        h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != ELF_MACHINE)
        return NULL;
    return h->e_type == ET_DYN || h->e_type == ET_EXEC ? h : NULL;
}

/* Sections and headers are copied out one by one: a malformed file may place them at odd addresses.
 */
static bool section_at(span file, size_t i, Elf64_Shdr *out)
{
    const Elf64_Ehdr *h = header_of(file);
    if (!h || h->e_shentsize != sizeof *out || i >= h->e_shnum)
        return false;
    span part = span_part(file, h->e_shoff, (uint64_t)h->e_shnum * sizeof *out);
    if (!part.bytes)
        return false;
    memcpy(out, part.bytes + i * sizeof *out, sizeof *out);
    return true;
}

static bool program_header_at(span file, size_t i, Elf64_Phdr *out)
{
    const Elf64_Ehdr *h = header_of(file);
    if (!h || h->e_phentsize != sizeof *out || i >= h->e_phnum)
        return false;
    span part = span_part(file, h->e_phoff, (uint64_t)h->e_phnum * sizeof *out);
    if (!part.bytes)
        return false;
    memcpy(out, part.bytes + i * sizeof *out, sizeof *out);
    return true;
}

static span section_bytes(span file, const Elf64_Shdr *s)
{
    span none = {NULL, 0};
    return s->sh_type == SHT_NOBITS ? none : span_part(file, s->sh_offset, s->sh_size);
}

static bool section_by_type(span file, uint32_t type, Elf64_Shdr *out)
{
    for (size_t i = 0; section_at(file, i, out); i++)
        if (out->sh_type == type && out->sh_entsize == sizeof(Elf64_Sym))
            return true;
    return false;
}

/* The string at offset if it ends within the table. */
static const char *string_at(span table, uint64_t offset)
{
    if (!table.bytes || offset >= table.size ||
        !memchr(table.bytes + offset, 0, table.size - offset))
        return NULL;
    return (const char *)table.bytes + offset;
}

static bool section_by_name(span file, const char *name, Elf64_Shdr *out)
{
    Elf64_Shdr names;
    const Elf64_Ehdr *h = header_of(file);
    if (!h || !section_at(file, h->e_shstrndx, &names))
        return false;
    span table = section_bytes(file, &names);
    for (size_t i = 0; section_at(file, i, out); i++) {
        const char *found = string_at(table, out->sh_name);
        if (found && strcmp(found, name) == 0)
            return true;
    }
    return false;
}

trace_elf *trace_elf_open(const char *path)
{
    trace_elf *elf = calloc(1, sizeof *elf);
    if (!elf)
        return NULL;
    size_t size = 0;
    elf->file.bytes = base_file_map(path, &size);
    elf->file.size = size;
    if (!header_of(elf->file)) {
        trace_elf_free(elf);
        return NULL;
    }
    return elf;
}

void trace_elf_free(trace_elf *elf)
{
    if (!elf)
        return;
    if (elf->file.bytes)
        base_file_unmap(elf->file.bytes, elf->file.size);
    free(elf->symbols);
    free(elf->strings_copy);
    free(elf);
}

/* FNV-1a. */
static uint64_t hash_header(uint64_t hash, const Elf64_Phdr *header)
{
    const uint8_t *bytes = (const uint8_t *)header;
    for (size_t i = 0; i < sizeof *header; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

uint64_t trace_elf_hash_headers(const Elf64_Phdr *headers, unsigned count)
{
    uint64_t hash = 14695981039346656037u;
    for (unsigned i = 0; i < count; i++)
        hash = hash_header(hash, &headers[i]);
    return hash;
}

uint64_t trace_elf_headers(const trace_elf *elf)
{
    const Elf64_Ehdr *h = header_of(elf->file);
    uint64_t hash = 14695981039346656037u;
    Elf64_Phdr header;
    for (unsigned i = 0; h && i < h->e_phnum; i++) {
        if (!program_header_at(elf->file, i, &header))
            return 0;
        hash = hash_header(hash, &header);
    }
    return hash;
}

bool trace_elf_has_section(const trace_elf *elf, const char *name)
{
    Elf64_Shdr s;
    return section_by_name(elf->file, name, &s) && s.sh_type != SHT_NOBITS && s.sh_size > 0;
}

bool trace_elf_has_full_symbols(const trace_elf *elf)
{
    Elf64_Shdr s;
    return section_by_type(elf->file, SHT_SYMTAB, &s);
}

/* ---- notes ---- */

static uint64_t align4(uint64_t n)
{
    return (n + 3) & ~UINT64_C(3);
}

trace_build_id trace_build_id_in_notes(const uint8_t *bytes, uint64_t size)
{
    span notes = {bytes, size};
    trace_build_id id = {0};
    Elf64_Nhdr n;
    while (notes.size >= sizeof n) {
        memcpy(&n, notes.bytes, sizeof n);
        uint64_t name = sizeof n, desc = name + align4(n.n_namesz);
        uint64_t next = desc + align4(n.n_descsz);
        if (desc + n.n_descsz > notes.size)
            break;
        if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && n.n_descsz <= TRACE_BUILD_ID_MAX &&
            memcmp(notes.bytes + name, "GNU", 4) == 0) {
            id.size = (uint8_t)n.n_descsz;
            memcpy(id.bytes, notes.bytes + desc, n.n_descsz);
            break;
        }
        if (next > notes.size)
            break;
        notes = span_part(notes, next, notes.size - next);
    }
    return id;
}

trace_build_id trace_elf_build_id(const trace_elf *elf)
{
    trace_build_id id = {0};
    Elf64_Phdr p;
    for (size_t i = 0; id.size == 0 && program_header_at(elf->file, i, &p); i++)
        if (p.p_type == PT_NOTE) {
            span notes = span_part(elf->file, p.p_offset, p.p_filesz);
            id = trace_build_id_in_notes(notes.bytes, notes.size);
        }
    return id;
}

/* ---- separate debug files ---- */

const char *trace_elf_debug_link(const trace_elf *elf, uint32_t *crc)
{
    Elf64_Shdr s;
    if (!section_by_name(elf->file, ".gnu_debuglink", &s))
        return NULL;
    span link = section_bytes(elf->file, &s);
    const char *name = string_at(link, 0);
    if (!name || !*name || strchr(name, '/'))
        return NULL;
    span sum = span_part(link, align4(strlen(name) + 1), sizeof *crc);
    if (!sum.bytes)
        return NULL;
    memcpy(crc, sum.bytes, sizeof *crc);
    return name;
}

/* The CRC-32 of IEEE 802.3, by nibbles: a table of 16 words, as it is needed once for an object, if
 * at all. */
uint32_t trace_elf_crc(const trace_elf *elf)
{
    uint32_t table[16];
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 4; bit++)
            c = (c >> 1) ^ (c & 1 ? 0xedb88320u : 0);
        table[i] = c;
    }
    uint32_t crc = ~0u;
    for (uint64_t i = 0; i < elf->file.size; i++) {
        crc ^= elf->file.bytes[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}

/* ---- symbols ---- */

/* Global names before local ones, and functions before what assembly files leave untyped. */
static uint32_t rank_of(const Elf64_Sym *s)
{
    unsigned bind = ELF64_ST_BIND(s->st_info);
    uint32_t rank = ELF64_ST_TYPE(s->st_info) == STT_NOTYPE ? 0 : 4;
    return rank + (bind == STB_GLOBAL ? 2 : bind == STB_WEAK ? 1 : 0);
}

static bool names_code(const Elf64_Sym *s, const char *name)
{
    unsigned type = ELF64_ST_TYPE(s->st_info);
    if (s->st_shndx == SHN_UNDEF || s->st_shndx == SHN_ABS || !name || !*name)
        return false;
    if (type == STT_FUNC || type == STT_GNU_IFUNC)
        return true;
    /* Mapping symbols of ARM begin with $, local labels with a dot. */
    return type == STT_NOTYPE && *name != '$' && *name != '.';
}

static int by_address(const void *a, const void *b)
{
    const symbol *x = a, *y = b;
    if (x->addr != y->addr)
        return x->addr < y->addr ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

/*
 * Keeps the functions of a symbol table, by address. entries need not be aligned. Untyped symbols
 * outside of the code (data labels) do no harm: no address that is looked up lies there.
 */
static void keep_functions(trace_elf *elf, span entries, span strings)
{
    size_t total = entries.size / sizeof(Elf64_Sym);
    if (!strings.bytes || strings.size > UINT32_MAX || total == 0 ||
        total > SIZE_MAX / sizeof(symbol))
        return;
    symbol *kept = malloc(total * sizeof *kept);
    if (!kept)
        return;
    size_t count = 0;
    for (size_t i = 0; i < total; i++) {
        Elf64_Sym s;
        memcpy(&s, entries.bytes + i * sizeof s, sizeof s);
        if (names_code(&s, string_at(strings, s.st_name)))
            kept[count++] = (symbol){s.st_value, s.st_size, s.st_name, rank_of(&s)};
    }
    qsort(kept, count, sizeof *kept, by_address);
    elf->symbols = kept;
    elf->count = count;
    elf->strings = strings;
}

trace_elf *trace_elf_from_table(const uint8_t *entries, uint64_t size, const uint8_t *strings,
                                uint64_t strings_size)
{
    trace_elf *elf = calloc(1, sizeof *elf);
    if (!elf)
        return NULL;
    elf->loaded = true;
    elf->strings_copy = strings_size ? malloc(strings_size) : NULL;
    if (elf->strings_copy) {
        memcpy(elf->strings_copy, strings, strings_size);
        keep_functions(elf, (span){entries, size},
                       (span){(const uint8_t *)elf->strings_copy, strings_size});
    }
    return elf;
}

static bool load_table(trace_elf *elf, uint32_t type)
{
    Elf64_Shdr table, names;
    if (!section_by_type(elf->file, type, &table) || !section_at(elf->file, table.sh_link, &names))
        return false;
    keep_functions(elf, section_bytes(elf->file, &table), section_bytes(elf->file, &names));
    return elf->count > 0;
}

static bool covers(const trace_elf *elf, size_t i, uint64_t addr)
{
    return elf->symbols[i].size == 0 || addr - elf->symbols[i].addr < elf->symbols[i].size;
}

/* Number of symbols that begin at or before addr. */
static size_t symbols_up_to(const trace_elf *elf, uint64_t addr)
{
    size_t low = 0, high = elf->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (elf->symbols[middle].addr <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const char *trace_elf_symbol(trace_elf *elf, uint64_t addr)
{
    /* A label inside a function hides it from the nearest symbol: look a few further back. */
    enum { LOOK_BACK = 16 };
    if (!elf->loaded) {
        elf->loaded = true;
        if (!load_table(elf, SHT_SYMTAB)) {
            free(elf->symbols);
            elf->symbols = NULL;
            load_table(elf, SHT_DYNSYM);
        }
    }
    size_t end = symbols_up_to(elf, addr);
    for (size_t i = end; i-- > 0 && end - i <= LOOK_BACK;)
        if (covers(elf, i, addr))
            return (const char *)elf->strings.bytes + elf->symbols[i].name;
    return NULL;
}

/* ---- unwind tables ---- */

/* The only form that linkers write: 4-byte offsets from the header, sorted. */
#define EH_DATAREL_SDATA4 0x3b
#define EH_UDATA4         0x03

typedef struct eh_entry {
    int32_t start, unused;
} eh_entry;

static bool eh_table(const trace_elf *elf, Elf64_Phdr *p, span *table)
{
    for (size_t i = 0; program_header_at(elf->file, i, p); i++) {
        if (p->p_type != PT_GNU_EH_FRAME)
            continue;
        span h = span_part(elf->file, p->p_offset, p->p_filesz);
        if (h.size < 12 || h.bytes[0] != 1 || h.bytes[2] != EH_UDATA4 ||
            h.bytes[3] != EH_DATAREL_SDATA4)
            return false;
        uint32_t count;
        memcpy(&count, h.bytes + 8, sizeof count);
        *table = span_part(h, 12, (uint64_t)count * sizeof(eh_entry));
        return table->bytes != NULL;
    }
    return false;
}

uint64_t trace_elf_function_start(const trace_elf *elf, uint64_t addr)
{
    Elf64_Phdr p;
    span table;
    if (!eh_table(elf, &p, &table))
        return 0;
    size_t low = 0, high = table.size / sizeof(eh_entry);
    uint64_t start = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        eh_entry e;
        memcpy(&e, table.bytes + middle * sizeof e, sizeof e);
        uint64_t at = p.p_vaddr + (uint64_t)(int64_t)e.start;
        if (at <= addr) {
            start = at;
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return start;
}
