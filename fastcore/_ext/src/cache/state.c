/* What the shared mixin, and the tests, build on. */
#include "cache/object.h"

#include <math.h>

static PyObject *cache_now(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    double now;
    return fc_cache_now((CacheObject *)op, &now) < 0 ? NULL : PyFloat_FromDouble(now);
}

static PyObject *cache_snapshot(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    return fc_cache_snapshot((CacheObject *)op, 0);
}

static PyObject *cache_take(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    CacheObject *self = (CacheObject *)op;
    PyObject *rows = fc_cache_disown(self, NULL) < 0 ? NULL : fc_cache_snapshot(self, 1);
    if (rows != NULL && fc_cache_disown(self, NULL) < 0) {
        Py_CLEAR(rows);
    }
    return rows;
}

static PyObject *cache_counters(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    const CacheObject *self = (CacheObject *)op;
    const uint64_t *by = self->evictions;
    return Py_BuildValue("(KKKKKK)", self->hits, self->misses, by[0], by[1], by[2], by[3]);
}

static PyObject *cache_set_counters(PyObject *op, PyObject *args) {
    CacheObject *self = (CacheObject *)op;
    unsigned long long n[6];
    if (!PyArg_ParseTuple(args, "KKKKKK:_set_counters", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5])) {
        return NULL;
    }
    self->hits = n[0];
    self->misses = n[1];
    for (int i = 0; i < FC_CAUSES; i++) {
        self->evictions[i] = n[2 + i];
    }
    Py_RETURN_NONE;
}

/* Count hits and misses of lookups that were judged elsewhere, or judged again. */
static PyObject *cache_count(PyObject *op, PyObject *args) {
    CacheObject *self = (CacheObject *)op;
    long long hits, misses;
    if (!PyArg_ParseTuple(args, "LL:_count", &hits, &misses)) {
        return NULL;
    }
    self->hits += (uint64_t)hits;
    self->misses += (uint64_t)misses;
    Py_RETURN_NONE;
}

static PyObject *cache_set_bounds(PyObject *op, PyObject *args) {
    CacheObject *self = (CacheObject *)op;
    PyObject *maxsize, *max_bytes;
    double weight, count;
    if (!PyArg_ParseTuple(args, "OOdd:_set_bounds", &maxsize, &max_bytes, &weight, &count)) {
        return NULL;
    }
    Py_XSETREF(self->maxsize, Py_NewRef(maxsize));
    Py_XSETREF(self->max_bytes, max_bytes == Py_None ? NULL : Py_NewRef(max_bytes));
    self->max_weight = weight;
    self->max_count = count;
    if (fc_cache_shrink(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *cache_evict_to(PyObject *op, PyObject *args) {
    double weight, count;
    if (!PyArg_ParseTuple(args, "dd:_evict_to", &weight, &count) ||
        fc_cache_evict_to((CacheObject *)op, weight, count) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *cache_check(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    const CacheObject *self = (CacheObject *)op;
    if (fc_table_check(&self->table) < 0) {
        return NULL;
    }
    if (self->table.count > 0 &&
        (self->table.weight > self->max_weight * (1 + 1e-9) || (double)self->table.count > self->max_count)) {
        PyErr_SetString(PyExc_AssertionError, "the cache holds more than its bounds allow");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *cache_sizeof(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    const fc_table *t = &((CacheObject *)op)->table;
    size_t size = (size_t)Py_TYPE(op)->tp_basicsize + (size_t)t->capacity * sizeof(fc_entry) +
                  (size_t)t->ncells * sizeof(fc_cell) + (size_t)t->heap_cap * sizeof(int32_t);
    if (t->weights != NULL) {
        size += (size_t)t->capacity * sizeof(double);
    }
    return PyLong_FromSize_t(size);
}

static PyObject *cache_put(PyObject *op, PyObject *args) {
    PyObject *key, *value;
    double remaining, weight, now;
    if (!PyArg_ParseTuple(args, "OOdd:_put", &key, &value, &remaining, &weight)) {
        return NULL;
    }
    CacheObject *self = (CacheObject *)op;
    const Py_hash_t hash = fc_hash(key);
    if (isnan(remaining)) {
        PyErr_SetString(PyExc_ValueError, "remaining: expected a number, got nan");
        return NULL;
    }
    if (remaining < self->scale) {
        self->fine = 1;
    }
    if (hash == -1 || fc_cache_now(self, &now) < 0 ||
        fc_cache_store(self, key, hash, value, weight, now, now + remaining, FC_REPLACE, NULL, NULL) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyMethodDef fc_cache_state_methods[] = {
    {"__sizeof__", cache_sizeof, METH_NOARGS, NULL},
    {"_now", cache_now, METH_NOARGS, NULL},
    {"_put", cache_put, METH_VARARGS, NULL},
    {"_snapshot", cache_snapshot, METH_NOARGS, NULL},
    {"_take", cache_take, METH_NOARGS, NULL},
    {"_counters", cache_counters, METH_NOARGS, NULL},
    {"_set_counters", cache_set_counters, METH_VARARGS, NULL},
    {"_count", cache_count, METH_VARARGS, NULL},
    {"_set_bounds", cache_set_bounds, METH_VARARGS, NULL},
    {"_evict_to", cache_evict_to, METH_VARARGS, NULL},
    {"_check", cache_check, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
