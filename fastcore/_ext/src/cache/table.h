/* The table of a cache: dense entries, an open-addressing index over them, a recency list and an expiry order.
 *
 * Only fc_table_find runs Python code (a key's __eq__); everything else here is plain memory work, so a caller that
 * mutates right after a find without running Python in between sees the table as it found it.
 */
#ifndef FASTCORE_CACHE_TABLE_H
#define FASTCORE_CACHE_TABLE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "common/macros.h"
#include "common/stack.h"

#define FC_NONE (-1)
#define FC_IN_HEAP (-2)
#define FC_MAX_ENTRIES (1 << 30)

typedef struct {
    PyObject *key; /* owned; NULL in a free slot */
    PyObject *value; /* owned */
    Py_hash_t hash;
    double expires; /* in the clock's unit; infinity: never */
    int32_t older; /* recency list */
    int32_t newer; /* recency list; chains free slots */
    int32_t sooner; /* expiry list, or the position in the expiry heap */
    int32_t later; /* expiry list, or FC_IN_HEAP */
} fc_entry;

/* Cells lie in the order of their tags, each at its home or after it, so a lookup ends where the tags grow past its
 * own; the last cell is always empty. */
typedef struct {
    uint32_t tag; /* 32 mixed bits of the hash, which also say the home; FC_NO_TAG in an empty cell */
    int32_t slot; /* FC_NONE: empty */
} fc_cell;

#define FC_NO_TAG UINT32_MAX

typedef struct {
    fc_entry *entries;
    fc_cell *cells;
    uint32_t nhomes; /* there are more cells than homes: nothing wraps around */
    uint32_t ncells;
    int32_t count;
    int32_t oldest;
    int32_t newest;
    uint64_t version; /* changes whenever an entry comes, goes or moves */
    int32_t capacity;
    int32_t used; /* slots from here on were never taken */
    int32_t free; /* chain of slots given back */
    int32_t soonest;
    int32_t latest;
    int32_t *heap; /* entries whose expiry came out of order */
    int32_t heap_len;
    int32_t heap_cap;
    double *weights; /* NULL while every weight is 1 */
    double weight; /* sum */
} fc_table;

void fc_table_init(fc_table *t);
int fc_table_find_equal(fc_table *t, PyObject *key, Py_hash_t hash, int32_t *slot);
int fc_table_reserve(fc_table *t, int more, double expires, double weight, double most);
int32_t fc_table_insert(fc_table *t, PyObject *key, PyObject *value, Py_hash_t hash, double expires, double weight);
void fc_table_remove(fc_table *t, int32_t slot, PyObject **key, PyObject **value);
void fc_table_touch(fc_table *t, int32_t slot);
void fc_table_set_weight(fc_table *t, int32_t slot, double weight);
int fc_table_pack(fc_table *t);
void fc_table_free(fc_table *t);
int fc_table_check(const fc_table *t);

/* The expiry order (expiry.c): a list for expiries that come in order, a heap for the rest. */
int fc_expiry_reserve(fc_table *t, double expires);
void fc_expiry_add(fc_table *t, int32_t slot);
void fc_expiry_drop(fc_table *t, int32_t slot);
int32_t fc_expiry_first(const fc_table *t);
int fc_expiry_check(const fc_table *t);

static inline uint32_t fc_table_tag(Py_hash_t hash) {
    /* Fibonacci hashing: runs and strides of ints spread over the high bits, which choose the cell. */
    return (uint32_t)(((uint64_t)hash * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static inline uint32_t fc_table_home(const fc_table *t, uint32_t tag) {
    return (uint32_t)(((uint64_t)tag * t->nhomes) >> 32);
}

/* 1 and the slot, 0 and FC_NONE, or -1 with an exception. Most lookups end here, at the key itself or past it;
 * the others may run Python code. */
static inline int fc_table_find(fc_table *t, PyObject *key, Py_hash_t hash, int32_t *slot) {
    if (FC_LIKELY(t->count > 0)) {
        const uint32_t tag = fc_table_tag(hash);
        const fc_cell *cell = t->cells + fc_table_home(t, tag);
        while (cell->tag < tag) {
            cell++;
        }
        if (cell->tag == tag && FC_LIKELY(cell->slot != FC_NONE)) {
            if (FC_UNLIKELY(t->entries[cell->slot].key != key)) {
                return fc_table_find_equal(t, key, hash, slot);
            }
            *slot = cell->slot;
            return 1;
        }
    }
    *slot = FC_NONE;
    return 0;
}

static inline double fc_table_weight(const fc_table *t, int32_t slot) {
    return t->weights == NULL ? 1.0 : t->weights[slot];
}

#endif
