/* SPDX-License-Identifier: MIT */
#include "sched/debug_env.h"

#include <errno.h>
#include <string.h>

#include "base/fatal.h"
#include "sched/environment.h"

struct debug_env debug_env;

static bool read_word(const char *word, size_t length)
{
    bool known = length == strlen("leaks") && memcmp(word, "leaks", length) == 0;
    if (known)
        debug_env.leaks = true;
    return known || length == 0;
}

int debug_env_read(void)
{
    debug_env = (struct debug_env){0};
    const char *text = environment_text("WEFT_DEBUG");
    while (text) {
        size_t length = strcspn(text, ",");
        if (!read_word(text, length)) {
            base_warn("WEFT_DEBUG: no such word: %s (there is: leaks)", text);
            return -EINVAL;
        }
        text = text[length] ? text + length + 1 : NULL;
    }
    return 0;
}
