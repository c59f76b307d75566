/* SPDX-License-Identifier: MIT */
/*
 * Symbol tables of ELF objects, read by ourselves: from a file mapped for reading, or, where the
 * file is gone, from the image that the loader made. Addresses are those of the object (before the
 * load bias is added).
 *
 * Every offset and index of a file is checked: a malformed one yields fewer symbols, never a fault.
 */
#ifndef WEFT_TRACE_SYMBOLS_ELF_H
#define WEFT_TRACE_SYMBOLS_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct trace_elf trace_elf;

#define TRACE_BUILD_ID_MAX 32

typedef struct trace_build_id {
    uint8_t size; /* 0: none */
    uint8_t bytes[TRACE_BUILD_ID_MAX];
} trace_build_id;

/* NULL if the file cannot be read, is no 64-bit ELF object of this machine, or there is no memory.
 */
trace_elf *trace_elf_open(const char *path);

/* The same from a symbol table in memory, which is copied. The table may be empty. */
trace_elf *trace_elf_from_table(const uint8_t *entries, uint64_t size, const uint8_t *strings,
                                uint64_t strings_size);

/*
 * The same from the image of a loaded object. Only while it cannot be unloaded (in
 * dl_iterate_phdr). bias: the difference between its addresses in memory and its own.
 */
trace_elf *trace_elf_from_image(uintptr_t bias, const Elf64_Phdr *headers, unsigned count);
void trace_elf_free(trace_elf *elf);

/* The program headers in one number, by which a file is compared with what was loaded. */
uint64_t trace_elf_headers(const trace_elf *elf);
uint64_t trace_elf_hash_headers(const Elf64_Phdr *headers, unsigned count);
trace_build_id trace_elf_build_id(const trace_elf *elf);
trace_build_id trace_build_id_in_notes(const uint8_t *notes, uint64_t size);
/* Under the same condition as trace_elf_from_image(). */
trace_build_id trace_build_id_of_image(uintptr_t bias, const Elf64_Phdr *headers, unsigned count);

bool trace_elf_has_section(const trace_elf *elf, const char *name);
/* True if it has the symbols of static functions too. */
bool trace_elf_has_full_symbols(const trace_elf *elf);
/* Base name of the file with the debug information, from .gnu_debuglink, and its checksum; NULL if
 * there is none. */
const char *trace_elf_debug_link(const trace_elf *elf, uint32_t *crc);
uint32_t trace_elf_crc(const trace_elf *elf);

/* The function symbol that covers addr, or NULL. Lives as long as elf. */
const char *trace_elf_symbol(trace_elf *elf, uint64_t addr);
/* Where the function around addr begins according to the unwind tables, or 0. */
uint64_t trace_elf_function_start(const trace_elf *elf, uint64_t addr);

#endif
