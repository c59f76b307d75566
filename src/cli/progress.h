/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_PROGRESS_H
#define WEFT_CLI_PROGRESS_H

/*
 * How far reading has come, on the standard error: a line with bytes, percentage and rate, from the
 * second second of the work on. Only where that is a terminal; else nothing here does anything.
 *
 * Design
 *  A thread looks a few times a second where the descriptors of the watched files stand: the
 *  readers, which belong to the library, need not tell, and a reader costs nothing. What has no
 *  place (pipes) is counted as it is read.
 *
 * Invariants
 *  1. Nothing else is written to a terminal while the line is there: messages go through
 *     cli_message, which takes it away first, and output through cli_progress_output.
 *  2. The line is gone when the command ends.
 *
 * cli_progress_count may be called from any thread, the others from the command's.
 */

#include <stddef.h>
#include <sys/stat.h>

/* Tells of the reading of a file from now on. name must stay; about is what stat says of the file.
 */
void cli_progress_watch(const char *name, const struct stat *about);

/* So many bytes were read of something that is no file. */
void cli_progress_count(size_t size);

/* The line is away, and does not come back, between the two. */
void cli_progress_pause(void);
void cli_progress_resume(void);

/* Something is about to be written to the standard output: where that is a terminal, no line
 * comes back. */
void cli_progress_output(void);

/* The work is done. */
void cli_progress_stop(void);

#endif
