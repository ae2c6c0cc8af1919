#include "cache/object.h"

#include <math.h>

#include "common/errors.h"
#include "common/imports.h"

Py_hash_t fc_hash(PyObject *key) {
    if (FC_LIKELY(PyUnicode_CheckExact(key))) {
        const Py_hash_t hash = ((PyASCIIObject *)key)->hash;
        if (FC_LIKELY(hash != -1)) {
            return hash;
        }
    }
    if (PyLong_CheckExact(key)) {
        return PyLong_Type.tp_hash(key);
    }
    return FC_GUARDED_INT(PyObject_Hash(key));
}

PyObject *fc_cache_mixin(const char *name) { return fc_import_attribute("python_fallback.shared.cache.mixin", name); }

int fc_cache_weigh(CacheObject *self, PyObject *value, double *weight) {
    PyObject *size;
    if (self->getsizeof != NULL) {
        PyObject *getsizeof = Py_NewRef(self->getsizeof);
        size = FC_GUARDED(PyObject_CallOneArg(getsizeof, value));
        Py_DECREF(getsizeof);
    } else if (self->overrides & FC_OWN_GETSIZEOF) {
        size = FC_GUARDED(PyObject_CallMethod((PyObject *)self, "getsizeof", "O", value));
    } else {
        *weight = 1.0;
        return 0;
    }
    if (size == NULL) {
        return -1;
    }
    *weight = FC_GUARDED_INT(PyFloat_AsDouble(size));
    Py_DECREF(size);
    return *weight == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* Find a key whose entry is live: 1, 0 or -1. The slot is good until Python code runs. */
int fc_cache_find(CacheObject *self, PyObject *key, Py_hash_t hash, int32_t *slot) {
    double now = 0.0;
    const int by_clock = fc_cache_by_clock(self);
    if (!by_clock && fc_cache_now(self, &now) < 0) {
        return -1;
    }
    const int found = fc_table_find(&self->table, key, hash, slot);
    if (found <= 0) {
        return found;
    }
    const double expires = self->table.entries[*slot].expires;
    if (expires == INFINITY) {
        return 1;
    }
    if (by_clock) {
        now = fc_clock(self->fine);
    }
    return now < expires;
}

PyObject *fc_cache_get(CacheObject *self, PyObject *key) {
    const Py_hash_t hash = fc_hash(key);
    return FC_UNLIKELY(hash == -1) ? NULL : fc_cache_get_hashed(self, key, hash);
}

PyObject *fc_cache_get_hashed(CacheObject *self, PyObject *key, Py_hash_t hash) {
    int32_t slot;
    const int found = fc_cache_find(self, key, hash, &slot);
    if (FC_LIKELY(found > 0)) {
        self->hits++;
        if (self->table.newest != slot) {
            fc_table_touch(&self->table, slot);
        }
        return Py_NewRef(self->table.entries[slot].value);
    }
    if (found == 0) {
        self->misses++;
    }
    return NULL;
}

static void evict(CacheObject *self, int32_t slot, int cause, fc_victims *victims) {
    PyObject *key, *value;
    fc_table_remove(&self->table, slot, &key, &value);
    self->evictions[cause]++;
    fc_victims_add(victims, key, value, cause);
}

/* No Python code: expired entries go to the victims. */
static int evict_expired(CacheObject *self, double now, Py_ssize_t most, fc_victims *victims) {
    for (Py_ssize_t n = 0; n < most; n++) {
        const int32_t slot = fc_expiry_first(&self->table);
        if (FC_LIKELY(slot == FC_NONE || now < self->table.entries[slot].expires)) {
            break;
        }
        if (fc_victims_reserve(victims, 1) < 0) {
            return -1;
        }
        evict(self, slot, FC_EXPIRED, victims);
    }
    return 0;
}

int fc_cache_sweep(CacheObject *self, double now, Py_ssize_t most) {
    fc_victims victims;
    fc_victims_init(&victims);
    const int status = evict_expired(self, now, most, &victims);
    return fc_victims_release(&victims, self->on_evict) < 0 ? -1 : status;
}

static int too_much(const CacheObject *self, double more_weight, int more_count) {
    return self->table.weight + more_weight > self->max_weight ||
           (double)self->table.count + more_count > self->max_count;
}

/* No Python code: evict until there is room, sparing one slot. */
static int evict_oldest(CacheObject *self, double more_weight, int more_count, int32_t spared, fc_victims *victims) {
    while (too_much(self, more_weight, more_count)) {
        int32_t slot = self->table.oldest;
        if (slot == spared && slot != FC_NONE) {
            slot = self->table.entries[slot].newer;
        }
        if (slot == FC_NONE) {
            break; /* only rounding of weights is left */
        }
        if (fc_victims_reserve(victims, 1) < 0) {
            return -1;
        }
        evict(self, slot, FC_SIZE, victims);
    }
    return 0;
}

/* The popitem() of a subclass makes room: 1 it did something, 0 it did nothing, -1 it raised. */
static int evict_by_method(CacheObject *self) {
    const uint64_t version = self->table.version;
    self->evicting++;
    PyObject *item = FC_GUARDED(PyObject_CallMethod((PyObject *)self, "popitem", NULL));
    self->evicting--;
    if (item == NULL) {
        return -1;
    }
    Py_DECREF(item);
    return self->table.version != version;
}

static void update_entry(CacheObject *self, int32_t slot, PyObject *value, double weight, double expires,
                         fc_victims *victims) {
    fc_table *t = &self->table;
    fc_entry *e = &t->entries[slot];
    self->evictions[FC_REPLACED]++;
    fc_victims_add(victims, Py_NewRef(e->key), e->value, FC_REPLACED);
    e->value = Py_NewRef(value);
    if (e->expires != INFINITY) {
        fc_expiry_drop(t, slot);
    }
    e->expires = expires;
    if (expires != INFINITY) {
        fc_expiry_add(t, slot);
    }
    fc_table_set_weight(t, slot, weight);
    fc_table_touch(t, slot);
}

static int check_weight(const CacheObject *self, double weight) {
    if (weight > self->max_weight || weight == INFINITY || self->max_count < 1.0) {
        PyErr_SetString(PyExc_ValueError, "value too large");
        return -1;
    }
    if (!(weight >= 0.0)) {
        PyErr_SetString(PyExc_ValueError, "value size must be non-negative");
        return -1;
    }
    return 0;
}

int fc_cache_disown_flight(CacheObject *self, PyObject *key) {
    PyObject *flights = Py_NewRef(self->flights);
    PyObject *done = key == NULL ? FC_GUARDED(PyObject_CallMethod(flights, "disown_all", NULL))
                                 : FC_GUARDED(PyObject_CallMethod(flights, "disown", "(O)", key));
    Py_DECREF(flights);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Store a value. With FC_KEEP a live entry is left alone and its value handed back in `kept`. `permit` is NULL or a
 * list: where it is empty when the value would go in, nothing is stored. */
int fc_cache_store(CacheObject *self, PyObject *key, Py_hash_t hash, PyObject *value, double weight, double now,
                   double expires, int mode, PyObject *permit, PyObject **kept) {
    fc_table *t = &self->table;
    fc_victims victims;
    if (fc_stack_guard() < 0) { /* what is replaced or evicted may have a finalizer */
        return -1;
    }
    fc_victims_init(&victims);
    int status = evict_expired(self, now, FC_SWEEP, &victims);
    if (status == 0 && too_much(self, weight, 1)) {
        status =
            evict_expired(self, now, PY_SSIZE_T_MAX, &victims); /* no living entry makes room before an expired one */
    }
    if (status == 0) {
        status = check_weight(self, weight);
    }
    int32_t slot = FC_NONE;
    int by_method = (self->overrides & FC_OWN_POPITEM) != 0;
    const Py_ssize_t most = (Py_ssize_t)t->count + 8; /* a popitem() that adds entries gets no further */
    for (Py_ssize_t tries = 0; status == 0; tries++) {
        if (fc_table_find(t, key, hash, &slot) < 0) {
            status = -1;
            break;
        }
        if (slot != FC_NONE && mode == FC_KEEP && now < t->entries[slot].expires) {
            *kept = Py_NewRef(t->entries[slot].value);
            fc_table_touch(t, slot);
            break;
        }
        if (permit != NULL && PyList_GET_SIZE(permit) == 0) {
            break;
        }
        const double grows = weight - (slot == FC_NONE ? 0.0 : fc_table_weight(t, slot));
        if (by_method && t->count > 0 && too_much(self, grows, slot == FC_NONE)) {
            const int did = evict_by_method(self); /* Python code ran: look again */
            if (did < 0) {
                status = -1;
                break;
            }
            by_method = did && tries < most;
            continue;
        }
        status = check_weight(self, weight); /* what ran may have lowered the bounds */
        if (status == 0) {
            status = evict_oldest(self, grows, slot == FC_NONE, slot, &victims);
        }
        if (status == 0) {
            const double most_entries = self->max_count < self->max_weight ? self->max_count : self->max_weight;
            status = fc_table_reserve(t, slot == FC_NONE, expires, weight, most_entries);
        }
        if (status == 0 && slot == FC_NONE) {
            fc_table_insert(t, key, value, hash, expires, weight);
        } else if (status == 0) {
            status = fc_victims_reserve(&victims, 1);
            if (status == 0) {
                update_entry(self, slot, value, weight, expires, &victims);
            }
        }
        break;
    }
    if (fc_victims_release(&victims, self->on_evict) < 0) {
        status = -1;
        if (kept != NULL) {
            Py_CLEAR(*kept);
        }
    }
    return status;
}

/* Remove a key; 1 it was there (`live` says whether it had not expired), 0 it was not. Its value goes to `value`. With
 * `only_live` what has expired is left for expire() to report. */
int fc_cache_discard(CacheObject *self, PyObject *key, Py_hash_t hash, int only_live, PyObject **value, int *live) {
    double now = INFINITY;
    int32_t slot;
    if (fc_stack_guard() < 0) {
        return -1;
    }
    const int by_clock = fc_cache_by_clock(self);
    if (!by_clock && fc_cache_now(self, &now) < 0) {
        return -1;
    }
    const int found = fc_table_find(&self->table, key, hash, &slot);
    if (found <= 0) {
        return found;
    }
    const double expires = self->table.entries[slot].expires;
    if (by_clock && expires != INFINITY) {
        now = fc_clock(self->fine);
    }
    *live = expires == INFINITY || now < expires;
    if (only_live && !*live) {
        return 0;
    }
    fc_victims victims;
    fc_victims_init(&victims);
    *value = Py_NewRef(self->table.entries[slot].value);
    evict(self, slot, *live ? FC_EXPLICIT : FC_EXPIRED, &victims);
    if (fc_victims_release(&victims, self->on_evict) < 0) {
        Py_CLEAR(*value);
        return -1;
    }
    return 1;
}

/* Evict the least recently used until no more than this is left; the bounds stay. */
int fc_cache_evict_to(CacheObject *self, double weight, double count) {
    fc_victims victims;
    fc_victims_init(&victims);
    int status = 0;
    while (status == 0 && self->table.oldest != FC_NONE &&
           (self->table.weight > weight || (double)self->table.count > count)) {
        status = fc_victims_reserve(&victims, 1);
        if (status == 0) {
            evict(self, self->table.oldest, FC_SIZE, &victims);
        }
    }
    if (status == 0 && self->table.capacity / 2 > self->table.count) {
        status = fc_table_pack(&self->table);
    }
    return fc_victims_release(&victims, self->on_evict) < 0 ? -1 : status;
}

/* Evict down to the bounds, after they were lowered. */
int fc_cache_shrink(CacheObject *self) {
    const Py_ssize_t most = self->overrides & FC_OWN_POPITEM ? (Py_ssize_t)self->table.count + 8 : 0;
    for (Py_ssize_t i = 0; i < most && self->table.count > 0 && too_much(self, 0.0, 0); i++) {
        const int did = evict_by_method(self);
        if (did < 0) {
            return -1;
        }
        if (!did) {
            break;
        }
    }
    return fc_cache_evict_to(self, self->max_weight, self->max_count);
}

/* Empty the cache; with `report`, on_evict is called for every entry. */
int fc_cache_clear(CacheObject *self, int report) {
    fc_table old = self->table;
    fc_table_init(&self->table);
    self->table.version = old.version + 1;
    fc_victims victims;
    fc_victims_init(&victims);
    PyObject *on_evict = report ? Py_XNewRef(self->on_evict) : NULL;
    int status = on_evict == NULL ? 0 : fc_victims_reserve(&victims, old.count);
    for (int32_t slot = old.oldest; slot != FC_NONE;) {
        fc_entry *e = &old.entries[slot];
        slot = e->newer;
        if (report) {
            self->evictions[FC_EXPLICIT]++;
        }
        if (on_evict != NULL && status == 0) {
            fc_victims_add(&victims, e->key, e->value, FC_EXPLICIT);
        } else {
            Py_DECREF(e->key);
            Py_DECREF(e->value);
        }
    }
    fc_table_free(&old);
    if (fc_victims_release(&victims, on_evict) < 0) {
        status = -1;
    }
    Py_XDECREF(on_evict);
    return status;
}

PyObject *fc_cache_pop_oldest(CacheObject *self) {
    double now;
    if (fc_cache_now(self, &now) < 0 || fc_cache_sweep(self, now, PY_SSIZE_T_MAX) < 0) {
        return NULL;
    }
    const int32_t slot = self->table.oldest;
    if (slot == FC_NONE) {
        PyErr_Format(PyExc_KeyError, "%s is empty", fc_type_name((PyObject *)self));
        PyObject *error = fc_take_exception();
        PyException_SetCause(error, NULL); /* raised "from None" */
        fc_raise_exception(error);
        return NULL;
    }
    fc_victims victims;
    fc_victims_init(&victims);
    PyObject *key = Py_NewRef(self->table.entries[slot].key);
    PyObject *value = Py_NewRef(self->table.entries[slot].value);
    evict(self, slot, self->evicting ? FC_SIZE : FC_EXPLICIT, &victims);
    PyObject *item = NULL;
    if (fc_victims_release(&victims, self->on_evict) == 0) {
        item = PyTuple_Pack(2, key, value);
    }
    Py_DECREF(key);
    Py_DECREF(value);
    return item;
}

/* Drop what has expired; the list of (key, value), soonest first. */
PyObject *fc_cache_expire(CacheObject *self, double now) {
    fc_victims victims;
    fc_victims_init(&victims);
    int status = evict_expired(self, now, PY_SSIZE_T_MAX, &victims);
    PyObject *items = status < 0 ? NULL : PyList_New(victims.count);
    for (Py_ssize_t i = 0; items != NULL && i < victims.count; i++) {
        PyObject *item = PyTuple_Pack(2, victims.list[i].key, victims.list[i].value);
        if (item == NULL) {
            Py_CLEAR(items);
            break;
        }
        PyList_SET_ITEM(items, i, item);
    }
    if (fc_victims_release(&victims, self->on_evict) < 0) {
        Py_CLEAR(items);
    }
    return items;
}

/* A list of (key, value, expires, weight), least recently used first; `take` empties the cache in the same step. */
PyObject *fc_cache_snapshot(CacheObject *self, int take) {
    fc_table *t = &self->table;
    const Py_ssize_t count = t->count;
    struct row {
        PyObject *key, *value;
        double expires, weight;
    } *rows = PyMem_RawMalloc((size_t)(count ? count : 1) * sizeof *rows);
    if (rows == NULL) {
        return PyErr_NoMemory();
    }
    /* Making a tuple may run the garbage collector, so the rows are copied first. */
    Py_ssize_t n = 0;
    for (int32_t slot = t->oldest; slot != FC_NONE; slot = t->entries[slot].newer, n++) {
        const fc_entry *e = &t->entries[slot];
        rows[n] = (struct row){Py_NewRef(e->key), Py_NewRef(e->value), e->expires, fc_table_weight(t, slot)};
    }
    if (take) {
        fc_cache_clear(self, 0);
    }
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (list != NULL) {
            PyObject *item = Py_BuildValue("(OOdd)", rows[i].key, rows[i].value, rows[i].expires, rows[i].weight);
            if (item == NULL) {
                Py_CLEAR(list);
            } else {
                PyList_SET_ITEM(list, i, item);
            }
        }
        Py_DECREF(rows[i].key);
        Py_DECREF(rows[i].value);
    }
    PyMem_RawFree(rows);
    return list;
}
