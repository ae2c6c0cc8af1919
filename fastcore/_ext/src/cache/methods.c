#include "cache/object.h"

#include <math.h>
#include <string.h>

#include "common/arguments.h"

static fc_signature sig_get = {"Cache.get", {"key", "default"}, 1, 2, 2};
static fc_signature sig_peek = {"Cache.peek", {"key", "default"}, 1, 2, 2};
static fc_signature sig_set = {"Cache.set", {"key", "value", "ttl", "weight"}, 2, 2, 4};
static fc_signature sig_setdefault = {"Cache.setdefault", {"key", "default"}, 1, 2, 2};
static fc_signature sig_pop = {"Cache.pop", {"key", "default"}, 1, 2, 2};
static fc_signature sig_touch = {"Cache.touch", {"key", "ttl"}, 1, 2, 2};
static fc_signature sig_get_or_compute = {"Cache.get_or_compute", {"key", "compute", "ttl", "weight"}, 2, 2, 4};
static fc_signature sig_expire = {"Cache.expire", {"time"}, 0, 1, 1};

static void raise_key(PyObject *key) {
    PyObject *args = PyTuple_Pack(1, key); /* a tuple key would be taken for the arguments */
    if (args != NULL) {
        PyErr_SetObject(PyExc_KeyError, args);
        Py_DECREF(args);
    }
}

static PyObject *call_mixin(const char *name, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *function = fc_cache_mixin(name);
    if (function == NULL) {
        return NULL;
    }
    PyObject *answer = FC_GUARDED(PyObject_Vectorcall(function, args, (size_t)nargs, kwnames));
    Py_DECREF(function);
    return answer;
}

/* ---- when an entry expires ---- */

/* The time of a write and the expiry it gives. Runs the timer and ttu. 0; 1: already expired, so nothing is to be
 * stored; -1. */
static int expiry_of(CacheObject *self, PyObject *key, PyObject *value, PyObject *ttl, double *now, double *expires) {
    double seconds = self->ttl;
    const int by_ttu = self->ttu != NULL && (ttl == NULL || ttl == Py_None);
    if (ttl != NULL && ttl != Py_None && fc_cache_seconds(ttl, &seconds, "ttl") < 0) {
        return -1;
    }
    if (seconds < 1.0) {
        self->fine = 1;
    }
    const int by_clock = fc_cache_by_clock(self);
    if (FC_LIKELY(by_clock && !by_ttu)) {
        const int timeless = seconds == INFINITY && self->table.soonest == FC_NONE && self->table.heap_len == 0;
        *now = timeless ? 0.0 : fc_clock(self->fine);
        *expires = *now + seconds;
        return 0;
    }
    PyObject *time;
    if (by_clock) {
        time = PyFloat_FromDouble(fc_clock(self->fine));
    } else {
        PyObject *timer = fc_cache_timer(self);
        time = timer == NULL ? NULL : FC_GUARDED(PyObject_CallNoArgs(timer));
        Py_XDECREF(timer);
    }
    if (time == NULL || fc_cache_time(self, time, now) < 0) {
        Py_XDECREF(time);
        return -1;
    }
    if (!by_ttu) {
        Py_DECREF(time);
        const double units = self->scale == 1.0 ? seconds : nearbyint(seconds * self->scale);
        *expires = *now + units;
        return 0;
    }
    PyObject *ttu = Py_NewRef(self->ttu);
    PyObject *until = FC_GUARDED(PyObject_CallFunctionObjArgs(ttu, key, value, time, NULL));
    Py_DECREF(ttu);
    Py_DECREF(time);
    if (until == NULL) {
        return -1;
    }
    const int status = fc_cache_time(self, until, expires);
    Py_DECREF(until);
    return status < 0 ? -1 : !(*now < *expires);
}

/* ---- reading ---- */

static PyObject *generic_get(PyObject *self, PyObject *key, PyObject *otherwise) {
    const int has = FC_GUARDED_INT(PySequence_Contains(self, key));
    if (has < 0) {
        return NULL;
    }
    return has ? FC_GUARDED(PyObject_GetItem(self, key)) : Py_NewRef(otherwise);
}

static PyObject *cache_subscript(PyObject *op, PyObject *key) {
    CacheObject *self = (CacheObject *)op;
    PyObject *value = fc_cache_get(self, key);
    if (FC_LIKELY(value != NULL) || PyErr_Occurred()) {
        return value;
    }
    if (self->overrides & FC_OWN_MISSING) {
        return FC_GUARDED(PyObject_CallMethod(op, "__missing__", "O", key));
    }
    raise_key(key);
    return NULL;
}

static PyObject *cache_get(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *slots[2] = {NULL, Py_None};
    if (FC_LIKELY(kwnames == NULL && (nargs == 1 || nargs == 2))) {
        slots[0] = args[0];
        slots[1] = nargs == 2 ? args[1] : Py_None;
    } else {
        if (fc_arguments_parse(&sig_get, args, nargs, kwnames, slots) < 0) {
            return NULL;
        }
        slots[1] = slots[1] == NULL ? Py_None : slots[1];
    }
    CacheObject *self = (CacheObject *)op;
    if (FC_UNLIKELY(self->overrides & (FC_OWN_GETITEM | FC_OWN_CONTAINS))) {
        return generic_get(op, slots[0], slots[1]);
    }
    PyObject *value = fc_cache_get(self, slots[0]);
    if (FC_LIKELY(value != NULL) || PyErr_Occurred()) {
        return value;
    }
    return Py_NewRef(slots[1]);
}

static PyObject *cache_peek(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *slots[2];
    if (fc_arguments_parse(&sig_peek, args, nargs, kwnames, slots) < 0) {
        return NULL;
    }
    CacheObject *self = (CacheObject *)op;
    const Py_hash_t hash = fc_hash(slots[0]);
    int32_t slot;
    const int found = hash == -1 ? -1 : fc_cache_find(self, slots[0], hash, &slot);
    if (found < 0) {
        return NULL;
    }
    return Py_NewRef(found ? self->table.entries[slot].value : slots[1] == NULL ? Py_None : slots[1]);
}

static int cache_contains(PyObject *op, PyObject *key) {
    const Py_hash_t hash = fc_hash(key);
    int32_t slot;
    return hash == -1 ? -1 : fc_cache_find((CacheObject *)op, key, hash, &slot);
}

static PyObject *cache_get_many(PyObject *op, PyObject *keys) {
    PyObject *iterator = FC_GUARDED(PyObject_GetIter(keys));
    PyObject *found = iterator == NULL ? NULL : PyDict_New();
    PyObject *key;
    while (found != NULL && (key = FC_GUARDED(PyIter_Next(iterator))) != NULL) {
        PyObject *value = fc_cache_get((CacheObject *)op, key);
        if ((value == NULL && PyErr_Occurred()) || (value != NULL && PyDict_SetItem(found, key, value) < 0)) {
            Py_CLEAR(found);
        }
        Py_XDECREF(value);
        Py_DECREF(key);
    }
    Py_XDECREF(iterator);
    if (PyErr_Occurred()) {
        Py_CLEAR(found);
    }
    return found;
}

static Py_ssize_t cache_length(PyObject *op) {
    CacheObject *self = (CacheObject *)op;
    if (self->table.soonest != FC_NONE || self->table.heap_len > 0) {
        double now;
        if (fc_cache_now(self, &now) < 0 || fc_cache_sweep(self, now, PY_SSIZE_T_MAX) < 0) {
            return -1;
        }
    }
    return self->table.count;
}

/* ---- writing ---- */

static int store(CacheObject *self, PyObject *key, PyObject *value, PyObject *ttl, PyObject *given_weight, int mode,
                 PyObject *permit, PyObject **kept) {
    double weight, now, expires;
    const Py_hash_t hash = fc_hash(key);
    if (hash == -1) {
        return -1;
    }
    if (given_weight != NULL && given_weight != Py_None) {
        weight = FC_GUARDED_INT(PyFloat_AsDouble(given_weight));
        if (weight == -1.0 && PyErr_Occurred()) {
            return -1;
        }
    } else if (fc_cache_weigh(self, value, &weight) < 0) {
        return -1;
    }
    const int dead = expiry_of(self, key, value, ttl, &now, &expires);
    if (dead < 0) {
        return -1;
    }
    if (FC_UNLIKELY(dead)) {
        if (permit != NULL && PyList_GET_SIZE(permit) == 0) {
            return 0;
        }
        PyObject *old = NULL;
        int live;
        const int status = fc_cache_discard(self, key, hash, 0, &old, &live);
        Py_XDECREF(old);
        return status < 0 ? -1 : fc_cache_sweep(self, now, FC_SWEEP);
    }
    return fc_cache_store(self, key, hash, value, weight, now, expires, mode, permit, kept);
}

/* A caller's own write. */
static int write_by_caller(CacheObject *self, PyObject *key, PyObject *value, PyObject *ttl, PyObject *weight, int mode,
                           PyObject **kept) {
    if (fc_cache_disown(self, key) < 0 || store(self, key, value, ttl, weight, mode, NULL, kept) < 0) {
        return -1;
    }
    if (fc_cache_disown(self, key) < 0) {
        if (kept != NULL) {
            Py_CLEAR(*kept);
        }
        return -1;
    }
    return 0;
}

/* A caller's own removal: as fc_cache_discard. */
static int remove_by_caller(CacheObject *self, PyObject *key, int only_live, PyObject **value, int *live) {
    const Py_hash_t hash = fc_hash(key);
    if (hash == -1 || fc_cache_disown(self, key) < 0) {
        return -1;
    }
    const int there = fc_cache_discard(self, key, hash, only_live, value, live);
    if (there >= 0 && fc_cache_disown(self, key) < 0) {
        Py_CLEAR(*value);
        return -1;
    }
    return there;
}

static int cache_ass_subscript(PyObject *op, PyObject *key, PyObject *value) {
    CacheObject *self = (CacheObject *)op;
    if (value != NULL) {
        return write_by_caller(self, key, value, NULL, NULL, FC_REPLACE, NULL);
    }
    PyObject *old = NULL;
    int live = 0;
    const int there = remove_by_caller(self, key, 0, &old, &live);
    Py_XDECREF(old);
    if (there < 0) {
        return -1;
    }
    if (!there || !live) {
        raise_key(key);
        return -1;
    }
    return 0;
}

static PyObject *cache_set(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *slots[4];
    if (fc_arguments_parse(&sig_set, args, nargs, kwnames, slots) < 0) {
        return NULL;
    }
    if (write_by_caller((CacheObject *)op, slots[0], slots[1], slots[2], slots[3], FC_REPLACE, NULL) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* _store_if(permit, key, value, ttl, weight): what a flight computed, unless its key was invalidated. */
static PyObject *cache_store_if(PyObject *op, PyObject *args) {
    PyObject *permit, *key, *value, *ttl, *weight;
    if (!PyArg_ParseTuple(args, "O!OOOO:_store_if", &PyList_Type, &permit, &key, &value, &ttl, &weight) ||
        store((CacheObject *)op, key, value, ttl, weight, FC_REPLACE, permit, NULL) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *cache_setdefault(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *slots[2];
    if (fc_arguments_parse(&sig_setdefault, args, nargs, kwnames, slots) < 0) {
        return NULL;
    }
    CacheObject *self = (CacheObject *)op;
    PyObject *otherwise = slots[1] == NULL ? Py_None : slots[1];
    if (self->overrides & (FC_OWN_GETITEM | FC_OWN_CONTAINS | FC_OWN_SETITEM)) {
        const int has = FC_GUARDED_INT(PySequence_Contains(op, slots[0]));
        if (has < 0 || (!has && FC_GUARDED_INT(PyObject_SetItem(op, slots[0], otherwise)) < 0)) {
            return NULL;
        }
        return has ? FC_GUARDED(PyObject_GetItem(op, slots[0])) : Py_NewRef(otherwise);
    }
    PyObject *value = fc_cache_get(self, slots[0]);
    if (value != NULL || PyErr_Occurred()) {
        return value;
    }
    /* Another thread may have come first. */
    if (write_by_caller(self, slots[0], otherwise, NULL, NULL, FC_KEEP, &value) < 0) {
        return NULL;
    }
    return value != NULL ? value : Py_NewRef(otherwise);
}

static PyObject *cache_pop(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *slots[2];
    if (fc_arguments_parse(&sig_pop, args, nargs, kwnames, slots) < 0) {
        return NULL;
    }
    CacheObject *self = (CacheObject *)op;
    PyObject *value = NULL;
    int live = 0, there;
    if (self->overrides & (FC_OWN_GETITEM | FC_OWN_CONTAINS | FC_OWN_DELITEM)) {
        if (fc_cache_disown(self, slots[0]) < 0) {
            return NULL;
        }
        there = live = FC_GUARDED_INT(PySequence_Contains(op, slots[0]));
        if (there > 0) {
            value = FC_GUARDED(PyObject_GetItem(op, slots[0]));
            there = value == NULL || FC_GUARDED_INT(PyObject_DelItem(op, slots[0])) < 0 ? -1 : 1;
        }
    } else {
        there = remove_by_caller(self, slots[0], 1, &value, &live);
    }
    if (there < 0) {
        Py_XDECREF(value);
        return NULL;
    }
    if (there && live) {
        return value;
    }
    Py_XDECREF(value);
    if (slots[1] == NULL) {
        raise_key(slots[0]);
        return NULL;
    }
    return Py_NewRef(slots[1]);
}

static PyObject *cache_popitem(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    CacheObject *self = (CacheObject *)op;
    PyObject *item = fc_cache_pop_oldest(self);
    if (item != NULL && !self->evicting && fc_cache_disown(self, PyTuple_GET_ITEM(item, 0)) < 0) {
        Py_CLEAR(item);
    }
    return item;
}

static PyObject *cache_clear(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    CacheObject *self = (CacheObject *)op;
    if (fc_stack_guard() < 0 || fc_cache_disown(self, NULL) < 0 || fc_cache_clear(self, 1) < 0 ||
        fc_cache_disown(self, NULL) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* ---- lifetimes and bounds ---- */

static PyObject *cache_touch(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *slots[2];
    if (fc_arguments_parse(&sig_touch, args, nargs, kwnames, slots) < 0) {
        return NULL;
    }
    CacheObject *self = (CacheObject *)op;
    double now, expires;
    int32_t slot;
    const Py_hash_t hash = fc_hash(slots[0]);
    PyObject *value = hash == -1 ? NULL : cache_peek(op, slots, 1, NULL);
    if (value == NULL) {
        return NULL;
    }
    const int dead = expiry_of(self, slots[0], value, slots[1], &now, &expires);
    Py_DECREF(value);
    if (dead < 0 || fc_table_find(&self->table, slots[0], hash, &slot) < 0) {
        return NULL;
    }
    if (slot == FC_NONE || !(now < self->table.entries[slot].expires)) {
        Py_RETURN_FALSE;
    }
    if (fc_expiry_reserve(&self->table, expires) < 0) {
        return NULL;
    }
    if (self->table.entries[slot].expires != INFINITY) {
        fc_expiry_drop(&self->table, slot);
    }
    self->table.entries[slot].expires = expires;
    if (expires != INFINITY) {
        fc_expiry_add(&self->table, slot);
    }
    fc_table_touch(&self->table, slot);
    Py_RETURN_TRUE;
}

static PyObject *cache_ttl_remaining(PyObject *op, PyObject *key) {
    CacheObject *self = (CacheObject *)op;
    const Py_hash_t hash = fc_hash(key);
    double now;
    int32_t slot;
    if (hash == -1 || fc_cache_now(self, &now) < 0 || fc_table_find(&self->table, key, hash, &slot) < 0) {
        return NULL;
    }
    if (slot == FC_NONE || !(now < self->table.entries[slot].expires)) {
        Py_RETURN_NONE;
    }
    return PyFloat_FromDouble((self->table.entries[slot].expires - now) / self->scale);
}

static PyObject *cache_expire(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *time;
    double now;
    if (fc_arguments_parse(&sig_expire, args, nargs, kwnames, &time) < 0) {
        return NULL;
    }
    CacheObject *self = (CacheObject *)op;
    const int status = time == NULL || time == Py_None ? fc_cache_now(self, &now) : fc_cache_time(self, time, &now);
    return status < 0 ? NULL : fc_cache_expire(self, now);
}

static PyObject *cache_getsizeof(PyObject *op, PyObject *value) {
    CacheObject *self = (CacheObject *)op;
    if (self->getsizeof != NULL) {
        PyObject *getsizeof = Py_NewRef(self->getsizeof);
        PyObject *size = FC_GUARDED(PyObject_CallOneArg(getsizeof, value));
        Py_DECREF(getsizeof);
        return size;
    }
    return PyLong_FromLong(1);
}

static PyObject *cache_missing(PyObject *Py_UNUSED(op), PyObject *key) {
    raise_key(key);
    return NULL;
}

/* A hit stays in C; a miss is computed by the shared mixin, one flight per key. */
static PyObject *cache_get_or_compute(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *slots[4];
    if (fc_arguments_parse(&sig_get_or_compute, args, nargs, kwnames, slots) < 0) {
        return NULL;
    }
    CacheObject *self = (CacheObject *)op;
    if (FC_LIKELY(!(self->overrides & (FC_OWN_GETITEM | FC_OWN_CONTAINS)))) {
        PyObject *value = fc_cache_get(self, slots[0]);
        if (value != NULL || PyErr_Occurred()) {
            return value;
        }
    }
    PyObject *stack[5] = {op};
    const Py_ssize_t total = nargs + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames));
    memcpy(stack + 1, args, (size_t)total * sizeof *args);
    return call_mixin("computed", stack, nargs + 1, kwnames);
}

PyMethodDef fc_cache_methods[] = {
    {"get", FC_METHOD(cache_get), FC_KEYWORDS, "get($self, key, default=None)\n--\n\n"},
    {"peek", FC_METHOD(cache_peek), FC_KEYWORDS, "peek($self, key, default=None)\n--\n\n"},
    {"get_many", cache_get_many, METH_O, "get_many($self, keys, /)\n--\n\n"},
    {"set", FC_METHOD(cache_set), FC_KEYWORDS, "set($self, key, value, *, ttl=None, weight=None)\n--\n\n"},
    {"_store_if", cache_store_if, METH_VARARGS, NULL},
    {"setdefault", FC_METHOD(cache_setdefault), FC_KEYWORDS, "setdefault($self, key, default=None)\n--\n\n"},
    {"pop", FC_METHOD(cache_pop), FC_KEYWORDS, "pop($self, key, default=<unset>)\n--\n\n"},
    {"popitem", cache_popitem, METH_NOARGS, "popitem($self)\n--\n\n"},
    {"clear", cache_clear, METH_NOARGS, "clear($self)\n--\n\n"},
    {"touch", FC_METHOD(cache_touch), FC_KEYWORDS, "touch($self, key, ttl=None)\n--\n\n"},
    {"ttl_remaining", cache_ttl_remaining, METH_O, "ttl_remaining($self, key, /)\n--\n\n"},
    {"expire", FC_METHOD(cache_expire), FC_KEYWORDS, "expire($self, time=None)\n--\n\n"},
    {"getsizeof", cache_getsizeof, METH_O, "getsizeof($self, value, /)\n--\n\n"},
    {"get_or_compute", FC_METHOD(cache_get_or_compute), FC_KEYWORDS,
     "get_or_compute($self, key, compute, *, ttl=None, weight=None)\n--\n\n"},
    {"__missing__", cache_missing, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

PyMappingMethods fc_cache_mapping = {cache_length, cache_subscript, cache_ass_subscript};
PySequenceMethods fc_cache_sequence = {.sq_contains = cache_contains};
