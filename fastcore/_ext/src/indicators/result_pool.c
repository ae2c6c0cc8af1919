#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "indicators/result_pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#define LINE 64          /* data begins on a cache line; the one before says what the block is */
#define PAGE 4096
#define HUGE_FROM (4 << 20)   /* from here on numpy, too, asks for huge pages */
#define KEPT 16          /* blocks */
#define MOST (32u << 20) /* bytes in all */

typedef struct {
    void *raw;   /* what malloc gave */
    size_t size; /* of the data */
} head;

static void *kept[KEPT]; /* the latest last */
static int n_kept;
static size_t bytes_kept;
static PyThread_type_lock lock; /* never waited for: who does not get it goes to malloc */

static head *head_of(void *data) { return (head *)((char *)data - LINE); }

static void *fresh(size_t size) {
    if (size > SIZE_MAX - 2 * LINE) {
        return NULL;
    }
    char *raw = malloc(size + 2 * LINE);
    if (!raw) {
        return NULL;
    }
    void *data = (void *)(((uintptr_t)raw + 2 * LINE - 1) & ~(uintptr_t)(LINE - 1));
    *head_of(data) = (head){raw, size};
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (size >= HUGE_FROM) {
        uintptr_t first = ((uintptr_t)data + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
        madvise((void *)first, (uintptr_t)data + size - first, MADV_HUGEPAGE); /* advice: it may fail */
    }
#endif
    return data;
}

static void drop(int i) {
    bytes_kept -= head_of(kept[i])->size;
    memmove(kept + i, kept + i + 1, (size_t)(--n_kept - i) * sizeof *kept);
}

static void *room_malloc(void *Py_UNUSED(ctx), size_t size) {
    void *data = NULL;
    if (size < FC_ROOM_FROM || size > FC_ROOM_TO) { /* by resizing */
        return fresh(size);
    }
    size = (size + PAGE - 1) & ~(size_t)(PAGE - 1);
    if (PyThread_acquire_lock(lock, NOWAIT_LOCK)) {
        for (int i = n_kept; i-- && !data;) {
            size_t has = head_of(kept[i])->size;
            if (has >= size && has - size <= size / 4) {
                data = kept[i];
                drop(i);
            }
        }
        PyThread_release_lock(lock);
    }
    return data ? data : fresh(size);
}

static void room_free(void *Py_UNUSED(ctx), void *data, size_t Py_UNUSED(size)) {
    if (!data) {
        return;
    }
    size_t size = head_of(data)->size;
    void *gone[KEPT + 1];
    int n = 0;
    if (size < FC_ROOM_FROM || size > FC_ROOM_TO || !PyThread_acquire_lock(lock, NOWAIT_LOCK)) {
        free(head_of(data)->raw);
        return;
    }
    while (n_kept == KEPT || (n_kept && bytes_kept + size > MOST)) { /* the oldest goes */
        gone[n++] = kept[0];
        drop(0);
    }
    kept[n_kept++] = data;
    bytes_kept += size;
    PyThread_release_lock(lock);
    while (n--) {
        free(head_of(gone[n])->raw);
    }
}

static void *room_calloc(void *ctx, size_t number, size_t size) {
    if (size && number > SIZE_MAX / size) {
        return NULL;
    }
    void *data = room_malloc(ctx, number * size);
    return data ? memset(data, 0, number * size) : NULL;
}

static void *room_realloc(void *ctx, void *data, size_t size) {
    void *moved = room_malloc(ctx, size);
    if (moved && data) {
        size_t had = head_of(data)->size;
        memcpy(moved, data, had < size ? had : size);
        room_free(ctx, data, had);
    }
    return moved;
}

PyDataMem_Handler fc_room = {"fastcore", 1, {NULL, room_malloc, room_calloc, room_realloc, room_free}};

int fc_room_ready(void) {
    if (!lock && !(lock = PyThread_allocate_lock())) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}
