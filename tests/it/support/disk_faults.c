/* Preloaded into the server under test: makes chosen write calls on SQLite's files fail. The test process and this
 * library share one file, which holds the plan and counts the calls. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The layout that disk_faults.rs writes. */
struct plan {
    _Atomic int64_t error;  /* errno of a call that fails; 0: none fails */
    _Atomic int64_t skip;   /* calls that still succeed */
    _Atomic int64_t times;  /* calls that fail after those */
    _Atomic int64_t failed; /* calls that have failed */
    char suffix[32];        /* only files whose name ends like this */
};

static struct plan *plan;

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("DISK_FAULTS");
    int fd = path ? open(path, O_RDWR) : -1;
    if (fd < 0) return;
    void *mapped = mmap(NULL, sizeof(struct plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED) plan = mapped;
    close(fd);
}

static int fails(int fd) {
    if (!plan || plan->error == 0) return 0;
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0) return 0;
    name[length] = 0;
    size_t suffix = strlen(plan->suffix);
    if (!strstr(name, "heddle.sqlite") || suffix > (size_t)length) return 0;
    if (strcmp(name + length - suffix, plan->suffix) != 0) return 0;
    if (atomic_fetch_sub(&plan->skip, 1) > 0) return 0;
    if (atomic_fetch_sub(&plan->times, 1) <= 0) return 0;
    atomic_fetch_add(&plan->failed, 1);
    errno = (int)plan->error;
    return 1;
}

#define FAULTY(result, name, parameters, arguments) \
    result name parameters { \
        static result(*real) parameters; \
        if (!real) real = (result(*) parameters)dlsym(RTLD_NEXT, #name); \
        return fails(fd) ? -1 : real arguments; \
    }

FAULTY(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
FAULTY(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
FAULTY(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
FAULTY(int, fsync, (int fd), (fd))
FAULTY(int, fdatasync, (int fd), (fd))
FAULTY(int, ftruncate, (int fd, off_t size), (fd, size))
FAULTY(int, ftruncate64, (int fd, off64_t size), (fd, size))
FAULTY(int, fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
