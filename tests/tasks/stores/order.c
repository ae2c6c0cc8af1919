/* Writes down, in order, what a program writes, syncs and renames below one folder: preloaded by the tests. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static void note(const char *what, const char *path) {
    const char *folder = getenv("ORDER_FOLDER"), *log = getenv("ORDER_LOG");
    char line[4200];
    static ssize_t (*honest)(int, const void *, size_t);
    if (!folder || !log || strncmp(path, folder, strlen(folder)) != 0) return;
    if (!honest) honest = dlsym(RTLD_NEXT, "write");
    int fd = open(log, O_WRONLY | O_APPEND | O_CREAT, 0600);
    int n = snprintf(line, sizeof line, "%s %s\n", what, path + strlen(folder));
    if (fd >= 0 && n > 0) { if (honest(fd, line, (size_t)n) < 0) abort(); }
    if (fd >= 0) close(fd);
}

static void note_fd(const char *what, int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n > 0) { path[n] = 0; note(what, path); }
}

#define HONEST(name) static __typeof__(name) *honest; if (!honest) honest = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *at, size_t n) { HONEST(write); note_fd("write", fd); return honest(fd, at, n); }
ssize_t pwrite(int fd, const void *at, size_t n, off_t o) { HONEST(pwrite); note_fd("write", fd); return honest(fd, at, n, o); }
ssize_t pwrite64(int fd, const void *at, size_t n, off64_t o) { HONEST(pwrite64); note_fd("write", fd); return honest(fd, at, n, o); }
int fsync(int fd) { HONEST(fsync); note_fd("sync", fd); return honest(fd); }
int fdatasync(int fd) { HONEST(fdatasync); note_fd("sync", fd); return honest(fd); }
int rename(const char *from, const char *to) { HONEST(rename); int done = honest(from, to); note("rename", to); return done; }
