/* SPDX-License-Identifier: MIT */
#include "twins/twin.h"

static const struct twin *the_twin;

/* ---- Reading ---- */

const char *twin_text(weft_reader *reader, weft_string string)
{
    static __thread char text[1100];
    weft_text found = weft_reader_string(reader, string);
    snprintf(text, sizeof text, "%.*s", (int)found.size, found.data);
    return text;
}

const char *twin_frame(weft_reader *reader, weft_stack stack, size_t i)
{
    weft_frame frame;
    if (weft_reader_stack_frame(reader, stack, i, &frame) != 0)
        return "";
    return twin_text(reader, frame.function);
}

static void refuse(struct twin_run *run, weft_reader *reader, const char *rule, const char *message)
{
    fprintf(stderr, "%s: generation %llu: %s: %s\n", run->path,
            (unsigned long long)weft_reader_generation(reader), rule, message);
    abort();
}

static void validate(struct twin_run *run)
{
    weft_reader *reader = NULL;
    weft_validator *validator;
    weft_event event;
    weft_complaint complaint;
    int status = weft_reader_open_path(&reader, run->path);
    CHECK(reader);
    while (status == 0 && weft_validator_new(&validator, reader) == 0) {
        while ((status = weft_reader_next(reader, &event)) == 1) {
            if (weft_validator_event(validator, &event, &complaint) != 0)
                refuse(run, reader, complaint.rule, complaint.message);
            if (the_twin->check)
                the_twin->check(run, reader, &event);
        }
        weft_validator_free(validator);
        break;
    }
    if (status != 0)
        refuse(run, reader, weft_reader_error_get(reader)->rule,
               weft_reader_error_get(reader)->message);
    if (the_twin->check)
        the_twin->check(run, reader, NULL);
    weft_reader_free(reader);
}

/* ---- Writing ---- */

static void *advance_without_pause(void *arg)
{
    struct twin_run *run = arg;
    while (__atomic_load_n(&run->advance, __ATOMIC_ACQUIRE)) /* pairs with twin_stop() */
        CHECK(weft_trace_advance(weft_tracer_default()) == 0);
    return NULL;
}

void twin_start(struct twin_run *run)
{
    const char *dir = getenv("WEFT_TRACE_DIR");
    weft_trace_options options = {.size = sizeof options, .format = run->format};
    snprintf(run->path, sizeof run->path, "%s/%s-%s-p%u-%u-%u.trace", dir && *dir ? dir : ".",
             run->name, run->advancing ? "advancing" : "normal", run->procs, run->format,
             ++run->traces);
    int error = weft_trace_start_path(weft_tracer_default(), run->path, &options, &run->stream);
    if (error)
        fprintf(stderr, "%s: %s\n", run->path, strerror(-error));
    CHECK(error == 0);
    if (run->advancing) {
        __atomic_store_n(&run->advance, 1, __ATOMIC_RELEASE); /* pairs with the advancer */
        CHECK(pthread_create(&run->advancer, NULL, advance_without_pause, run) == 0);
    }
}

void twin_stop(struct twin_run *run)
{
    weft_trace_result result = {.size = sizeof result};
    if (run->advancing) {
        __atomic_store_n(&run->advance, 0, __ATOMIC_RELEASE); /* pairs with the advancer */
        CHECK(pthread_join(run->advancer, NULL) == 0);
    }
    CHECK(weft_trace_stop(run->stream, &result) == 0);
    CHECK(result.error == 0 && result.lost_bytes == 0 && result.generations > 0);
    validate(run);
}

/* ---- The runs ---- */

static int main_goroutine(void *arg)
{
    the_twin->program(arg);
    return 0;
}

static void run_once(unsigned procs, unsigned format, bool advancing)
{
    struct twin_run run = {
        .name = the_twin->name, .procs = procs, .format = format, .advancing = advancing};
    weft_options options = {.size = sizeof options, .procs = procs};
    CHECK(weft_run(&options, main_goroutine, &run) == 0);
    CHECK(run.traces > 0);
}

static const unsigned all_procs[] = {1, 2, 4, 16}, all_formats[] = {22, 23, 25, 26};

struct choice {
    unsigned rounds, procs, format;
    int way; /* 0 normal, 1 advancing, 2 both */
};

static void run_chosen(const struct choice *c)
{
    for (unsigned way = 0; way < 2; way++) {
        if (c->way != 2 && c->way != (int)way)
            continue;
        for (unsigned i = 0; i < 4; i++) {
            unsigned format = c->format ? c->format : all_formats[(i + way) % 4];
            run_once(c->procs ? c->procs : all_procs[i], format, way == 1);
            if (c->procs)
                break;
        }
    }
}

static bool read_argument(struct choice *c, const char *name, const char *value)
{
    unsigned number = (unsigned)strtoul(value, NULL, 10);
    if (strcmp(name, "--rounds") == 0)
        c->rounds = number;
    else if (strcmp(name, "--procs") == 0)
        c->procs = number;
    else if (strcmp(name, "--format") == 0)
        c->format = number;
    else if (strcmp(name, "--way") == 0)
        c->way = strcmp(value, "advancing") == 0;
    else
        return false;
    return true;
}

int twin_main(const struct twin *twin, int argc, char **argv)
{
    struct choice choice = {.rounds = 1, .way = 2};
    the_twin = twin;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && read_argument(&choice, argv[i], argv[i + 1]))
            continue;
        fprintf(
            stderr,
            "usage: %s [--rounds N] [--procs N] [--format 22|23|25|26] [--way normal|advancing]\n",
            argv[0]);
        return 2;
    }
    for (unsigned i = 0; i < choice.rounds; i++)
        run_chosen(&choice);
    return 0;
}
