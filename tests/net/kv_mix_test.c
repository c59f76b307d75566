/* SPDX-License-Identifier: MIT */
/*
 * Mixed load on kv_server, as memtier_benchmark makes it: several clients, requests in a pipeline,
 * gets and sets in a ratio, values of several sizes, keys at random. Each client has keys of its
 * own and knows what each get must return.
 */
#include "net/kv_client.h"

#include <stdbool.h>
#include <stdint.h>

struct mix {
    unsigned clients, depth, rounds; /* rounds of depth requests, for each client */
    unsigned gets;                   /* for each set */
    unsigned value_size;
};

static const struct mix mixes[] = {
    {4, 1, 300, 10, 32},   {8, 16, 60, 10, 32},    {4, 100, 30, 1, 200},
    {2, 16, 30, 1, 16384}, {2, 4, 15, 2, 1000000}, {16, 8, 40, 4, 100},
};

enum { KEYS = 50 };

struct mixer {
    const struct mix *mix;
    int fd;
    uint64_t random;
    unsigned id;
    unsigned versions[KEYS]; /* of each key's value; 0: there is none */
    char *value;
};

static unsigned draw(struct mixer *m, unsigned below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (unsigned)(m->random >> 20) % below;
}

/* What that version of the key has for a value. */
static const char *value_of(struct mixer *m, unsigned key, unsigned version)
{
    unsigned size = m->mix->value_size;
    memset(m->value, 'a' + (int)((m->id + key + version) % 26), size);
    char head[32];
    int n = snprintf(head, sizeof head, "%u/%u/%u.", m->id, key, version);
    memcpy(m->value, head, (unsigned)n < size ? (unsigned)n : size);
    m->value[size] = '\0';
    return m->value;
}

struct request {
    unsigned key;
    unsigned version; /* set: the new one; get: the one that is there */
    bool set;
};

static void send_request(struct mixer *m, const struct request *r)
{
    char head[128], key[32];
    snprintf(key, sizeof key, "mix:%u:%u", m->id, r->key);
    if (!r->set) {
        snprintf(head, sizeof head, "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", strlen(key), key);
        send_text(m->fd, head);
        return;
    }
    snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%u\r\n", strlen(key), key,
             m->mix->value_size);
    send_text(m->fd, head);
    send_bytes(m->fd, value_of(m, r->key, r->version), m->mix->value_size);
    send_text(m->fd, "\r\n");
}

static void expect_reply(struct mixer *m, const struct request *r)
{
    char head[32];
    if (r->set || r->version == 0) {
        expect(m->fd, r->set ? "+OK\r\n" : "$-1\r\n");
        return;
    }
    snprintf(head, sizeof head, "$%u\r\n", m->mix->value_size);
    expect(m->fd, head);
    expect(m->fd, value_of(m, r->key, r->version));
    expect(m->fd, "\r\n");
}

/* A pipeline of requests, then their replies. Large ones go one by one: nobody reads meanwhile. */
static void run_round(struct mixer *m)
{
    struct request requests[128];
    for (unsigned i = 0; i < m->mix->depth; i++) {
        struct request *r = &requests[i];
        r->key = draw(m, KEYS);
        r->set = draw(m, m->mix->gets + 1) == 0;
        r->version = m->versions[r->key] += r->set;
        send_request(m, r);
        if (m->mix->value_size > 100000)
            expect_reply(m, r);
    }
    for (unsigned i = 0; i < m->mix->depth && m->mix->value_size <= 100000; i++)
        expect_reply(m, &requests[i]);
}

static void be_client(struct server server, const struct mix *mix, unsigned id)
{
    struct mixer m = {
        .mix = mix, .fd = client(server), .random = 88172645463325252u + id, .id = id};
    m.value = malloc(mix->value_size + 64);
    for (unsigned i = 0; i < mix->rounds; i++)
        run_round(&m);
    free(m.value);
    close(m.fd);
}

static void run_mix(struct server server, const struct mix *mix)
{
    pid_t clients[64];
    int status;
    double start = seconds();
    for (unsigned i = 0; i < mix->clients; i++) {
        clients[i] = fork();
        if (clients[i] == 0) {
            be_client(server, mix, i);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < mix->clients; i++) {
        assert_int_equal(waitpid(clients[i], &status, 0), clients[i]);
        assert_int_equal(status, 0);
    }
    fprintf(stderr, "%u clients, depth %u, 1 set to %u gets, %u bytes: %.0f requests a second\n",
            mix->clients, mix->depth, mix->gets, mix->value_size,
            mix->clients * mix->depth * mix->rounds / (seconds() - start));
}

static void mixes_of_gets_and_sets_return_what_was_set(void **state)
{
    static const unsigned procs[] = {1, 2, 4};
    (void)state;
    for (size_t p = 0; p < sizeof procs / sizeof *procs; p++) {
        server_procs = procs[p];
        struct server server = server_start(NULL);
        for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++) {
            int fd = client(server);
            ask(fd, "FLUSHALL", "+OK\r\n");
            close(fd);
            run_mix(server, &mixes[i]);
        }
        server_stop(server);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixes_of_gets_and_sets_return_what_was_set),
    };
    if (argc < 2) {
        fprintf(stderr, "usage: %s [EMULATOR…] KV_SERVER\n", argv[0]);
        return 2;
    }
    server_command = argv + 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
