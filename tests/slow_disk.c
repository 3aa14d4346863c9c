/* A slow disk: whatever touches a file below one folder takes longer.
 *
 *     cc -O1 -shared -fPIC -o slow_disk.so slow_disk.c -ldl
 *     LD_PRELOAD=./slow_disk.so SLOW_FOLDER=/folder SLOW_MS=500 PROGRAM
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int below(const char *path)
{
    const char *folder = getenv("SLOW_FOLDER");
    return folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

static void linger(int slow)
{
    const char *ms = getenv("SLOW_MS");
    if (!slow || !ms)
        return;
    struct timespec pause = {atol(ms) / 1000, atol(ms) % 1000 * 1000000L};
    while (nanosleep(&pause, &pause) != 0)
        ;
}

static int file_below(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    return below(path);
}

#define NEXT(name) static __typeof__(&name) next; if (!next) next = dlsym(RTLD_NEXT, #name)

int fsync(int fd) { NEXT(fsync); linger(file_below(fd)); return next(fd); }
int fdatasync(int fd) { NEXT(fdatasync); linger(file_below(fd)); return next(fd); }

ssize_t write(int fd, const void *data, size_t size)
{
    NEXT(write);
    linger(file_below(fd));
    return next(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    NEXT(pwrite64);
    linger(file_below(fd));
    return next(fd, data, size, offset);
}

int rename(const char *from, const char *to) { NEXT(rename); linger(below(to)); return next(from, to); }
int unlink(const char *path) { NEXT(unlink); linger(below(path)); return next(path); }

#define OPEN(name)                                  \
    int name(const char *path, int flags, ...)      \
    {                                               \
        va_list more;                               \
        va_start(more, flags);                      \
        mode_t mode = va_arg(more, mode_t);         \
        va_end(more);                               \
        NEXT(name);                                 \
        linger(below(path));                        \
        return next(path, flags, mode);             \
    }

OPEN(open)
OPEN(open64)
