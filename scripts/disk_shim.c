/* What a process does to the files below one folder: recorded, refused, or its last act.
 *
 *     cc -O1 -shared -fPIC -o disk_shim.so disk_shim.c -ldl
 *     LD_PRELOAD=./disk_shim.so DISK_FOLDER=/folder [DISK_RECORD=log] [DISK_FAULT=file]
 *         [DISK_KILL=n] PROGRAM
 *
 * DISK_RECORD: every change is appended to a log: kind, path, offset, length, bytes; both lengths
 *     and the offset in the machine's byte order (see `record`).
 * DISK_FAULT: while that file exists, changes and reads fail with EIO.
 * DISK_KILL: the process kills itself when the n-th fsync or fdatasync has come back.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define MOST_FILES 4096
#define NEXT(name) \
    static __typeof__(&name) next; \
    if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static char *names[MOST_FILES];
static const char *folder, *fault;
static size_t folder_length;
static int log_file = -1;
static long kill_at, syncs;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void)
{
    const char *record = getenv("DISK_RECORD"), *kill_text = getenv("DISK_KILL");
    folder = getenv("DISK_FOLDER");
    folder_length = folder ? strlen(folder) : 0;
    fault = getenv("DISK_FAULT");
    kill_at = kill_text ? atol(kill_text) : 0;
    if (record) log_file = open(record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int ours(const char *path)
{
    return folder_length && path && strncmp(path, folder, folder_length) == 0;
}

static const char *name_of(int file)
{
    return file >= 0 && file < MOST_FILES ? names[file] : NULL;
}

static int refused(const char *path)
{
    if (!path || !fault || access(fault, F_OK) != 0) return 0;
    errno = EIO;
    return 1;
}

static void record(char kind, const char *path, int64_t offset, const void *data, uint32_t length)
{
    static ssize_t (*put)(int, const void *, size_t);
    uint16_t path_length;
    char head[1 + 2 + PATH_MAX + 8 + 4];
    size_t at = 0;
    if (log_file < 0 || !path) return;
    if (!put) put = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    path_length = (uint16_t)strlen(path);
    head[at++] = kind;
    memcpy(head + at, &path_length, 2), at += 2;
    memcpy(head + at, path, path_length), at += path_length;
    memcpy(head + at, &offset, 8), at += 8;
    memcpy(head + at, &length, 4), at += 4;
    pthread_mutex_lock(&order);
    if (put(log_file, head, at) < 0 || (length && put(log_file, data, length) < 0)) abort();
    pthread_mutex_unlock(&order);
}

static int opened(int file, const char *path, int flags, int existed)
{
    if (file < 0 || file >= MOST_FILES || !ours(path)) return file;
    free(names[file]);
    names[file] = strdup(path);
    if (!existed && (flags & O_CREAT)) record('C', path, 0, NULL, 0);
    if (existed && (flags & O_TRUNC)) record('T', path, 0, NULL, 0);
    return file;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        NEXT(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        if (ours(path) && refused(path)) return -1; \
        int existed = ours(path) && access(path, F_OK) == 0; \
        return opened(next(path, flags, mode), path, flags, existed); \
    }
OPEN(open)
OPEN(open64)

int close(int file)
{
    NEXT(close);
    if (file >= 0 && file < MOST_FILES && names[file]) {
        free(names[file]);
        names[file] = NULL;
    }
    return next(file);
}

#define PWRITE(name, offset_type) \
    ssize_t name(int file, const void *data, size_t length, offset_type offset) \
    { \
        NEXT(name); \
        const char *path = name_of(file); \
        if (refused(path)) return -1; \
        ssize_t done = next(file, data, length, offset); \
        if (done > 0) record('W', path, offset, data, (uint32_t)done); \
        return done; \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define PREAD(name, offset_type) \
    ssize_t name(int file, void *data, size_t length, offset_type offset) \
    { \
        NEXT(name); \
        return refused(name_of(file)) ? -1 : next(file, data, length, offset); \
    }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

ssize_t write(int file, const void *data, size_t length)
{
    NEXT(write);
    const char *path = name_of(file);
    if (refused(path)) return -1;
    off_t offset = path ? lseek(file, 0, SEEK_CUR) : 0;
    ssize_t done = next(file, data, length);
    if (done > 0) record('W', path, offset, data, (uint32_t)done);
    return done;
}

#define TRUNCATE(name, offset_type) \
    int name(int file, offset_type length) \
    { \
        NEXT(name); \
        const char *path = name_of(file); \
        if (refused(path)) return -1; \
        int failed = next(file, length); \
        if (!failed) record('T', path, length, NULL, 0); \
        return failed; \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name) \
    int name(int file) \
    { \
        NEXT(name); \
        const char *path = name_of(file); \
        if (refused(path)) return -1; \
        int failed = next(file); \
        if (path && !failed) { \
            record('S', path, 0, NULL, 0); \
            if (kill_at && ++syncs == kill_at) kill(getpid(), SIGKILL); \
        } \
        return failed; \
    }
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path)
{
    NEXT(unlink);
    if (ours(path) && refused(path)) return -1;
    int failed = next(path);
    if (!failed && ours(path)) record('U', path, 0, NULL, 0);
    return failed;
}

#define TWO(name, kind) \
    int name(const char *from, const char *to) \
    { \
        NEXT(name); \
        if (ours(from) && refused(from)) return -1; \
        int failed = next(from, to); \
        if (!failed && ours(from)) record(kind, from, 0, to, (uint32_t)strlen(to)); \
        return failed; \
    }
TWO(rename, 'R')
TWO(link, 'L')
