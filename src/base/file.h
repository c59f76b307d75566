/* SPDX-License-Identifier: MIT */
/* Files read as memory. */
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

/* Path of the running program as the kernel knows it, cut to size bytes. Empty if unknown. */
void base_program_path(char *path, size_t size);

/* Opening this path yields the running program even after its file was replaced or removed. */
#define BASE_PROGRAM_FILE "/proc/self/exe"

#endif
