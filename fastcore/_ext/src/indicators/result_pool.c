#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "indicators/result_pool.h"
#include "indicators/room.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#define LINE 64          /* data begins on a cache line; the one before says what the block is */
#define PAGE 4096
#define HUGE_FROM (4 << 20)   /* from here on numpy, too, asks for huge pages */
#define KEPT 64          /* blocks of a list */

typedef struct {
    void *raw;   /* what malloc gave */
    size_t size; /* of the data */
} head;

typedef struct {
    void *block[KEPT]; /* the latest last */
    int n;
    size_t bytes, most; /* in all, and at most */
} blocks;

/* Blocks that stay resident, and those whose pages the system reclaims when it is short of memory: until then these
 * need not be mapped and cleared again either. */
static blocks kept = {.most = 32u << 20}, reclaimable = {.most = 256u << 20};
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

static void *drop(blocks *s, int i) {
    void *data = s->block[i];
    s->bytes -= head_of(data)->size;
    memmove(s->block + i, s->block + i + 1, (size_t)(--s->n - i) * sizeof *s->block);
    return data;
}

/* Adds a block; the oldest ones, which no longer fit, go to `out`. Returns how many. */
static int put(blocks *s, void *data, void **out) {
    size_t size = head_of(data)->size;
    int n = 0;
    while (s->n == KEPT || (s->n && s->bytes + size > s->most)) {
        out[n++] = drop(s, 0);
    }
    s->block[s->n++] = data;
    s->bytes += size;
    return n;
}

static void *take(blocks *s, size_t size) {
    for (int i = s->n; i--;) {
        size_t has = head_of(s->block[i])->size;
        if (has >= size && has - size <= size / 4) {
            return drop(s, i);
        }
    }
    return NULL;
}

static void *room_malloc(void *Py_UNUSED(ctx), size_t size) {
    void *data = NULL;
    if (size < FC_ROOM_FROM || size > FC_ROOM_TO) { /* by resizing */
        return fresh(size);
    }
    size = (size + PAGE - 1) & ~(size_t)(PAGE - 1);
    if (PyThread_acquire_lock(lock, NOWAIT_LOCK)) {
        data = take(&kept, size);
        data = data ? data : take(&reclaimable, size);
        PyThread_release_lock(lock);
    }
    return data ? data : fresh(size);
}

/* Lets the system reclaim the pages of a block; 0 where it cannot. */
static int make_reclaimable(void *data) {
#if defined(__linux__) && defined(MADV_FREE)
    uintptr_t first = ((uintptr_t)data + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    uintptr_t end = ((uintptr_t)data + head_of(data)->size) & ~(uintptr_t)(PAGE - 1);
    return !madvise((void *)first, end - first, MADV_FREE);
#else
    (void)data;
    return 0;
#endif
}

static void room_free(void *Py_UNUSED(ctx), void *data, size_t Py_UNUSED(size)) {
    if (!data) {
        return;
    }
    size_t size = head_of(data)->size;
    void *old[KEPT + 1], *gone[KEPT + 1];
    if (size < FC_ROOM_FROM || size > FC_ROOM_TO || !PyThread_acquire_lock(lock, NOWAIT_LOCK)) {
        free(head_of(data)->raw);
        return;
    }
    int n = put(&kept, data, old);
    PyThread_release_lock(lock);
    while (n--) {
        int n_gone = 0;
        if (make_reclaimable(old[n]) && PyThread_acquire_lock(lock, NOWAIT_LOCK)) {
            n_gone = put(&reclaimable, old[n], gone);
            PyThread_release_lock(lock);
        } else {
            gone[n_gone++] = old[n];
        }
        while (n_gone--) {
            free(head_of(gone[n_gone])->raw);
        }
    }
}

void *fc_room_take(size_t bytes) { return room_malloc(NULL, bytes); }
void fc_room_give(void *room) { room_free(NULL, room, 0); }

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
