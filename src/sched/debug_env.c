/* SPDX-License-Identifier: MIT */
#include "sched/debug_env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fatal.h"
#include "sched/environment.h"
#include "weft/time.h"

enum { LONGEST_MS = 24 * 3600 * 1000 };

struct debug_env debug_env;

static bool is(const char *word, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(word, name, length) == 0;
}

/* sched=MS */
static bool read_sched(const char *word, size_t length)
{
    char *end;
    if (length < 7 || memcmp(word, "sched=", 6) != 0 || word[6] < '1' || word[6] > '9')
        return false;
    unsigned long ms = strtoul(word + 6, &end, 10);
    debug_env.sched_every = (int64_t)ms * WEFT_MILLISECOND;
    return end == word + length && ms <= LONGEST_MS;
}

static bool read_word(const char *word, size_t length)
{
    if (is(word, length, "leaks"))
        debug_env.leaks = true;
    else if (is(word, length, "stacks"))
        debug_env.stacks = true;
    else if (length > 0 && !read_sched(word, length))
        return false;
    return true;
}

int debug_env_read(void)
{
    debug_env = (struct debug_env){0};
    const char *text = environment_text("WEFT_DEBUG");
    while (text) {
        size_t length = strcspn(text, ",");
        if (!read_word(text, length)) {
            base_warn("WEFT_DEBUG: no such word: %s (there are: leaks, stacks, sched=MS)", text);
            return -EINVAL;
        }
        text = text[length] ? text + length + 1 : NULL;
    }
    return 0;
}
