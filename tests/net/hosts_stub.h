/* SPDX-License-Identifier: MIT */
/*
 * A name service for tests, in place of the system's: the program's own getaddrinfo(), which the
 * library's calls go to. Names that end in ".test" are looked up in hosts_text, which has the form
 * of /etc/hosts, or mean something; all others go to the system.
 *
 *     slow.test    answers 127.0.0.1 as soon as the gate is open
 *     again.test, broken.test, nomem.test    fail in that way
 */
#ifndef WEFT_TESTS_NET_HOSTS_STUB_H
#define WEFT_TESTS_NET_HOSTS_STUB_H

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *hosts_text = "";

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int open;
    unsigned calls, inside; /* ever; of slow.test, now */
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static inline void gate_set(int open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static inline unsigned gate_read(const unsigned *what)
{
    pthread_mutex_lock(&gate.lock);
    unsigned value = *what;
    pthread_mutex_unlock(&gate.lock);
    return value;
}

static void gate_pass(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.inside++;
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.lock);
    gate.inside--;
    pthread_mutex_unlock(&gate.lock);
}

/* One address of a list: its memory is one block. */
struct stub_info {
    struct addrinfo info;
    struct sockaddr_storage address;
};
static char stub_mark[] = "stub";

static int stub_address(const char *text, const char *port, struct stub_info *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&out->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&out->address;
    int is_v6 = strchr(text, ':') != NULL;

    out->info = (struct addrinfo){.ai_family = is_v6 ? AF_INET6 : AF_INET,
                                  .ai_addrlen = is_v6 ? sizeof *v6 : sizeof *v4,
                                  .ai_addr = (struct sockaddr *)&out->address,
                                  .ai_canonname = stub_mark};
    out->address.ss_family = (sa_family_t)out->info.ai_family;
    *(is_v6 ? &v6->sin6_port : &v4->sin_port) = htons((uint16_t)atoi(port));
    return inet_pton(out->info.ai_family, text,
                     is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr);
}

/* Appends the address to the list. */
static void stub_add(struct addrinfo **list, const char *text, const char *port)
{
    struct stub_info *entry = calloc(1, sizeof *entry);
    if (!entry || stub_address(text, port, entry) != 1)
        abort();
    while (*list)
        list = &(*list)->ai_next;
    *list = &entry->info;
}

static int stub_look_up(const char *host, const char *port, struct addrinfo **list)
{
    char address[64], name[64];
    int used;

    *list = NULL;
    for (const char *at = hosts_text; sscanf(at, "%63s %63s %n", address, name, &used) == 2;
         at += used)
        if (strcmp(name, host) == 0)
            stub_add(list, address, port);
    return *list ? 0 : EAI_NONAME;
}

static int stub_answer(const char *host, const char *port, struct addrinfo **list)
{
    if (strcmp(host, "again.test") == 0)
        return EAI_AGAIN;
    if (strcmp(host, "broken.test") == 0)
        return EAI_FAIL;
    if (strcmp(host, "nomem.test") == 0)
        return EAI_MEMORY;
    if (strcmp(host, "slow.test") != 0)
        return stub_look_up(host, port, list);
    gate_pass();
    *list = NULL;
    stub_add(list, "127.0.0.1", port);
    return 0;
}

static int is_test_name(const char *host)
{
    size_t size = host ? strlen(host) : 0;
    return size > 5 && strcmp(host + size - 5, ".test") == 0;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **list)
{
    typedef int real_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    pthread_mutex_lock(&gate.lock);
    gate.calls++;
    pthread_mutex_unlock(&gate.lock);
    if (is_test_name(host))
        return stub_answer(host, port, list);
    real_fn *real = (real_fn *)(uintptr_t)dlsym(RTLD_NEXT, "getaddrinfo");
    return real(host, port, hints, list);
}

void freeaddrinfo(struct addrinfo *list)
{
    typedef void real_fn(struct addrinfo *);
    if (list && list->ai_canonname != stub_mark) {
        ((real_fn *)(uintptr_t)dlsym(RTLD_NEXT, "freeaddrinfo"))(list);
        return;
    }
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

#endif
