/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_TERMINAL_H
#define WEFT_CLI_TERMINAL_H

/* What an output can do. What is no terminal gets plain text. */

#include <stdbool.h>

/* A terminal that can move its cursor. */
bool cli_is_terminal(int fd);

/* Such a terminal, and NO_COLOR is not set or empty. Source: no-color.org. */
bool cli_has_colour(int fd);

/* Its size; 80 by 24 where it does not tell. */
void cli_terminal_size(int fd, unsigned *columns, unsigned *rows);

#endif
