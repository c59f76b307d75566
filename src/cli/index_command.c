/* SPDX-License-Identifier: MIT */
/* Indexes: building, and showing what is in one. */
#include <errno.h>
#include <string.h>

#include <weft/index.h>

#include "progress.h"
#include "report.h"

typedef unsigned long long ull;

static int build(const char *path, const char *output)
{
    weft_reader_error error;
    struct stat about;
    if (stat(path, &about) == 0)
        cli_progress_watch(path, &about);
    int status = weft_index_build(path, output, &error);
    if (status && *error.rule)
        return cli_report(path, &error);
    if (status)
        cli_message("%s: %s\n", path, strerror(-status));
    return status != 0;
}

static void put_entry(const weft_index_entry *entry)
{
    cli_printf("%10llu %12llu %20lld %20lld %12llu %s\n", (ull)entry->number, (ull)entry->offset,
               (long long)entry->begin, (long long)entry->end, (ull)entry->events,
               entry->has_state ? "yes" : "no");
}

static int list(const char *path, const char *file)
{
    weft_index *index;
    int status = weft_index_open(&index, path, file);
    if (status) {
        cli_message("%s: %s\n", path,
                    status == -ENOENT    ? "there is no index"
                    : status == -ESTALE  ? "the index is not of this trace"
                    : status == -EBADMSG ? "the index is damaged"
                                         : strerror(-status));
        return 1;
    }
    cli_put_text("generation       offset                begin                  end       events "
                 "start here\n");
    weft_index_entry entry;
    for (size_t i = 0; weft_index_entry_get(index, i, &entry) == 0; i++)
        put_entry(&entry);
    weft_index_free(index);
    return cli_flush(0);
}

int cli_index(int argc, char **argv)
{
    const char *path, *output = NULL;
    bool show = false;
    const struct cli_option options[] = {CLI_TEXT('o', "output", &output),
                                         CLI_FLAG('l', "list", &show), CLI_END};
    int status = cli_parse(argc, argv, options, &path);
    if (status >= 0)
        return status;
    if (strcmp(path, "-") == 0)
        return cli_usage(argv[0], "only a file can have an index");
    return show ? list(path, output) : build(path, output);
}
