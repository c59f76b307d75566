/* SPDX-License-Identifier: MIT */
/*
 * hash_tree: hashes all files of a tree, many at a time, with blocking system calls that stall
 * nobody.
 *
 * One goroutine a file, at most JOBS at once; each brackets open() and read() with
 * weft_blocking_enter/exit. Prints what sha256sum prints, in the order of the names, or (by
 * default) the digest of that list. On standard error: how late a goroutine that sleeps 1 ms in a
 * loop was woken at worst, while all that went on.
 *
 * In the trace: every read is a system call with a stack; the P goes to the next hashing goroutine
 * meanwhile. The ticker is woken by its timer at regular intervals whatever the others do.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/weft.h>

enum { CHUNK = 64 * 1024, MAX_JOBS = 1024, OWN_FILES = 120 };

/* ---- SHA-256 (FIPS 180-4) ---- */

struct sha256 {
    uint32_t state[8];
    uint64_t length;
    unsigned char block[64];
};

static const uint32_t sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void sha_block(uint32_t state[8], const unsigned char *p)
{
    uint32_t w[64], s[8];

    for (int i = 0; i < 16; i++, p += 4)
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t e = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        uint32_t t = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + sha_k[i] + w[i];
        uint32_t a = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        uint32_t u = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t;
        s[0] = t + u;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

static void sha_init(struct sha256 *h)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(h->state, start, sizeof start);
    h->length = 0;
}

static void sha_add(struct sha256 *h, const void *data, size_t size)
{
    const unsigned char *p = data;
    size_t used = h->length % 64;

    h->length += size;
    while (size > 0) {
        size_t n = 64 - used < size ? 64 - used : size;
        memcpy(h->block + used, p, n);
        p += n;
        size -= n;
        used = (used + n) % 64;
        if (used == 0)
            sha_block(h->state, h->block);
    }
}

static void sha_end(struct sha256 *h, char hex[65])
{
    uint64_t bits = h->length * 8;
    unsigned char pad[72] = {0x80};
    size_t zeros = (119 - h->length % 64) % 64;

    for (int i = 0; i < 8; i++)
        pad[1 + zeros + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
    sha_add(h, pad, 1 + zeros + 8);
    for (int i = 0; i < 8; i++)
        snprintf(hex + 8 * i, 9, "%08" PRIx32, h->state[i]);
}

/* ---- The list of files ---- */

struct file {
    char *path;
    uint64_t size;
    int error;
    char hex[65];
};

static struct file *files;
static size_t file_count, file_room;

static void *must(void *memory)
{
    if (!memory) {
        fputs("hash_tree: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static char *join(const char *dir, const char *name)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = must(malloc(size));
    snprintf(path, size, "%s/%s", dir, name);
    return path;
}

static void add_file(char *path)
{
    if (file_count == file_room) {
        file_room = file_room ? 2 * file_room : 64;
        files = must(realloc(files, file_room * sizeof *files));
    }
    files[file_count++] = (struct file){.path = path};
}

/* Adds the regular files below dir; symbolic links are not followed. */
static int collect(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    int result = 0;

    if (!d)
        return -errno;
    while (result == 0 && (entry = readdir(d)) != NULL) {
        struct stat status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = join(dir, entry->d_name);
        if (lstat(path, &status) == 0 && S_ISREG(status.st_mode)) {
            add_file(path);
            continue;
        }
        if (S_ISDIR(status.st_mode))
            result = collect(path);
        free(path);
    }
    closedir(d);
    return result;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

/* ---- Hashing ---- */

static weft_waitgroup group;
static weft_chan *jobs; /* as many elements as goroutines may hash at once */
static long job_limit = 32;

/* System calls that may take long, on a thread that has given its P away. errno is read before the
 * thread may change. */
static int blocking_open(const char *path)
{
    weft_blocking_enter();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int result = fd >= 0 ? fd : -errno;
    weft_blocking_exit();
    return result;
}

static ssize_t blocking_read(int fd, void *data, size_t size)
{
    weft_blocking_enter();
    ssize_t n = read(fd, data, size);
    ssize_t result = n >= 0 ? n : -errno;
    weft_blocking_exit();
    return result;
}

static int hash(struct file *file)
{
    struct sha256 h;
    int fd = blocking_open(file->path);
    if (fd < 0)
        return fd;
    char *chunk = must(malloc(CHUNK));
    ssize_t n;
    sha_init(&h);
    while ((n = blocking_read(fd, chunk, CHUNK)) > 0)
        sha_add(&h, chunk, (size_t)n);
    file->size = h.length;
    sha_end(&h, file->hex);
    free(chunk);
    close(fd);
    return (int)n;
}

static void hash_job(void *arg)
{
    struct file *file = arg;
    file->error = hash(file);
    weft_chan_recv(jobs, NULL);
    weft_waitgroup_done(&group);
}

static int hash_all(void)
{
    jobs = weft_chan_new(0, (size_t)job_limit);
    if (!jobs)
        return -ENOMEM;
    for (size_t i = 0; i < file_count; i++) {
        weft_chan_send(jobs, NULL);
        weft_waitgroup_add(&group, 1);
        int error = weft_go(hash_job, &files[i]);
        if (error)
            return error;
    }
    weft_waitgroup_wait(&group);
    weft_chan_free(jobs);
    return 0;
}

/* ---- The ticker ---- */

static weft_chan *stop_ticker;
static weft_waitgroup ticking;
static int64_t worst_delay;

static void ticker(void *arg)
{
    (void)arg;
    for (;;) {
        int64_t due = weft_now() + WEFT_MILLISECOND;
        if (weft_chan_recv_until(stop_ticker, NULL, due) != -ETIMEDOUT)
            break;
        int64_t delay = weft_now() - due;
        if (delay > worst_delay)
            worst_delay = delay;
    }
    weft_waitgroup_done(&ticking);
}

/* ---- A tree of our own ---- */

static void write_own_file(const char *path, unsigned number)
{
    uint32_t random = number * 2654435761u + 1;
    FILE *out = fopen(path, "w");
    if (!out) {
        perror(path);
        exit(1);
    }
    for (unsigned left = number * number * 40 % 300000; left > 0; left--) {
        random = random * 1664525 + 1013904223;
        putc((int)(random >> 24), out);
    }
    if (fclose(out) != 0)
        perror("hash_tree: fclose");
}

static void make_own_tree(const char *root)
{
    for (unsigned i = 0; i < OWN_FILES; i++) {
        char name[32];
        snprintf(name, sizeof name, "dir%u", i % 7);
        char *dir = join(root, name);
        mkdir(dir, 0755);
        snprintf(name, sizeof name, "file%03u", i);
        char *path = join(dir, name);
        write_own_file(path, i);
        free(path);
        free(dir);
    }
}

static void remove_own_tree(const char *root)
{
    for (size_t i = 0; i < file_count; i++)
        unlink(files[i].path);
    for (unsigned i = 0; i < 7; i++) {
        char name[32];
        snprintf(name, sizeof name, "dir%u", i);
        char *dir = join(root, name);
        rmdir(dir);
        free(dir);
    }
    rmdir(root);
}

/* ---- The program ---- */

static const char *root;
static int list;

/* The names are printed relative to the root, so that the digest depends on the tree alone. */
static int report(void)
{
    struct sha256 all;
    uint64_t bytes = 0;
    char hex[65];
    int status = 0;

    sha_init(&all);
    for (size_t i = 0; i < file_count; i++) {
        struct file *f = &files[i];
        const char *name = f->path + strlen(root) + 1;
        if (f->error) {
            fprintf(stderr, "hash_tree: %s: %s\n", f->path, strerror(-f->error));
            status = 1;
            continue;
        }
        bytes += f->size;
        sha_add(&all, f->hex, 64);
        sha_add(&all, "  ", 2);
        sha_add(&all, name, strlen(name));
        sha_add(&all, "\n", 1);
        if (list)
            printf("%s  %s\n", f->hex, name);
    }
    sha_end(&all, hex);
    if (!list)
        printf("%s  %zu files, %" PRIu64 " bytes\n", hex, file_count, bytes);
    fprintf(stderr, "worst delay of a 1 ms ticker meanwhile: %.3f ms\n", (double)worst_delay / 1e6);
    return status;
}

static int hash_and_tick(void *arg)
{
    (void)arg;
    stop_ticker = weft_chan_new(0, 0);
    weft_waitgroup_add(&ticking, 1);
    if (!stop_ticker || weft_go(ticker, NULL) != 0)
        return 1;
    int error = hash_all();
    weft_chan_close(stop_ticker);
    weft_waitgroup_wait(&ticking);
    weft_chan_free(stop_ticker);
    if (error)
        fprintf(stderr, "hash_tree: %s\n", strerror(-error));
    return error ? 1 : report();
}

static int usage(int status)
{
    fputs("usage: hash_tree [--list] [--jobs N] [TREE]\n"
          "Hashes the files of TREE (one that it makes itself) with SHA-256, N (32) at a time.\n",
          status ? stderr : stdout);
    return status;
}

static int parse(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0)
            list = 1;
        else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
            job_limit = atol(argv[++i]);
        else if (argv[i][0] == '-' || root)
            return -1;
        else
            root = argv[i];
    }
    return job_limit >= 1 && job_limit <= MAX_JOBS ? 0 : -1;
}

int main(int argc, char **argv)
{
    char own[] = "/tmp/hash_tree.XXXXXX";

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(0);
    if (parse(argc, argv) != 0)
        return usage(2);
    bool make = root == NULL;
    if (make) {
        root = mkdtemp(own);
        if (!root) {
            perror(own);
            return 1;
        }
        make_own_tree(root);
    }
    int status = collect(root);
    if (status != 0) {
        fprintf(stderr, "hash_tree: %s: %s\n", root, strerror(-status));
        return 1;
    }
    if (file_count > 0)
        qsort(files, file_count, sizeof *files, by_path);
    status = weft_run(NULL, hash_and_tick, NULL);
    if (make)
        remove_own_tree(root);
    for (size_t i = 0; i < file_count; i++)
        free(files[i].path);
    free(files);
    return status;
}
