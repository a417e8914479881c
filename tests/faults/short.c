/* Real short writes: a library that is loaded before libc and hands on the first half of some writes only.
 *
 * strace can make a call return a smaller number than was asked for, but then nothing is written at all, which is a lie that no
 * kernel tells. Here the half that is reported is in the file.
 *
 * A page shared with the harness (the file that SHORT_CONTROL names) says which calls: those from `from` on and before `to`, counted
 * over all threads. Sockets and pipes are left alone: they take short writes all day.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct control {
    _Atomic uint64_t from, to, calls, shortened;
};

static struct control *control;
static ssize_t (*next_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*next_write)(int, const void *, size_t);

__attribute__((constructor)) static void begin(void) {
    next_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    next_write = dlsym(RTLD_NEXT, "write");
    const char *path = getenv("SHORT_CONTROL");
    int file = path ? open(path, O_RDWR) : -1;
    if (file < 0)
        return;
    void *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (page != MAP_FAILED)
        control = page;
    close(file);
}

static size_t allowed(int file, size_t length) {
    struct stat status;
    if (!control || length < 2 || fstat(file, &status) || !S_ISREG(status.st_mode))
        return length;
    uint64_t call = atomic_fetch_add(&control->calls, 1) + 1;
    if (call < atomic_load(&control->from) || call >= atomic_load(&control->to))
        return length;
    atomic_fetch_add(&control->shortened, 1);
    return length / 2;
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off_t offset) {
    return next_pwrite(file, bytes, allowed(file, length), offset);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) {
    return next_pwrite(file, bytes, allowed(file, length), offset);
}

ssize_t write(int file, const void *bytes, size_t length) {
    return next_write(file, bytes, allowed(file, length));
}
