/* SPDX-License-Identifier: MIT */
/*
 * Stands in for libFuzzer where a target is only tested: passes every file of the corpus folders to
 * the target, and then a fixed number of mutations of each, the same in every run.
 *
 *   NAME FOLDER…   that
 *   NAME FILE…     passes each file as it is, to see what a fuzzer has found
 *   NAME           passes the standard input: what afl-fuzz runs, if nothing else is to be had
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MUTATIONS = 20, INPUT_LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* The target gets a copy of exactly the input's size, so that a sanitizer sees a read past its end.
 */
static void pass(const uint8_t *data, size_t size)
{
    uint8_t *copy = calloc(1, size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* Flips, sets, removes or doubles a few bytes; sometimes cuts the end off. Returns the new size. */
static size_t mutate(uint8_t *data, size_t size)
{
    for (uint64_t n = 1 + next_random() % 4; n > 0 && size > 16; n--) {
        size_t at = next_random() % size;
        size_t length = 1 + next_random() % 8;
        if (length > size - at)
            length = size - at;
        switch (next_random() % 5) {
        case 0:
            data[at] ^= (uint8_t)(1u << next_random() % 8);
            break;
        case 1:
            data[at] = (uint8_t)next_random();
            break;
        case 2:
            memmove(data + at, data + at + length, size - at - length);
            size -= length;
            break;
        case 3:
            memset(data + at, (int)(next_random() % 2 * 0xff), length);
            break;
        default:
            if (next_random() % 8 == 0)
                size = at;
        }
    }
    return size;
}

static uint8_t original[INPUT_LIMIT], changed[INPUT_LIMIT];

/* Passes a file, and a number of mutations of it. Returns 1 if there is such a file. */
static size_t replay_file(FILE *file, int mutations)
{
    if (!file)
        return 0;
    size_t size = fread(original, 1, sizeof original, file);
    fclose(file);
    pass(original, size);
    for (int i = 0; i < mutations; i++) {
        memcpy(changed, original, size);
        pass(changed, mutate(changed, size));
    }
    return 1;
}

static size_t replay(const char *path)
{
    size_t files = 0;
    DIR *folder = opendir(path);
    struct dirent *entry;
    if (!folder)
        return replay_file(fopen(path, "rb"), 0);
    while ((entry = readdir(folder))) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        files += replay_file(fopen(name, "rb"), MUTATIONS);
    }
    closedir(folder);
    return files;
}

int main(int argc, char **argv)
{
    size_t files = 0;
    if (argc == 1)
        return !replay_file(stdin, 0);
    pass((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        files += replay(argv[i]);
    printf("%zu inputs\n", files);
    return files ? 0 : 1;
}
