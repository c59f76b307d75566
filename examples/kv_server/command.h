/* SPDX-License-Identifier: MIT */
/* The commands: one function each, found by name. */
#ifndef KV_COMMAND_H
#define KV_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "session.h"
#include "store.h"

/* Carries out a request of at least one word and appends the reply to s->out. */
void command_run(struct session *s, const struct slice *args, size_t count);

/* args[0] is the name; count fits the command's arity. */
typedef void command_fn(struct session *s, const struct slice *args, size_t count);

struct command {
    const char *name;
    int arity; /* words, the name included; negative: at least so many */
    command_fn *run;
};

/* Tables that end with a NULL name; one for each file of commands. */
extern const struct command string_commands[], key_commands[], list_commands[], server_commands[];
extern const struct command *const command_tables[];

/* ---- For the commands ---- */

/* Letters of either case; word is in capitals. */
bool slice_is(struct slice s, const char *word);
/* A whole decimal number and nothing else. False: none, or out of range. */
bool slice_integer(struct slice s, int64_t *value);

void reply_wrong_type(struct session *s);
void reply_no_integer(struct session *s);
void reply_syntax(struct session *s);

/* The instant that is `amount` units from now; false: beyond what can be counted. */
bool instant_after(int64_t amount, int64_t unit, int64_t *instant);

#endif
