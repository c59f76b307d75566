/* SPDX-License-Identifier: MIT */
/* The ELF reader on damaged files: fewer symbols, never a fault. */
#define _GNU_SOURCE
#include "trace/symbols_elf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cmocka_all.h"

#define ROUNDS 600

static unsigned char *original;
static size_t original_size;
static char path[4096];

static void write_file(const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

/* Everything that the reader does. Returns whether it took the file. */
static bool read_all(void)
{
    trace_elf *elf = trace_elf_open(path);
    if (!elf)
        return false;
    size_t length = 0;
    uint32_t crc;
    (void)trace_elf_headers(elf);
    trace_elf_build_id(elf);
    trace_elf_has_section(elf, ".debug_info");
    trace_elf_has_full_symbols(elf);
    trace_elf_debug_link(elf, &crc);
    for (uint64_t addr = 0; addr < 0x40000; addr += 61) {
        const char *name = trace_elf_symbol(elf, addr);
        length += name ? strlen(name) : 0;
        length += trace_elf_function_start(elf, addr) != 0;
    }
    trace_elf_symbol(elf, UINT64_MAX);
    trace_elf_function_start(elf, UINT64_MAX);
    trace_elf_free(elf);
    return length > 0;
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void no_file_is_no_object(void **unused)
{
    (void)unused;
    assert_null(trace_elf_open("/nonexistent/file"));
    assert_null(trace_elf_open("/"));
    assert_null(trace_elf_open("/dev/null"));
    assert_null(trace_elf_open("/proc/self/status"));
    write_file("", 0);
    assert_null(trace_elf_open(path));
    write_file("\177ELF", 4);
    assert_null(trace_elf_open(path));
}

static void pipe_does_not_hang(void **unused)
{
    (void)unused;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(trace_elf_open(path));
    unlink(path);
}

static void whole_file_is_read(void **unused)
{
    (void)unused;
    write_file(original, original_size);
    assert_true(read_all());
}

static void truncated_files(void **unused)
{
    (void)unused;
    for (size_t size = 1; size < original_size; size += 1 + size / 16) {
        write_file(original, size);
        read_all();
    }
}

/* Mostly in the headers, where the offsets and sizes are. */
static void damage(unsigned char *bytes, uint64_t *state)
{
    Elf64_Ehdr h;
    memcpy(&h, original, sizeof h);
    uint64_t where = next_random(state) % 3, at = next_random(state);
    if (where == 0)
        at %= sizeof h + (uint64_t)h.e_phnum * sizeof(Elf64_Phdr);
    else if (where == 1)
        at = h.e_shoff + at % ((uint64_t)h.e_shnum * sizeof(Elf64_Shdr));
    else
        at %= original_size;
    if (at < EI_DATA + 1 || at >= original_size)
        return;
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
    uint64_t v = next_random(state);
    bytes[at] = v & 1 ? values[(v >> 8) % 5] : (unsigned char)(v >> 8);
}

static void damaged_files(void **unused)
{
    (void)unused;
    uint64_t state = 7;
    int taken = 0;
    unsigned char *copy = malloc(original_size);
    assert_non_null(copy);
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(copy, original, original_size);
        for (uint64_t n = 1 + next_random(&state) % 12; n > 0; n--)
            damage(copy, &state);
        write_file(copy, original_size);
        taken += read_all();
    }
    free(copy);
    print_message("%d of %d damaged files had symbols left\n", taken, ROUNDS);
    assert_true(taken > 0 && taken < ROUNDS);
}

/* The check value of this CRC, as its catalogues give it, found in a file that begins like an ELF
 * object. */
static void checksum_is_the_usual_one(void **unused)
{
    (void)unused;
    write_file(original, original_size);
    char command[9000];
    snprintf(command, sizeof command, "gzip -c '%s' | tail -c8 | od -An -tx4 | awk '{print $1}'",
             path);
    FILE *f = popen(command, "r");
    unsigned expected = 0;
    assert_non_null(f);
    int found = fscanf(f, "%x", &expected);
    pclose(f);
    if (found != 1)
        skip();
    trace_elf *elf = trace_elf_open(path);
    assert_non_null(elf);
    assert_int_equal(trace_elf_crc(elf), expected);
    trace_elf_free(elf);
}

/* A table from memory whose names run beyond their strings. */
static void tables_in_memory(void **unused)
{
    (void)unused;
    Elf64_Sym entries[3];
    memset(entries, 0, sizeof entries);
    for (int i = 0; i < 3; i++) {
        entries[i].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
        entries[i].st_shndx = 1;
        entries[i].st_value = 0x100 * (uint64_t)(i + 1);
        entries[i].st_name = i == 0 ? 1 : i == 1 ? 5 : 0xffffffff;
    }
    static const uint8_t strings[] = {0, 'o', 'n', 'e', 0, 't', 'w', 'o'};
    trace_elf *elf =
        trace_elf_from_table((uint8_t *)entries, sizeof entries, strings, sizeof strings);
    assert_non_null(elf);
    assert_string_equal(trace_elf_symbol(elf, 0x100), "one");
    assert_string_equal(trace_elf_symbol(elf, 0x2ff), "one");
    assert_null(trace_elf_symbol(elf, 0xff));
    trace_elf_free(elf);
    elf = trace_elf_from_table(NULL, 0, NULL, 0);
    assert_null(trace_elf_symbol(elf, 0x100));
    trace_elf_free(elf);
}

static int set_up(void **unused)
{
    (void)unused;
    const char *dir = getenv("WEFT_TRACE_DIR");
    snprintf(path, sizeof path, "%s/damaged.so", dir ? dir : ".");
    FILE *f = fopen("/proc/self/exe", "rb");
    if (!f)
        return -1;
    fseek(f, 0, SEEK_END);
    original_size = (size_t)ftell(f);
    rewind(f);
    original = malloc(original_size);
    bool read = original && fread(original, 1, original_size, f) == original_size;
    fclose(f);
    return read ? 0 : -1;
}

static int tear_down(void **unused)
{
    (void)unused;
    free(original);
    unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_is_no_object), cmocka_unit_test(pipe_does_not_hang),
        cmocka_unit_test(whole_file_is_read),   cmocka_unit_test(truncated_files),
        cmocka_unit_test(damaged_files),        cmocka_unit_test(checksum_is_the_usual_one),
        cmocka_unit_test(tables_in_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
