#include "cache/table.h"

#include <math.h>

static inline int precedes(const fc_table *t, int32_t a, int32_t b) {
    return t->entries[a].expires < t->entries[b].expires;
}

static inline void seat(fc_table *t, int32_t position, int32_t slot) {
    t->heap[position] = slot;
    t->entries[slot].sooner = position;
}

static void sift_up(fc_table *t, int32_t position, int32_t slot) {
    while (position > 0) {
        const int32_t parent = (position - 1) / 2;
        if (!precedes(t, slot, t->heap[parent])) {
            break;
        }
        seat(t, position, t->heap[parent]);
        position = parent;
    }
    seat(t, position, slot);
}

static void sift_down(fc_table *t, int32_t position, int32_t slot) {
    for (;;) {
        int32_t child = 2 * position + 1;
        if (child >= t->heap_len) {
            break;
        }
        if (child + 1 < t->heap_len && precedes(t, t->heap[child + 1], t->heap[child])) {
            child++;
        }
        if (!precedes(t, t->heap[child], slot)) {
            break;
        }
        seat(t, position, t->heap[child]);
        position = child;
    }
    seat(t, position, slot);
}

/* Make room in the heap for one entry, whether or not its expiry will go there. */
int fc_expiry_reserve(fc_table *t, double expires) {
    if (FC_LIKELY(expires == INFINITY || t->latest == FC_NONE || expires >= t->entries[t->latest].expires)) {
        /* Appending to the list cannot fail; but an update first unlinks its own entry, which may be the latest:
         * that only lowers the bar. */
        return 0;
    }
    if (t->heap_len == t->heap_cap) {
        const int32_t capacity = t->heap_cap < 8 ? 8 : t->heap_cap + t->heap_cap / 2;
        int32_t *heap = PyMem_RawRealloc(t->heap, (size_t)capacity * sizeof *heap);
        if (heap == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        t->heap = heap;
        t->heap_cap = capacity;
    }
    return 0;
}

/* Put an entry with a finite expiry in order; fc_expiry_reserve came first. */
void fc_expiry_add(fc_table *t, int32_t slot) {
    fc_entry *e = &t->entries[slot];
    if (FC_LIKELY(t->latest == FC_NONE || e->expires >= t->entries[t->latest].expires)) {
        e->sooner = t->latest;
        e->later = FC_NONE;
        if (t->latest == FC_NONE) {
            t->soonest = slot;
        } else {
            t->entries[t->latest].later = slot;
        }
        t->latest = slot;
        return;
    }
    e->later = FC_IN_HEAP;
    sift_up(t, t->heap_len++, slot);
}

void fc_expiry_drop(fc_table *t, int32_t slot) {
    const fc_entry *e = &t->entries[slot];
    if (e->later == FC_IN_HEAP) {
        const int32_t position = e->sooner;
        const int32_t moved = t->heap[--t->heap_len];
        if (moved != slot) {
            if (precedes(t, moved, slot)) {
                sift_up(t, position, moved);
            } else {
                sift_down(t, position, moved);
            }
        }
        return;
    }
    if (e->sooner == FC_NONE) {
        t->soonest = e->later;
    } else {
        t->entries[e->sooner].later = e->later;
    }
    if (e->later == FC_NONE) {
        t->latest = e->sooner;
    } else {
        t->entries[e->later].sooner = e->sooner;
    }
}

/* The entry that expires first, or FC_NONE. */
int32_t fc_expiry_first(const fc_table *t) {
    if (t->heap_len == 0) {
        return t->soonest;
    }
    if (t->soonest == FC_NONE || precedes(t, t->heap[0], t->soonest)) {
        return t->heap[0];
    }
    return t->soonest;
}

int fc_expiry_check(const fc_table *t) {
    const char *wrong = NULL;
    int32_t seen = 0, expected = 0, before = FC_NONE;
    for (int32_t slot = t->oldest; slot != FC_NONE; slot = t->entries[slot].newer) {
        expected += t->entries[slot].expires != INFINITY;
    }
    for (int32_t slot = t->soonest; slot != FC_NONE && seen <= expected; slot = t->entries[slot].later, seen++) {
        if (t->entries[slot].sooner != before || (before != FC_NONE && precedes(t, slot, before))) {
            wrong = "the expiry list is broken";
            break;
        }
        before = slot;
    }
    if (wrong == NULL && t->latest != before) {
        wrong = "the expiry list has lost its end";
    }
    for (int32_t i = 0; wrong == NULL && i < t->heap_len; i++, seen++) {
        const int32_t slot = t->heap[i];
        if (t->entries[slot].later != FC_IN_HEAP || t->entries[slot].sooner != i ||
            (i > 0 && precedes(t, slot, t->heap[(i - 1) / 2]))) {
            wrong = "the expiry heap is broken";
        }
    }
    if (wrong == NULL && seen != expected) {
        wrong = "the expiry order does not hold every entry that expires";
    }
    if (wrong != NULL) {
        PyErr_SetString(PyExc_AssertionError, wrong);
        return -1;
    }
    return 0;
}
