/* The callable that @cached puts in place of a plain function: a hit never leaves C. */
#include "cache_object.h"

#include <structmember.h>

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    CacheObject *cache;
    PyObject *miss; /* miss(args, kwargs or None, key or None) */
    PyObject *guard; /* values of this type are for `miss` to judge; NULL: every value is served */
    PyObject *mark; /* stands between positional and keyword arguments in a key */
    Py_ssize_t skip; /* leading arguments that are not part of the key */
    PyObject *dict;
    PyObject *weakrefs;
} CachedCall;

/* A new reference, or NULL without an exception where the key is not for this place to make. */
static PyObject *simple_key(const CachedCall *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    if (FC_LIKELY(kwnames == NULL)) {
        if (n == 1 && (PyUnicode_CheckExact(args[0]) || PyLong_CheckExact(args[0]))) {
            return Py_NewRef(args[0]);
        }
        PyObject *key = PyTuple_New(n);
        for (Py_ssize_t i = 0; key != NULL && i < n; i++) {
            PyTuple_SET_ITEM(key, i, Py_NewRef(args[i]));
        }
        return key;
    }
    if (PyTuple_GET_SIZE(kwnames) != 1) { /* several need sorting */
        return NULL;
    }
    PyObject *key = PyTuple_New(n + 3);
    if (key != NULL) {
        for (Py_ssize_t i = 0; i < n; i++) {
            PyTuple_SET_ITEM(key, i, Py_NewRef(args[i]));
        }
        PyTuple_SET_ITEM(key, n, Py_NewRef(self->mark));
        PyTuple_SET_ITEM(key, n + 1, Py_NewRef(PyTuple_GET_ITEM(kwnames, 0)));
        PyTuple_SET_ITEM(key, n + 2, Py_NewRef(args[n]));
    }
    return key;
}

static PyObject *missed(CachedCall *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, PyObject *key) {
    PyObject *kwargs = Py_NewRef(Py_None);
    if (kwnames != NULL && PyTuple_GET_SIZE(kwnames) > 0) {
        Py_SETREF(kwargs, PyDict_New());
        for (Py_ssize_t i = 0; kwargs != NULL && i < PyTuple_GET_SIZE(kwnames); i++) {
            if (PyDict_SetItem(kwargs, PyTuple_GET_ITEM(kwnames, i), args[nargs + i]) < 0) {
                Py_CLEAR(kwargs);
            }
        }
    }
    PyObject *positional = kwargs == NULL ? NULL : PyTuple_New(nargs);
    PyObject *answer = NULL;
    if (positional != NULL) {
        for (Py_ssize_t i = 0; i < nargs; i++) {
            PyTuple_SET_ITEM(positional, i, Py_NewRef(args[i]));
        }
        PyObject *stack[3] = {positional, kwargs, key == NULL ? Py_None : key};
        answer = PyObject_Vectorcall(self->miss, stack, 3, NULL);
    }
    Py_XDECREF(positional);
    Py_XDECREF(kwargs);
    return answer;
}

static PyObject *call_cached(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    CachedCall *self = (CachedCall *)op;
    const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    if (FC_UNLIKELY(nargs < self->skip)) {
        return missed(self, args, nargs, kwnames, NULL);
    }
    PyObject *key = simple_key(self, args + self->skip, nargs - self->skip, kwnames);
    if (FC_UNLIKELY(key == NULL)) {
        return PyErr_Occurred() ? NULL : missed(self, args, nargs, kwnames, NULL);
    }
    const Py_hash_t hash = fc_hash(key);
    if (FC_UNLIKELY(hash == -1)) { /* arrays, frames, lists: keyed by content elsewhere */
        Py_DECREF(key);
        if (!PyErr_ExceptionMatches(PyExc_TypeError)) {
            return NULL;
        }
        PyErr_Clear();
        return missed(self, args, nargs, kwnames, NULL);
    }
    PyObject *value = fc_cache_get_hashed(self->cache, key, hash); /* a tuple's hash is not kept: it is taken once */
    if (FC_LIKELY(value != NULL)) {
        if (FC_UNLIKELY(self->guard != NULL && (PyObject *)Py_TYPE(value) == self->guard)) {
            Py_SETREF(value, missed(self, args, nargs, kwnames, key));
        }
    } else if (!PyErr_Occurred()) {
        value = missed(self, args, nargs, kwnames, key);
    }
    Py_DECREF(key);
    return value;
}

static PyObject *call_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"cache", "miss", "mark", "skip", "guard", NULL};
    PyObject *cache, *miss, *mark, *guard = Py_None;
    Py_ssize_t skip = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO|nO:CachedCall", names, &cache, &miss, &mark, &skip, &guard)) {
        return NULL;
    }
    if (!fc_is_cache(cache)) {
        PyErr_Format(PyExc_TypeError, "cache: expected a cache of the compiled twin, got %s", Py_TYPE(cache)->tp_name);
        return NULL;
    }
    CachedCall *self = (CachedCall *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->vectorcall = call_cached;
        self->cache = (CacheObject *)Py_NewRef(cache);
        self->miss = Py_NewRef(miss);
        self->mark = Py_NewRef(mark);
        self->guard = guard == Py_None ? NULL : Py_NewRef(guard);
        self->skip = skip < 0 ? 0 : skip;
    }
    return (PyObject *)self;
}

static int call_traverse(PyObject *op, visitproc visit, void *arg) {
    CachedCall *self = (CachedCall *)op;
    Py_VISIT(self->cache);
    Py_VISIT(self->miss);
    Py_VISIT(self->guard);
    Py_VISIT(self->mark);
    Py_VISIT(self->dict);
    return 0;
}

static int call_clear(PyObject *op) {
    /* `cache`, `miss` and `mark` stay until the end: a finalizer may still call. The cycles run through `dict`. */
    Py_CLEAR(((CachedCall *)op)->dict);
    return 0;
}

static void call_dealloc(PyObject *op) {
    CachedCall *self = (CachedCall *)op;
    PyObject_GC_UnTrack(op);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(op);
    }
    call_clear(op);
    Py_XDECREF(self->cache);
    Py_XDECREF(self->miss);
    Py_XDECREF(self->guard);
    Py_XDECREF(self->mark);
    Py_TYPE(op)->tp_free(op);
}

static PyObject *call_get(PyObject *op, PyObject *instance, PyObject *Py_UNUSED(type)) {
    return instance == NULL || instance == Py_None ? Py_NewRef(op) : PyMethod_New(op, instance);
}

static PyObject *call_repr(PyObject *op) {
    PyObject *wrapped = PyObject_GetAttrString(op, "__wrapped__");
    if (wrapped == NULL) {
        PyErr_Clear();
        return PyUnicode_FromFormat("<cached function at %p>", op);
    }
    PyObject *text = PyUnicode_FromFormat("<cached %R>", wrapped);
    Py_DECREF(wrapped);
    return text;
}

/* Pickled by name, copied as itself, like a function. */
static PyObject *call_reduce(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    return PyObject_GetAttrString(op, "__qualname__");
}

static PyObject *call_copy(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    return Py_NewRef(op);
}

static PyMethodDef call_methods[] = {
    {"__reduce__", call_reduce, METH_NOARGS, NULL},
    {"__copy__", call_copy, METH_NOARGS, NULL},
    {"__deepcopy__", call_copy, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef call_members[] = {
    {"cache", T_OBJECT, offsetof(CachedCall, cache), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef call_properties[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject FcCachedCall_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "fastcore._ext.cache.CachedCall",
    .tp_basicsize = sizeof(CachedCall),
    .tp_flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_new = call_new,
    .tp_dealloc = call_dealloc,
    .tp_traverse = call_traverse,
    .tp_clear = call_clear,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(CachedCall, vectorcall),
    .tp_descr_get = call_get,
    .tp_dictoffset = offsetof(CachedCall, dict),
    .tp_weaklistoffset = offsetof(CachedCall, weakrefs),
    .tp_repr = call_repr,
    .tp_methods = call_methods,
    .tp_members = call_members,
    .tp_getset = call_properties,
};
