/* The callable that @cached puts in place of a function or method: a hit never leaves C. */
#include "cache/cached_call.h"

#include <math.h>
#include <structmember.h>

#include "common/errors.h"

/* Raised by one when the flag of the cache may have changed: each call object then asks whether it is to move. */
static uint64_t epoch;

PyObject *fc_call_flag_changed(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    epoch++;
    Py_RETURN_NONE;
}

/* ---- hits and misses ---- */

/* Hand the call to `miss` as it came; `key` may be NULL. */
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
        answer = FC_GUARDED(PyObject_Vectorcall(self->miss, stack, 3, NULL));
    }
    Py_XDECREF(positional);
    Py_XDECREF(kwargs);
    return answer;
}

static PyObject *slot_of(PyObject *record, Py_ssize_t offset) { return *(PyObject **)((char *)record + offset); }

/* Whether none of a record's tags was invalidated. */
static int tags_hold(const CachedCall *self, PyObject *tags) {
    if (tags == NULL || !PyTuple_CheckExact(tags)) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tags); i++) {
        PyObject *tag = PyTuple_GET_ITEM(tags, i);
        if (Py_TYPE(tag) != self->tag || slot_of(tag, self->at_valid) != Py_True) {
            return 0;
        }
    }
    return 1;
}

/* The result in a record that may be served directly, borrowed; NULL where `miss` decides. */
static PyObject *fresh(const CachedCall *self, const CacheObject *cache, PyObject *record, double expires) {
    PyObject *look = slot_of(record, self->at_look);
    if (look == NULL || !PyFloat_CheckExact(look) || !tags_hold(self, slot_of(record, self->at_tags))) {
        return NULL;
    }
    const double ahead = PyFloat_AS_DOUBLE(look);
    if (ahead != 0.0) {
        /* a timer is Python code, which may not run while the entry is only borrowed */
        if (!isfinite(ahead) || !fc_cache_by_clock(cache) || !(expires - fc_clock(cache->fine) > ahead)) {
            return NULL;
        }
    }
    return slot_of(record, self->at_value);
}

/* What the cache holds that may be served: a new reference, or NULL with or without an exception. Only what is served
 * here is counted here. */
static PyObject *hit(const CachedCall *self, CacheObject *cache, PyObject *key, Py_hash_t hash) {
    int32_t slot;
    if (FC_UNLIKELY(fc_cache_find(cache, key, hash, &slot) <= 0)) {
        return NULL;
    }
    PyObject *value = cache->table.entries[slot].value;
    if (Py_TYPE(value) == self->guard) {
        value = fresh(self, cache, value, cache->table.entries[slot].expires);
        if (value == NULL) {
            return NULL;
        }
    }
    cache->hits++;
    Py_INCREF(value);
    if (cache->table.newest != slot) {
        fc_table_touch(&cache->table, slot);
    }
    return value;
}

static int obey(CachedCall *self) {
    self->epoch = epoch;
    PyObject *done = FC_GUARDED(PyObject_CallNoArgs(self->obey));
    Py_XDECREF(done);
    if (done == NULL) {
        self->epoch = epoch - 1; /* asked again by the next call */
        return -1;
    }
    return 0;
}

static PyObject *call_cached(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    CachedCall *self = (CachedCall *)op;
    if (FC_UNLIKELY(self->epoch != epoch) && obey(self) < 0) {
        return NULL;
    }
    if (FC_UNLIKELY(self->route != NULL)) {
        PyObject *route = Py_NewRef(self->route);
        PyObject *answer = FC_GUARDED(PyObject_Vectorcall(route, args, nargsf, kwnames));
        Py_DECREF(route);
        return answer;
    }
    const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    if (self->owner != NULL && (nargs == 0 || !PyObject_TypeCheck(args[0], self->owner))) {
        return FC_GUARDED(PyObject_Vectorcall(self->outside, args, nargsf, kwnames)); /* not called as a method */
    }
    if (FC_UNLIKELY(nargs < self->skip || self->keyed)) {
        return missed(self, args, nargs, kwnames, NULL);
    }
    PyObject *key = fc_call_key(self, args + self->skip, nargs - self->skip, kwnames);
    if (FC_UNLIKELY(key == NULL)) {
        return PyErr_Occurred() ? NULL : missed(self, args, nargs, kwnames, NULL);
    }
    const Py_hash_t hash = fc_hash(key); /* a tuple's hash is not kept: it is taken once */
    if (FC_UNLIKELY(hash == -1)) {       /* arrays, frames, lists: keyed by content elsewhere */
        Py_DECREF(key);
        if (!PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_ValueError)) {
            return NULL;
        }
        PyErr_Clear();
        return missed(self, args, nargs, kwnames, NULL);
    }
    CacheObject *cache = (CacheObject *)Py_NewRef(self->cache); /* an __eq__ or a timer may flip the flag */
    PyObject *value = hit(self, cache, key, hash);
    Py_DECREF(cache);
    if (FC_LIKELY(value != NULL)) {
        if (self->ready != NULL) {
            Py_SETREF(value, FC_GUARDED(PyObject_CallOneArg(self->ready, value)));
        }
    } else if (!PyErr_Occurred()) {
        value = missed(self, args, nargs, kwnames, key);
    }
    Py_DECREF(key);
    return value;
}

/* Each instance has its own call object, found by the identity of the first argument. */
static PyObject *call_of_instance(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    CachedCall *self = (CachedCall *)op;
    const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    if (nargs == 0) {
        return missed(self, args, nargs, kwnames, NULL); /* the function says what is missing */
    }
    PyObject *id = PyLong_FromVoidPtr(args[0]);
    PyObject *own = id == NULL ? NULL : Py_XNewRef(PyDict_GetItemWithError(self->instances, id));
    Py_XDECREF(id);
    if (own == NULL && !PyErr_Occurred()) {
        own = FC_GUARDED(PyObject_CallMethod(self->binder, "adopt", "O", args[0]));
    }
    PyObject *answer = own == NULL ? NULL : FC_GUARDED(PyObject_Vectorcall(own, args, nargsf, kwnames));
    Py_XDECREF(own);
    return answer;
}

/* ---- life ---- */

/* Where the slot of that name lies in the instances of a class with __slots__; -1 with an exception. */
static Py_ssize_t offset_of(PyObject *type, const char *name) {
    PyObject *descriptor = PyObject_GetAttrString(type, name);
    Py_ssize_t offset = -1;
    if (descriptor != NULL && Py_IS_TYPE(descriptor, &PyMemberDescr_Type) &&
        PyType_IsSubtype((PyTypeObject *)type, PyDescr_TYPE(descriptor))) { /* not lent by another class */
        const PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        offset = member->type == T_OBJECT_EX ? member->offset : -1;
    }
    if (offset < 0 && !PyErr_Occurred()) {
        fc_raise(PyExc_TypeError, "%R: expected a class with a slot %s", type, name);
    }
    Py_XDECREF(descriptor);
    return offset;
}

static int take_classes(CachedCall *self, PyObject *record, PyObject *tag) {
    self->guard = (PyTypeObject *)Py_NewRef(record);
    self->tag = (PyTypeObject *)Py_NewRef(tag);
    self->at_value = offset_of(record, "value");
    self->at_tags = self->at_value < 0 ? -1 : offset_of(record, "tags");
    self->at_look = self->at_tags < 0 ? -1 : offset_of(record, "look");
    self->at_valid = self->at_look < 0 ? -1 : offset_of(tag, "valid");
    return self->at_valid < 0 ? -1 : 0;
}

static int take_shape(CachedCall *self, PyObject *shape) {
    Py_ssize_t positional;
    PyObject *defaults;
    int typed, keyed;
    PyObject *fields = PyObject_CallMethod(shape, "fields", NULL);
    if (fields == NULL) {
        return -1;
    }
    const int parsed = PyArg_ParseTuple(fields, "O!nOOOpp:fields", &PyTuple_Type, &self->names, &positional, &defaults,
                                        &self->mark, &self->missing, &typed, &keyed);
    int fits = 0;
    if (!parsed) {
        self->names = self->mark = self->missing = NULL;
    } else {
        const Py_ssize_t count = PyTuple_GET_SIZE(self->names);
        fits =
            positional >= 0 && positional <= count && (!PyTuple_Check(defaults) || PyTuple_GET_SIZE(defaults) == count);
        Py_INCREF(self->names);
        Py_INCREF(self->mark);
        Py_INCREF(self->missing);
        self->defaults = PyTuple_Check(defaults) ? Py_NewRef(defaults) : NULL;
        self->npositional = positional;
        self->typed = typed;
        self->keyed = keyed;
    }
    if (parsed && !fits) {
        PyErr_SetString(PyExc_ValueError, "shape: expected a default, or what stands for none, for each parameter");
    }
    Py_DECREF(fields);
    return fits ? 0 : -1;
}

static PyObject *call_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"cache", "miss",  "obey",  "binder",  "shape",     "record", "tag",
                            "skip",  "ready", "owner", "outside", "instances", NULL};
    PyObject *cache, *miss, *obey, *binder, *shape, *record, *tag;
    PyObject *ready = Py_None, *owner = Py_None, *outside = Py_None, *instances = Py_None;
    Py_ssize_t skip = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOO!O!|nOOOO:CachedCall", names, &cache, &miss, &obey, &binder,
                                     &shape, &PyType_Type, &record, &PyType_Type, &tag, &skip, &ready, &owner, &outside,
                                     &instances)) {
        return NULL;
    }
    if (!fc_is_cache(cache)) {
        PyErr_Format(PyExc_TypeError, "cache: expected a cache of the compiled twin, got %s", fc_type_name(cache));
        return NULL;
    }
    if ((owner != Py_None && !PyType_Check(owner)) || (instances != Py_None && !PyDict_Check(instances)) || skip < 0) {
        PyErr_SetString(PyExc_TypeError,
                        "CachedCall: expected owner to be a class, instances a dict, and skip at least 0");
        return NULL;
    }
    CachedCall *self = (CachedCall *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->vectorcall = instances == Py_None ? call_cached : call_of_instance;
    self->cache = (CacheObject *)Py_NewRef(cache);
    self->miss = Py_NewRef(miss);
    self->obey = Py_NewRef(obey);
    self->binder = Py_NewRef(binder);
    self->ready = ready == Py_None ? NULL : Py_NewRef(ready);
    self->owner = owner == Py_None ? NULL : (PyTypeObject *)Py_NewRef(owner);
    self->outside = Py_NewRef(outside);
    self->instances = instances == Py_None ? NULL : Py_NewRef(instances);
    self->skip = skip;
    self->epoch = epoch;
    if (take_classes(self, record, tag) < 0 || take_shape(self, shape) < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int call_traverse(PyObject *op, visitproc visit, void *arg) {
    CachedCall *self = (CachedCall *)op;
    Py_VISIT(self->cache);
    Py_VISIT(self->miss);
    Py_VISIT(self->obey);
    Py_VISIT(self->binder);
    Py_VISIT(self->ready);
    Py_VISIT(self->guard);
    Py_VISIT(self->tag);
    Py_VISIT(self->names);
    Py_VISIT(self->defaults);
    Py_VISIT(self->mark);
    Py_VISIT(self->missing);
    Py_VISIT(self->owner);
    Py_VISIT(self->outside);
    Py_VISIT(self->instances);
    Py_VISIT(self->route);
    Py_VISIT(self->dict);
    return 0;
}

static int call_clear(PyObject *op) {
    /* All but `dict` stay until the end: a finalizer may still call. The cycles run through dicts of Python objects. */
    Py_CLEAR(((CachedCall *)op)->dict);
    return 0;
}

static void call_dealloc(PyObject *op) {
    CachedCall *self = (CachedCall *)op;
    PyObject_GC_UnTrack(op);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(op);
    }
    Py_TRASHCAN_BEGIN(op, call_dealloc) /* a cached call may route to, or end in, another one */
    call_clear(op);
    Py_XDECREF(self->cache);
    Py_XDECREF(self->miss);
    Py_XDECREF(self->obey);
    Py_XDECREF(self->binder);
    Py_XDECREF(self->ready);
    Py_XDECREF(self->guard);
    Py_XDECREF(self->tag);
    Py_XDECREF(self->names);
    Py_XDECREF(self->defaults);
    Py_XDECREF(self->mark);
    Py_XDECREF(self->missing);
    Py_XDECREF(self->owner);
    Py_XDECREF(self->outside);
    Py_XDECREF(self->instances);
    Py_XDECREF(self->route);
    Py_TYPE(op)->tp_free(op);
    Py_TRASHCAN_END
}

/* ---- binding, and what a function object offers ---- */

/* A function asks its binder, as it may have come into a class after the class was made. */
static PyObject *function_get(PyObject *op, PyObject *instance, PyObject *type) {
    if (instance == NULL || instance == Py_None) {
        return Py_NewRef(op);
    }
    PyObject *owner = type == NULL ? (PyObject *)Py_TYPE(instance) : type;
    return FC_GUARDED(PyObject_CallMethod(((CachedCall *)op)->binder, "bound", "OOO", op, instance, owner));
}

static PyObject *method_get(PyObject *op, PyObject *instance, PyObject *Py_UNUSED(type)) {
    return instance == NULL || instance == Py_None ? Py_NewRef(op) : fc_bound_new((CachedCall *)op, instance);
}

static PyObject *call_set_name(PyObject *op, PyObject *args) {
    PyObject *owner, *name;
    if (!PyArg_ParseTuple(args, "OO:__set_name__", &owner, &name)) {
        return NULL;
    }
    return FC_GUARDED(PyObject_CallMethod(((CachedCall *)op)->binder, "named", "OOO", op, owner, name));
}

/* Move to another cache of this twin, or hand every call to `route`. */
static PyObject *call_use(PyObject *op, PyObject *args) {
    CachedCall *self = (CachedCall *)op;
    PyObject *cache, *route;
    if (!PyArg_ParseTuple(args, "OO:_use", &cache, &route)) {
        return NULL;
    }
    if (fc_is_cache(cache)) {
        Py_SETREF(self->cache, (CacheObject *)Py_NewRef(cache));
    }
    Py_XSETREF(self->route, route == Py_None ? NULL : Py_NewRef(route));
    Py_RETURN_NONE;
}

static PyObject *call_repr(PyObject *op) {
    PyObject *wrapped = PyObject_GetAttrString(op, "__wrapped__");
    if (wrapped == NULL) {
        PyErr_Clear();
        return PyUnicode_FromFormat("<cached function at %p>", op);
    }
    PyObject *text = FC_GUARDED(PyUnicode_FromFormat("<cached %R>", wrapped));
    Py_DECREF(wrapped);
    return text;
}

/* Pickled by name, copied as itself, like a function. */
static PyObject *call_reduce(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    return PyObject_GetAttrString(op, "__qualname__");
}

static PyObject *call_copy(PyObject *op, PyObject *Py_UNUSED(ignored)) { return Py_NewRef(op); }

static PyMethodDef call_methods[] = {
    {"__reduce__", call_reduce, METH_NOARGS, NULL}, {"__copy__", call_copy, METH_NOARGS, NULL},
    {"__deepcopy__", call_copy, METH_O, NULL},      {"__set_name__", call_set_name, METH_VARARGS, NULL},
    {"_use", call_use, METH_VARARGS, NULL},         {NULL, NULL, 0, NULL},
};

static PyObject *call_cache(PyObject *op, void *Py_UNUSED(closure)) {
    return FC_GUARDED(PyObject_CallMethod(((CachedCall *)op)->binder, "cache_of", "O", op));
}

static PyGetSetDef call_properties[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"cache", call_cache, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject FcCachedCall_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "fastcore._ext.cache.CachedCall",
    .tp_basicsize = sizeof(CachedCall),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_BASETYPE,
    .tp_new = call_new,
    .tp_dealloc = call_dealloc,
    .tp_traverse = call_traverse,
    .tp_clear = call_clear,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(CachedCall, vectorcall),
    .tp_descr_get = function_get,
    .tp_dictoffset = offsetof(CachedCall, dict),
    .tp_weaklistoffset = offsetof(CachedCall, weakrefs),
    .tp_repr = call_repr,
    .tp_methods = call_methods,
    .tp_getset = call_properties,
};

/* As a class attribute it takes the instance as its first argument without being bound before each call. */
PyTypeObject FcCachedMethod_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "fastcore._ext.cache.CachedMethod",
    .tp_basicsize = sizeof(CachedCall),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_base = &FcCachedCall_Type,
    .tp_descr_get = method_get,
};
