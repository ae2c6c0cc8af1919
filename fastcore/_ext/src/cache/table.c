#include "cache/table.h"

#include <math.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

/* A key whose __eq__ changes the table makes a lookup start over; this often, then it is an error. */
#define FC_RESTARTS 64

void fc_table_init(fc_table *t) {
    memset(t, 0, sizeof *t);
    t->oldest = t->newest = t->soonest = t->latest = t->free = FC_NONE;
}

/* 1 equal, 0 not, -1 error, 2: only Python code can tell. */
static inline int same_plain(PyObject *a, PyObject *b) {
    PyTypeObject *type = Py_TYPE(a);
    if (type != Py_TYPE(b)) {
        return 2;
    }
    if (type == &PyUnicode_Type) {
        Py_ssize_t length = PyUnicode_GET_LENGTH(a);
        int kind = PyUnicode_KIND(a);
        return length == PyUnicode_GET_LENGTH(b) && kind == (int)PyUnicode_KIND(b) &&
               memcmp(PyUnicode_DATA(a), PyUnicode_DATA(b), (size_t)length * (size_t)kind) == 0;
    }
    if (type == &PyLong_Type || type == &PyFloat_Type || type == &PyBytes_Type) {
        PyObject *answer = type->tp_richcompare(a, b, Py_EQ);
        if (answer == NULL) {
            return -1;
        }
        int same = answer == Py_True;
        Py_DECREF(answer);
        return same;
    }
    return 2;
}

static inline int same_exact(PyObject *a, PyObject *b) {
    if (!PyTuple_CheckExact(a) || !PyTuple_CheckExact(b)) {
        return same_plain(a, b);
    }
    const Py_ssize_t size = PyTuple_GET_SIZE(a); /* the key of a call */
    int same = size == PyTuple_GET_SIZE(b);
    for (Py_ssize_t i = 0; same == 1 && i < size; i++) {
        PyObject *one = PyTuple_GET_ITEM(a, i), *other = PyTuple_GET_ITEM(b, i);
        same = one == other ? 1 : same_plain(one, other);
    }
    return same;
}

static FC_NOINLINE int same_by_python(fc_table *t, PyObject *mine, PyObject *key, int *restart) {
    uint64_t version = t->version;
    Py_INCREF(mine); /* __eq__ may remove the entry */
    int same = FC_GUARDED_INT(PyObject_RichCompareBool(mine, key, Py_EQ));
    Py_DECREF(mine);
    *restart = t->version != version;
    return same;
}

/* The whole of fc_table_find: runs __eq__ of keys that are not plain str, int, float or bytes, and starts over where
 * that changed the table. */
int fc_table_find_equal(fc_table *t, PyObject *key, Py_hash_t hash, int32_t *slot) {
    const uint32_t tag = fc_table_tag(hash);
    for (int restarts = 0; restarts < FC_RESTARTS; restarts++) {
        int restart = 0;
        if (t->count == 0) {
            *slot = FC_NONE;
            return 0;
        }
        const fc_cell *cell = t->cells + fc_table_home(t, tag);
        while (cell->tag < tag) {
            cell++;
        }
        for (; cell->tag == tag && cell->slot != FC_NONE; cell++) {
            const int32_t candidate = cell->slot;
            const fc_entry *e = &t->entries[candidate];
            if (e->hash != hash) {
                continue;
            }
            int same = e->key == key ? 1 : same_exact(e->key, key);
            if (same == 2) {
                same = same_by_python(t, e->key, key, &restart);
            }
            if (same < 0) {
                return -1;
            }
            if (restart) {
                break; /* the cells are no longer what they were */
            }
            if (same) {
                *slot = candidate;
                return 1;
            }
        }
        if (!restart) {
            *slot = FC_NONE;
            return 0;
        }
    }
    PyErr_Format(PyExc_RuntimeError,
                 "key: expected an __eq__ that leaves the cache alone, got %d changes in one lookup", FC_RESTARTS);
    return -1;
}

/* Put a cell where its tag belongs, moving those after it up to the next empty one. */
static void place(fc_table *t, uint32_t tag, int32_t slot) {
    uint32_t i = fc_table_home(t, tag);
    while (t->cells[i].slot != FC_NONE && t->cells[i].tag <= tag) {
        i++;
    }
    uint32_t end = i;
    while (t->cells[end].slot != FC_NONE) {
        end++;
    }
    memmove(&t->cells[i + 1], &t->cells[i], (size_t)(end - i) * sizeof *t->cells);
    t->cells[i].tag = tag;
    t->cells[i].slot = slot;
}

/* Random access to a large table costs a page walk each time: ask for huge pages. */
static void advise(void *memory, size_t size) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t huge = (uintptr_t)1 << 21;
    const uintptr_t start = ((uintptr_t)memory + huge - 1) & ~(huge - 1);
    const uintptr_t end = ((uintptr_t)memory + size) & ~(huge - 1);
    if (size >= 2 * huge && end > start) {
        (void)madvise((void *)start, end - start, MADV_HUGEPAGE); /* a wish: where it fails nothing is lost */
    }
#else
    (void)memory;
    (void)size;
#endif
}

/* Cells beyond the homes, for the run that ends there. */
#define FC_SPARE 32

static int set_cells(fc_table *t, uint32_t nhomes, uint32_t spare) {
    const uint32_t ncells = nhomes + spare;
    fc_cell *cells = PyMem_RawMalloc((size_t)ncells * sizeof *cells);
    if (cells == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    advise(cells, (size_t)ncells * sizeof *cells);
    memset(cells, 0xff, (size_t)ncells * sizeof *cells); /* FC_NO_TAG, FC_NONE */
    fc_cell *old = t->cells;
    const uint32_t nold = t->ncells, old_homes = t->nhomes;
    t->cells = cells;
    t->nhomes = nhomes;
    t->ncells = ncells;
    uint32_t next = 0; /* the old cells come in order, so each goes right behind the one before, or to its home */
    for (uint32_t i = 0; i < nold; i++) {
        if (old[i].slot != FC_NONE) {
            const uint32_t home = fc_table_home(t, old[i].tag);
            next = next > home ? next : home;
            if (next + 1 >= ncells) { /* a crowd at the end: give it as much room as there can be */
                t->cells = old;
                t->ncells = nold;
                t->nhomes = old_homes;
                PyMem_RawFree(cells);
                return set_cells(t, nhomes, (uint32_t)t->count + FC_SPARE);
            }
            cells[next++] = old[i];
        }
    }
    PyMem_RawFree(old);
    t->version++;
    return 0;
}

/* Seven homes of ten are taken when the entries are full. */
static uint32_t homes_for(int32_t capacity) { return (uint32_t)((uint64_t)capacity * 10 / 7) + 2; }

static int set_capacity(fc_table *t, int32_t capacity) {
    if (t->weights != NULL) {
        double *weights = PyMem_RawRealloc(t->weights, (size_t)capacity * sizeof *weights);
        if (weights == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        t->weights = weights;
    }
    fc_entry *entries = PyMem_RawRealloc(t->entries, (size_t)capacity * sizeof *entries);
    if (entries == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    advise(entries, (size_t)capacity * sizeof *entries);
    t->entries = entries;
    t->version++;
    if (set_cells(t, homes_for(capacity), FC_SPARE) < 0) {
        return -1; /* the entries keep some unused room, which is harmless */
    }
    t->capacity = capacity;
    return 0;
}

static int start_weights(fc_table *t) {
    double *weights = PyMem_RawMalloc((size_t)(t->capacity ? t->capacity : 1) * sizeof *weights);
    if (weights == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int32_t i = 0; i < t->used; i++) {
        weights[i] = 1.0;
    }
    t->weights = weights;
    return 0;
}

/* Make room for `more` (0 or 1) entries, and for a weight and an expiry: what follows cannot fail. `most` is the
 * greatest number of entries there will ever be. */
int fc_table_reserve(fc_table *t, int more, double expires, double weight, double most) {
    if (FC_UNLIKELY(weight != 1.0 && t->weights == NULL) && start_weights(t) < 0) {
        return -1;
    }
    if (FC_UNLIKELY(more && t->free == FC_NONE && t->used == t->capacity)) {
        if (t->capacity >= FC_MAX_ENTRIES) {
            PyErr_Format(PyExc_OverflowError, "maxsize: a cache holds at most %d entries", FC_MAX_ENTRIES);
            return -1;
        }
        int64_t capacity = t->capacity < 8 ? 8 : (int64_t)t->capacity + t->capacity / 2;
        if ((double)capacity > most && most > (double)t->capacity) {
            capacity = (int64_t)ceil(most); /* a full cache wastes nothing */
        }
        if (capacity > FC_MAX_ENTRIES) {
            capacity = FC_MAX_ENTRIES;
        }
        if (set_capacity(t, (int32_t)capacity) < 0) {
            return -1;
        }
    }
    if (FC_UNLIKELY(more && t->cells[t->ncells - 2].slot != FC_NONE)) { /* the last cell must stay empty */
        if (set_cells(t, t->nhomes, 2 * (t->ncells - t->nhomes)) < 0) {
            return -1;
        }
    }
    return fc_expiry_reserve(t, expires);
}

static inline void append_newest(fc_table *t, int32_t slot) {
    fc_entry *e = &t->entries[slot];
    e->older = t->newest;
    e->newer = FC_NONE;
    if (t->newest == FC_NONE) {
        t->oldest = slot;
    } else {
        t->entries[t->newest].newer = slot;
    }
    t->newest = slot;
}

static inline void unlink_recency(fc_table *t, int32_t slot) {
    const fc_entry *e = &t->entries[slot];
    if (e->older == FC_NONE) {
        t->oldest = e->newer;
    } else {
        t->entries[e->older].newer = e->newer;
    }
    if (e->newer == FC_NONE) {
        t->newest = e->older;
    } else {
        t->entries[e->newer].older = e->older;
    }
}

/* Add a key that is not there; fc_table_reserve came first, so it cannot fail. */
int32_t fc_table_insert(fc_table *t, PyObject *key, PyObject *value, Py_hash_t hash, double expires, double weight) {
    int32_t slot = t->free;
    if (slot != FC_NONE) {
        t->free = t->entries[slot].newer;
    } else {
        slot = t->used++;
    }
    fc_entry *e = &t->entries[slot];
    e->key = Py_NewRef(key);
    e->value = Py_NewRef(value);
    e->hash = hash;
    e->expires = expires;
    if (t->weights != NULL) {
        t->weights[slot] = weight;
    }
    t->weight += weight;
    append_newest(t, slot);
    if (expires != INFINITY) {
        fc_expiry_add(t, slot);
    }
    place(t, fc_table_tag(hash), slot);
    t->count++;
    t->version++;
    return slot;
}

/* Close the gap: what follows moves back, unless it is at home. */
static void erase_cell(fc_table *t, uint32_t i) {
    while (t->cells[i + 1].slot != FC_NONE && fc_table_home(t, t->cells[i + 1].tag) <= i) {
        t->cells[i] = t->cells[i + 1];
        i++;
    }
    t->cells[i].tag = FC_NO_TAG;
    t->cells[i].slot = FC_NONE;
}

/* Take an entry out; the caller owns the two references it gets. */
void fc_table_remove(fc_table *t, int32_t slot, PyObject **key, PyObject **value) {
    fc_entry *e = &t->entries[slot];
    uint32_t i = fc_table_home(t, fc_table_tag(e->hash));
    while (t->cells[i].slot != slot) {
        i++;
    }
    erase_cell(t, i);
    unlink_recency(t, slot);
    if (e->expires != INFINITY) {
        fc_expiry_drop(t, slot);
    }
    t->count--;
    t->weight -= fc_table_weight(t, slot);
    if (t->count == 0) {
        t->weight = 0.0; /* sums of floats drift */
    }
    *key = e->key;
    *value = e->value;
    e->key = e->value = NULL;
    e->newer = t->free;
    t->free = slot;
    t->version++;
}

/* Make an entry the most recently used. */
void fc_table_touch(fc_table *t, int32_t slot) {
    if (t->newest != slot) {
        unlink_recency(t, slot);
        append_newest(t, slot);
    }
}

void fc_table_set_weight(fc_table *t, int32_t slot, double weight) {
    if (t->weights != NULL) {
        t->weight += weight - t->weights[slot];
        t->weights[slot] = weight;
    }
}

/* Give back memory that the entries no longer need; they keep their order. */
int fc_table_pack(fc_table *t) {
    fc_table packed;
    fc_table_init(&packed);
    packed.version = t->version + 1;
    if (t->count == 0) {
        fc_table_free(t);
        *t = packed;
        return 0;
    }
    const size_t count = (size_t)t->count;
    packed.entries = PyMem_RawMalloc(count * sizeof *packed.entries);
    packed.weights = t->weights == NULL ? NULL : PyMem_RawMalloc(count * sizeof *packed.weights);
    packed.heap = t->heap_len == 0 ? NULL : PyMem_RawMalloc(count * sizeof *packed.heap);
    if (packed.entries == NULL || (t->weights != NULL && packed.weights == NULL) ||
        (t->heap_len > 0 && packed.heap == NULL)) {
        fc_table_free(&packed);
        PyErr_NoMemory();
        return -1;
    }
    packed.capacity = packed.used = packed.count = t->count;
    packed.heap_cap = packed.heap == NULL ? 0 : t->count;
    packed.weight = t->weight;
    int32_t moved = 0;
    for (int32_t slot = t->oldest; slot != FC_NONE; slot = t->entries[slot].newer, moved++) {
        packed.entries[moved] = t->entries[slot];
        if (packed.weights != NULL) {
            packed.weights[moved] = t->weights[slot];
        }
        t->entries[slot].hash = moved; /* where it went, for the index and the expiry order below */
    }
    for (moved = 0; moved < packed.count; moved++) {
        append_newest(&packed, moved);
    }
    for (int32_t slot = t->soonest; slot != FC_NONE; slot = t->entries[slot].later) {
        fc_expiry_add(&packed, (int32_t)t->entries[slot].hash);
    }
    for (int32_t i = 0; i < t->heap_len; i++) {
        fc_expiry_add(&packed, (int32_t)t->entries[t->heap[i]].hash);
    }
    for (uint32_t i = 0; i < t->ncells; i++) {
        if (t->cells[i].slot != FC_NONE) {
            t->cells[i].slot = (int32_t)t->entries[t->cells[i].slot].hash;
        }
    }
    packed.cells = t->cells;
    packed.ncells = t->ncells;
    packed.nhomes = t->nhomes;
    t->cells = NULL;
    fc_table_free(t);
    *t = packed;
    if (set_cells(t, homes_for(t->capacity), FC_SPARE) < 0) {
        PyErr_Clear(); /* the larger index does as well */
    }
    return 0;
}

/* Free the memory; the references in it must have been released. */
void fc_table_free(fc_table *t) {
    PyMem_RawFree(t->entries);
    PyMem_RawFree(t->cells);
    PyMem_RawFree(t->heap);
    PyMem_RawFree(t->weights);
    t->entries = NULL;
    t->cells = NULL;
    t->heap = NULL;
    t->weights = NULL;
}

/* Raise AssertionError and return -1 where the parts of the table contradict each other. */
int fc_table_check(const fc_table *t) {
    const char *wrong = NULL;
    int32_t seen = 0, before = FC_NONE;
    double weight = 0.0;
    for (int32_t slot = t->oldest; slot != FC_NONE && seen <= t->count; slot = t->entries[slot].newer, seen++) {
        const fc_entry *e = &t->entries[slot];
        const uint32_t tag = fc_table_tag(e->hash);
        uint32_t i = fc_table_home(t, tag);
        while (t->cells[i].slot != slot && t->cells[i].slot != FC_NONE && t->cells[i].tag <= tag) {
            i++;
        }
        if (e->key == NULL || e->value == NULL) {
            wrong = "a free slot is in the recency list";
            break;
        }
        if (t->cells[i].slot != slot) {
            wrong = "an entry cannot be found";
            break;
        }
        if (e->older != before) {
            wrong = "the recency list is broken";
            break;
        }
        before = slot;
        weight += fc_table_weight(t, slot);
    }
    if (wrong == NULL && (seen != t->count || t->newest != before)) {
        wrong = "the recency list does not hold every entry";
    }
    int32_t cells = 0, given_back = 0;
    uint32_t last_tag = 0;
    for (uint32_t i = 0; i < t->ncells; i++) {
        const fc_cell *cell = &t->cells[i];
        if (cell->slot == FC_NONE) {
            if (cell->tag != FC_NO_TAG) {
                wrong = "an empty cell has a tag";
            }
            continue;
        }
        cells++;
        if (cell->tag < last_tag || i + 1 == t->ncells ||
            (fc_table_home(t, cell->tag) != i && (i == 0 || t->cells[i - 1].slot == FC_NONE))) {
            wrong = "the index is out of order";
        }
        last_tag = cell->tag;
    }
    for (int32_t slot = t->free; slot != FC_NONE && given_back <= t->used; slot = t->entries[slot].newer) {
        given_back++;
    }
    if (wrong == NULL && cells != t->count) {
        wrong = "the index does not hold every entry";
    }
    if (wrong == NULL && t->count + given_back != t->used) {
        wrong = "slots are lost";
    }
    if (wrong == NULL && fabs(weight - t->weight) > 1e-6 * (1.0 + fabs(weight))) {
        wrong = "the weights do not add up";
    }
    if (wrong != NULL) {
        PyErr_SetString(PyExc_AssertionError, wrong);
        return -1;
    }
    return fc_expiry_check(t);
}
