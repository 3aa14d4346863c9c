/*
 * LD_PRELOAD library: gives a kernel without dma-buf heaps what picamera2 allocates from, and
 * libcamera's virtual camera a frame rate. For tests only.
 *
 * EDGEHOME_SHIM_FPS    frames a second; the virtual camera itself runs as fast as it can
 * EDGEHOME_SHIM_STALL  while a file of this name exists no frame comes: a camera that hangs
 * EDGEHOME_SHIM_DENY   if set, the heaps may not be opened: a user who is not in group video
 *
 * Compiled with -DKERNEL_HEAPS it leaves a kernel that has heaps to itself.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PLANES 2 /* the virtual camera maps each plane of a frame just before it draws it */

#ifndef KERNEL_HEAPS
static int is_heap(const char *path)
{
	return path && !strncmp(path, "/dev/dma_heap/", 14);
}

static int open_heap(int flags)
{
	if (getenv("EDGEHOME_SHIM_DENY")) {
		errno = EACCES;
		return -1;
	}
	return memfd_create("dma_heap", flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
}

#define OPEN(NAME)                                                                   \
	int NAME(const char *path, int flags, ...)                                   \
	{                                                                            \
		static int (*real)(const char *, int, ...);                          \
		if (!real)                                                           \
			real = dlsym(RTLD_NEXT, #NAME);                              \
		va_list arguments;                                                   \
		va_start(arguments, flags);                                          \
		int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, int) : 0; \
		va_end(arguments);                                                   \
		return is_heap(path) ? open_heap(flags) : real(path, flags, mode);   \
	}
OPEN(open)
OPEN(open64)

#define OPEN_CHECKED(NAME)                                                  \
	int NAME(const char *path, int flags)                               \
	{                                                                   \
		static int (*real)(const char *, int);                      \
		if (!real)                                                  \
			real = dlsym(RTLD_NEXT, #NAME);                     \
		return is_heap(path) ? open_heap(flags) : real(path, flags); \
	}
OPEN_CHECKED(__open_2)
OPEN_CHECKED(__open64_2)

static int allocate(struct dma_heap_allocation_data *data)
{
	int memory = memfd_create("dma_buf", MFD_CLOEXEC);

	if (memory < 0)
		return -1;
	if (ftruncate(memory, (data->len + 4095) & ~4095ULL)) {
		close(memory);
		errno = ENOMEM;
		return -1;
	}
	data->fd = memory;
	return 0;
}

int ioctl(int descriptor, unsigned long request, ...)
{
	static int (*real)(int, unsigned long, ...);

	if (!real)
		real = dlsym(RTLD_NEXT, "ioctl");
	va_list arguments;
	va_start(arguments, request);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);
	switch ((unsigned)request) {
	case (unsigned)DMA_HEAP_IOCTL_ALLOC:
		return allocate(argument);
	case (unsigned)DMA_BUF_IOCTL_SYNC:
	case (unsigned)DMA_BUF_SET_NAME_A:
	case (unsigned)DMA_BUF_SET_NAME_B:
		return 0;
	}
	return real(descriptor, request, argument);
}
#endif

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void pace(void)
{
	static double next;
	static int mappings;
	const char *stall = getenv("EDGEHOME_SHIM_STALL");
	const char *rate = getenv("EDGEHOME_SHIM_FPS");

	if (mappings++ % PLANES)
		return;
	while (stall && !access(stall, F_OK))
		usleep(20000);
	if (!rate)
		return;
	if (next < now() - 1)
		next = now();
	double early = next - now();
	if (early > 0)
		usleep((useconds_t)(early * 1e6));
	next += 1 / atof(rate);
}

#define MMAP(NAME, OFFSET)                                                           \
	void *NAME(void *address, size_t length, int protection, int flags, int descriptor, \
		   OFFSET offset)                                                    \
	{                                                                            \
		static void *(*real)(void *, size_t, int, int, int, OFFSET);         \
		if (!real)                                                           \
			real = dlsym(RTLD_NEXT, #NAME);                              \
		if (protection == PROT_WRITE && flags == MAP_SHARED)                 \
			pace();                                                      \
		return real(address, length, protection, flags, descriptor, offset); \
	}
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)
