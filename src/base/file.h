/* SPDX-License-Identifier: MIT */
/* Files as memory, and written whole. */
#ifndef WEFT_BASE_FILE_H
#define WEFT_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Maps a regular, non-empty file for reading. NULL for whatever reason there is none. The contents
 * change with the file, and a file that is cut short afterwards makes accesses beyond its end
 * fault. Any thread.
 */
const uint8_t *base_file_map(const char *path, size_t *size);
void base_file_unmap(const uint8_t *bytes, size_t size);

/* Writes all of it, waiting where the descriptor does not block. Returns 0 or a negative errno
 * value. */
int base_file_write(int fd, const void *data, size_t size);

/*
 * A file that is memory: what was stored to it survives the process, however that ends. One process
 * at a time; the owner keeps a lock on it, which the kernel takes away when that has died.
 */
typedef struct base_shared_file {
    uint8_t *memory; /* NULL: not open */
    size_t size;
    int fd;
} base_shared_file;

/* Creates or empties the file and maps it, all zero, with `size` bytes that take no space on disk
 * yet. Returns 0 or a negative errno value: -EBUSY if it is another process's at the moment. */
int base_shared_open(base_shared_file *file, const char *path, size_t size);
/* Makes sure that a part of it has space on disk: touching it could kill the process else. Returns
 * 0 or a negative errno value. Any thread. */
int base_shared_back(const base_shared_file *file, size_t offset, size_t size);
/* Unmaps and unlocks it. The file stays. */
void base_shared_close(base_shared_file *file);

/*
 * Opens a regular file for reading, whatever it is. Returns the descriptor or a negative errno
 * value: -EBUSY if it is a living process's shared file.
 */
int base_shared_read(const char *path, uint64_t *size);
/* Reads all of [offset, offset + size). Returns 0, -ENODATA if the file ends before, or what
 * reading gave. */
int base_file_read(int fd, uint64_t offset, void *data, size_t size);
void base_file_close(int fd);

/* Path of the running program as the kernel knows it, cut to size bytes. Empty if unknown. */
void base_program_path(char *path, size_t size);

/* Opening this path yields the running program even after its file was replaced or removed. */
#define BASE_PROGRAM_FILE "/proc/self/exe"

#endif
