/* The key of a call whose arguments can be hashed; python_fallback/cache/cached_call.py has its definition. */
#include "cache/cached_call.h"

#include <string.h>

/* Parameters and keywords that a key is made of here; calls with more of them are keyed by Python. */
#define FC_NAMES 24

static inline int is_lone(PyObject *value) { return PyUnicode_CheckExact(value) || PyLong_CheckExact(value); }

/* The place of a parameter, -1 if there is none of that name. Names in code are interned. */
static Py_ssize_t place_of(const CachedCall *self, PyObject *name, Py_ssize_t count) {
    PyObject *const *names = ((PyTupleObject *)self->names)->ob_item;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (names[i] == name) {
            return i;
        }
    }
    if (!PyUnicode_CHECK_INTERNED(name)) { /* from f(**mapping) */
        for (Py_ssize_t i = 0; i < count; i++) {
            if (PyUnicode_Check(names[i]) && PyUnicode_Compare(names[i], name) == 0) {
                return i;
            }
        }
    }
    return -1;
}

typedef struct {
    PyObject *name;
    PyObject *value;
} Named;

static void insert_sorted(Named *extra, Py_ssize_t count, PyObject *name, PyObject *value) {
    Py_ssize_t i = count;
    for (; i > 0 && PyUnicode_Compare(extra[i - 1].name, name) > 0; i--) {
        extra[i] = extra[i - 1];
    }
    extra[i] = (Named){name, value};
}

static PyObject *plain_key(PyObject *const *args, Py_ssize_t n) {
    PyObject *key = PyTuple_New(n);
    for (Py_ssize_t i = 0; key != NULL && i < n; i++) {
        PyTuple_SET_ITEM(key, i, Py_NewRef(args[i]));
    }
    return key;
}

PyObject *fc_call_key(const CachedCall *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    const Py_ssize_t keywords = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    if (keywords == 0 && self->defaults == NULL) {
        if (n == 1 && is_lone(args[0])) {
            return Py_NewRef(args[0]);
        }
        if (!self->typed) {
            return plain_key(args, n);
        }
    }
    const Py_ssize_t count = PyTuple_GET_SIZE(self->names), most = self->npositional;
    if (FC_UNLIKELY(count > FC_NAMES || keywords > FC_NAMES)) {
        return NULL;
    }
    PyObject *values[FC_NAMES];
    Named named[2 * FC_NAMES];
    memset(values, 0, (size_t)count * sizeof *values);
    Py_ssize_t unknown = 0;
    Named *extra = named + FC_NAMES;
    for (Py_ssize_t k = 0; k < keywords; k++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, k);
        const Py_ssize_t place = place_of(self, name, count);
        if (place < 0 || (place < most && place < n)) {
            insert_sorted(extra, unknown++, name, args[n + k]);
        } else {
            values[place] = args[n + k];
        }
    }
    for (Py_ssize_t i = n; self->defaults != NULL && i < count; i++) {
        PyObject *value = PyTuple_GET_ITEM(self->defaults, i);
        if (values[i] == NULL && value != self->missing) {
            values[i] = value;
        }
    }
    if (self->defaults != NULL) { /* of keyword-only parameters, where there are more arguments than parameters */
        for (Py_ssize_t i = most; i < n && i < count; i++) {
            PyObject *value = PyTuple_GET_ITEM(self->defaults, i);
            if (values[i] == NULL && value != self->missing) {
                values[i] = value;
            }
        }
    }
    Py_ssize_t next = n < most ? n : most;
    while (next < most && values[next] != NULL) {
        next++;
    }
    const Py_ssize_t ahead = n < most ? next : n; /* arguments that come by position */
    Py_ssize_t pairs = 0;
    for (Py_ssize_t i = next; i < count; i++) {
        if (values[i] != NULL) {
            named[pairs++] = (Named){PyTuple_GET_ITEM(self->names, i), values[i]};
        }
    }
    if (unknown > 0) {
        memmove(named + pairs, extra, (size_t)unknown * sizeof *named);
        pairs += unknown;
    }
    PyObject *first = n > 0 ? args[0] : ahead > 0 ? values[0] : NULL;
    if (ahead == 1 && pairs == 0 && is_lone(first)) {
        return Py_NewRef(first);
    }
    const Py_ssize_t length = ahead + (pairs ? 1 + 2 * pairs : 0) + (self->typed ? ahead + pairs : 0);
    PyObject *key = PyTuple_New(length);
    if (key == NULL) {
        return NULL;
    }
    Py_ssize_t at = 0;
    for (Py_ssize_t i = 0; i < ahead; i++) {
        PyTuple_SET_ITEM(key, at++, Py_NewRef(i < n ? args[i] : values[i]));
    }
    if (pairs) {
        PyTuple_SET_ITEM(key, at++, Py_NewRef(self->mark));
        for (Py_ssize_t i = 0; i < pairs; i++) {
            PyTuple_SET_ITEM(key, at++, Py_NewRef(named[i].name));
            PyTuple_SET_ITEM(key, at++, Py_NewRef(named[i].value));
        }
    }
    if (self->typed) {
        for (Py_ssize_t i = 0; i < ahead; i++) {
            PyTuple_SET_ITEM(key, at++, Py_NewRef((PyObject *)Py_TYPE(i < n ? args[i] : values[i])));
        }
        for (Py_ssize_t i = 0; i < pairs; i++) {
            PyTuple_SET_ITEM(key, at++, Py_NewRef((PyObject *)Py_TYPE(named[i].value)));
        }
    }
    return key;
}
