#include "cache/object.h"

#include <math.h>
#include <stddef.h>

#include "common/errors.h"

/* ---- life ---- */

static int overrides(PyTypeObject *type) {
    static const struct {
        const char *name;
        int flag;
    } table[] = {
        {"__missing__", FC_OWN_MISSING},   {"popitem", FC_OWN_POPITEM},     {"getsizeof", FC_OWN_GETSIZEOF},
        {"__getitem__", FC_OWN_GETITEM},   {"__setitem__", FC_OWN_SETITEM}, {"__delitem__", FC_OWN_DELITEM},
        {"__contains__", FC_OWN_CONTAINS},
    };
    int flags = 0;
    if (type == &FcLRUCache_Type || type == &FcTTLCache_Type || type == &FcTLRUCache_Type) {
        return 0;
    }
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        PyObject *own = PyObject_GetAttrString((PyObject *)type, table[i].name);
        PyObject *ours = PyObject_GetAttrString((PyObject *)&FcCache_Type, table[i].name);
        if (own == NULL || ours == NULL) {
            Py_XDECREF(own);
            Py_XDECREF(ours);
            return -1;
        }
        flags |= own == ours ? 0 : table[i].flag;
        Py_DECREF(own);
        Py_DECREF(ours);
    }
    return flags;
}

static PyObject *cache_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs)) {
    const int flags = overrides(type);
    if (flags < 0) {
        return NULL;
    }
    CacheObject *self = (CacheObject *)type->tp_alloc(type, 0); /* zeroed: bounds of 0 until __init__ ran */
    if (self != NULL) {
        fc_table_init(&self->table);
        self->overrides = flags;
        self->ttl = INFINITY;
        self->scale = 1.0;
    }
    return (PyObject *)self;
}

static int cache_traverse(PyObject *op, visitproc visit, void *arg) {
    CacheObject *self = (CacheObject *)op;
    const fc_table *t = &self->table;
    for (int32_t slot = 0; slot < t->used; slot++) {
        Py_VISIT(t->entries[slot].key);
        if (t->entries[slot].key != NULL) {
            Py_VISIT(t->entries[slot].value);
        }
    }
    Py_VISIT(self->timer);
    Py_VISIT(self->maxsize);
    Py_VISIT(self->max_bytes);
    Py_VISIT(self->ttl_given);
    Py_VISIT(self->ttu);
    Py_VISIT(self->getsizeof);
    Py_VISIT(self->on_evict);
    Py_VISIT(self->flights);
    Py_VISIT(self->in_flight);
    return 0;
}

static int cache_tp_clear(PyObject *op) {
    CacheObject *self = (CacheObject *)op;
    Py_CLEAR(self->on_evict); /* an object that dies reports nothing */
    fc_cache_clear(self, 0);
    Py_CLEAR(self->timer);
    Py_CLEAR(self->maxsize);
    Py_CLEAR(self->max_bytes);
    Py_CLEAR(self->ttl_given);
    Py_CLEAR(self->ttu);
    Py_CLEAR(self->getsizeof);
    Py_CLEAR(self->in_flight);
    Py_CLEAR(self->flights);
    return 0;
}

static void cache_dealloc(PyObject *op) {
    CacheObject *self = (CacheObject *)op;
    PyObject_GC_UnTrack(op);
    Py_TRASHCAN_BEGIN(op, cache_dealloc)
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(op);
    }
    cache_tp_clear(op);
    Py_TYPE(op)->tp_free(op);
    Py_TRASHCAN_END
}

/* ---- construction ---- */

typedef struct {
    PyObject *maxsize, *ttl, *ttu, *timer, *getsizeof, *max_bytes, *on_evict;
} Options;

static int is_monotonic(PyObject *timer) {
    return timer == fc_time.monotonic || timer == PyDict_GetItemString(fc_time.dict, "monotonic");
}

static int check_callable(PyObject *given, const char *name) {
    if (given != NULL && given != Py_None && !PyCallable_Check(given)) {
        PyErr_Format(PyExc_TypeError, "%s: expected a callable or None, got %s", name, fc_type_name(given));
        return -1;
    }
    return 0;
}

static PyObject *optional(PyObject *given) { return given == NULL || given == Py_None ? NULL : Py_NewRef(given); }

static int configure(CacheObject *self, const Options *o) {
    if (check_callable(o->timer, "timer") < 0 || check_callable(o->getsizeof, "getsizeof") < 0 ||
        check_callable(o->ttu, "ttu") < 0 || check_callable(o->on_evict, "on_evict") < 0) {
        return -1;
    }
    double seconds = INFINITY, weight, count;
    if (o->ttl != NULL && fc_cache_seconds(o->ttl, &seconds, "ttl") < 0) {
        return -1;
    }
    PyObject *bounds_of = fc_cache_mixin("bounds_of");
    PyObject *max_bytes = o->max_bytes == NULL ? Py_None : o->max_bytes;
    PyObject *bounds =
        bounds_of == NULL ? NULL : FC_GUARDED(PyObject_CallFunctionObjArgs(bounds_of, o->maxsize, max_bytes, NULL));
    Py_XDECREF(bounds_of);
    if (bounds == NULL || !PyArg_ParseTuple(bounds, "dd", &weight, &count)) {
        Py_XDECREF(bounds);
        return -1;
    }
    Py_DECREF(bounds);
    PyObject *timer = optional(o->timer), *getsizeof = optional(o->getsizeof);
    const int monotonic = timer == NULL || is_monotonic(timer);
    if (monotonic) {
        Py_CLEAR(timer);
    } else {
        PyObject *wrap = fc_cache_mixin("as_timer");
        Py_SETREF(timer, wrap == NULL ? NULL : FC_GUARDED(PyObject_CallOneArg(wrap, timer)));
        Py_XDECREF(wrap);
    }
    if (getsizeof == NULL && max_bytes != Py_None && (monotonic || timer != NULL)) {
        getsizeof = fc_cache_mixin("sizeof");
    }
    if ((!monotonic && timer == NULL) || (getsizeof == NULL && max_bytes != Py_None)) {
        Py_XDECREF(timer);
        Py_XDECREF(getsizeof);
        return -1;
    }
    Py_XSETREF(self->timer, timer);
    Py_XSETREF(self->getsizeof, getsizeof);
    Py_XSETREF(self->maxsize, Py_NewRef(o->maxsize));
    Py_XSETREF(self->max_bytes, optional(o->max_bytes));
    Py_XSETREF(self->ttl_given, o->ttl == NULL ? NULL : Py_NewRef(o->ttl));
    Py_XSETREF(self->ttu, optional(o->ttu));
    Py_XSETREF(self->on_evict, optional(o->on_evict));
    self->ttl = seconds;
    self->max_weight = weight;
    self->max_count = count;
    self->scale = 1.0;
    self->fine = seconds < 1.0 || self->ttu != NULL;
    self->hits = self->misses = 0;
    for (int i = 0; i < FC_CAUSES; i++) {
        self->evictions[i] = 0;
    }
    if (fc_cache_disown(self, NULL) < 0) {
        return -1;
    }
    fc_cache_clear(self, 0); /* __init__ may run again; last, as finalizers may store under the new bounds */
    return 0;
}

static int lru_init(PyObject *op, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"maxsize", "getsizeof", "timer", "max_bytes", "on_evict", NULL};
    Options o = {0};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$OOO:LRUCache", names, &o.maxsize, &o.getsizeof, &o.timer,
                                     &o.max_bytes, &o.on_evict)) {
        return -1;
    }
    return configure((CacheObject *)op, &o);
}

static int ttl_init(PyObject *op, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"maxsize", "ttl", "timer", "getsizeof", "max_bytes", "on_evict", NULL};
    Options o = {0};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|OO$OO:TTLCache", names, &o.maxsize, &o.ttl, &o.timer,
                                     &o.getsizeof, &o.max_bytes, &o.on_evict)) {
        return -1;
    }
    return configure((CacheObject *)op, &o);
}

static int tlru_init(PyObject *op, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"maxsize", "ttu", "timer", "getsizeof", "max_bytes", "on_evict", NULL};
    Options o = {0};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|OO$OO:TLRUCache", names, &o.maxsize, &o.ttu, &o.timer,
                                     &o.getsizeof, &o.max_bytes, &o.on_evict)) {
        return -1;
    }
    if (!PyCallable_Check(o.ttu)) {
        PyErr_Format(PyExc_TypeError, "ttu: expected a callable, got %s", fc_type_name(o.ttu));
        return -1;
    }
    return configure((CacheObject *)op, &o);
}

static PyObject *cache_configure(PyObject *op, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"maxsize", "ttl", "ttu", "timer", "getsizeof", "max_bytes", "on_evict", NULL};
    Options o = {0};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOOO:_configure", names, &o.maxsize, &o.ttl, &o.ttu, &o.timer,
                                     &o.getsizeof, &o.max_bytes, &o.on_evict) ||
        configure((CacheObject *)op, &o) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* ---- properties ---- */

static PyObject *or_none(PyObject *object) { return Py_NewRef(object == NULL ? Py_None : object); }

static PyObject *get_maxsize(PyObject *op, void *Py_UNUSED(closure)) {
    PyObject *maxsize = ((CacheObject *)op)->maxsize;
    return maxsize == NULL ? PyLong_FromLong(0) : Py_NewRef(maxsize);
}

static PyObject *get_max_bytes(PyObject *op, void *Py_UNUSED(closure)) {
    return or_none(((CacheObject *)op)->max_bytes);
}

static PyObject *number(double value) {
    return value == floor(value) && fabs(value) < 9e15 ? PyLong_FromDouble(value) : PyFloat_FromDouble(value);
}

static PyObject *get_weight(PyObject *op, void *Py_UNUSED(closure)) {
    return number(((CacheObject *)op)->table.weight);
}

static PyObject *get_unit(PyObject *op, void *Py_UNUSED(closure)) {
    return PyFloat_FromDouble(((CacheObject *)op)->scale);
}

static PyObject *get_currsize(PyObject *op, void *Py_UNUSED(closure)) {
    CacheObject *self = (CacheObject *)op;
    const Py_ssize_t length = PyObject_Size(op);
    if (length < 0) {
        return NULL;
    }
    return self->max_bytes != NULL ? PyLong_FromSsize_t(self->table.count) : number(self->table.weight);
}

static PyObject *get_on_evict(PyObject *op, void *Py_UNUSED(closure)) { return or_none(((CacheObject *)op)->on_evict); }

static int set_on_evict(PyObject *op, PyObject *value, void *Py_UNUSED(closure)) {
    if (check_callable(value, "on_evict") < 0) {
        return -1;
    }
    Py_XSETREF(((CacheObject *)op)->on_evict, optional(value));
    return 0;
}

/* Take over the flights of a cache whose contents move here. */
static int set_flights(PyObject *op, PyObject *flights, void *Py_UNUSED(closure)) {
    CacheObject *self = (CacheObject *)op;
    PyObject *by_key = flights == NULL ? NULL : PyObject_GetAttrString(flights, "by_key");
    if (by_key == NULL || !PyDict_Check(by_key)) {
        Py_XDECREF(by_key);
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "_flights: expected flights");
        }
        return -1;
    }
    Py_XSETREF(self->flights, Py_NewRef(flights));
    Py_XSETREF(self->in_flight, by_key);
    return 0;
}

static PyObject *get_flights(PyObject *op, void *Py_UNUSED(closure)) {
    CacheObject *self = (CacheObject *)op;
    if (self->flights == NULL) {
        PyObject *make = fc_cache_mixin("Flights");
        PyObject *flights = make == NULL ? NULL : FC_GUARDED(PyObject_CallNoArgs(make));
        Py_XDECREF(make);
        /* another thread may have come first */
        const int status = flights == NULL ? -1 : self->flights != NULL ? 0 : set_flights(op, flights, NULL);
        Py_XDECREF(flights);
        if (status < 0) {
            return NULL;
        }
    }
    return Py_NewRef(self->flights);
}

static PyObject *get_timer(PyObject *op, void *Py_UNUSED(closure)) {
    CacheObject *self = (CacheObject *)op;
    return fc_cache_timer(self);
}

static PyObject *get_ttl(PyObject *op, void *Py_UNUSED(closure)) { return or_none(((CacheObject *)op)->ttl_given); }

static PyObject *get_ttu(PyObject *op, void *Py_UNUSED(closure)) { return or_none(((CacheObject *)op)->ttu); }

static PyObject *get_options(PyObject *op, void *Py_UNUSED(closure)) {
    const CacheObject *self = (CacheObject *)op;
    PyObject *maxsize = get_maxsize(op, NULL);
    return Py_BuildValue("{sNsNsNsNsNsNsN}", "maxsize", maxsize, "ttl", or_none(self->ttl_given), "ttu",
                         or_none(self->ttu), "timer", or_none(self->timer), "getsizeof", or_none(self->getsizeof),
                         "max_bytes", or_none(self->max_bytes), "on_evict", or_none(self->on_evict));
}

static PyGetSetDef cache_properties[] = {
    {"maxsize", get_maxsize, NULL, NULL, NULL},
    {"currsize", get_currsize, NULL, NULL, NULL},
    {"max_bytes", get_max_bytes, NULL, NULL, NULL},
    {"on_evict", get_on_evict, set_on_evict, NULL, NULL},
    {"_weight", get_weight, NULL, NULL, NULL},
    {"_unit", get_unit, NULL, NULL, NULL},
    {"_flights", get_flights, set_flights, NULL, NULL},
    {"_options", get_options, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyGetSetDef ttl_properties[] = {
    {"ttl", get_ttl, NULL, NULL, NULL},
    {"timer", get_timer, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyGetSetDef tlru_properties[] = {
    {"ttu", get_ttu, NULL, NULL, NULL},
    {"timer", get_timer, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef configure_method = {"_configure", FC_METHOD(cache_configure), METH_VARARGS | METH_KEYWORDS, NULL};

/* ---- what the shared mixin does ---- */

static PyObject *by_mixin(const char *name, PyObject *op, PyObject *other) {
    PyObject *function = fc_cache_mixin(name);
    PyObject *answer = function == NULL ? NULL : FC_GUARDED(PyObject_CallFunctionObjArgs(function, op, other, NULL));
    Py_XDECREF(function);
    return answer;
}

static PyObject *cache_iter(PyObject *op) { return by_mixin("iterate", op, NULL); }

static PyObject *cache_repr(PyObject *op) { return by_mixin("represent", op, NULL); }

static PyObject *cache_richcompare(PyObject *op, PyObject *other, int operation) {
    if (operation != Py_EQ && operation != Py_NE) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    PyObject *equal = by_mixin("equal", op, other);
    if (equal == NULL || equal == Py_NotImplemented || operation == Py_EQ) {
        return equal;
    }
    const int truth = FC_GUARDED_INT(PyObject_IsTrue(equal));
    Py_DECREF(equal);
    return truth < 0 ? NULL : PyBool_FromLong(!truth);
}

#define CACHE_TYPE(NAME)                                                                                               \
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "fastcore._ext.cache." NAME, .tp_basicsize = sizeof(CacheObject),         \
                                .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |            \
                                            Py_TPFLAGS_MAPPING,                                                        \
                                .tp_new = cache_new, .tp_dealloc = cache_dealloc, .tp_traverse = cache_traverse,       \
                                .tp_clear = cache_tp_clear, .tp_weaklistoffset = offsetof(CacheObject, weakrefs),      \
                                .tp_as_mapping = &fc_cache_mapping, .tp_as_sequence = &fc_cache_sequence,              \
                                .tp_iter = cache_iter, .tp_repr = cache_repr, .tp_richcompare = cache_richcompare,     \
                                .tp_hash = PyObject_HashNotImplemented

PyTypeObject FcCache_Type = {CACHE_TYPE("Cache"), .tp_methods = fc_cache_methods, .tp_getset = cache_properties};
PyTypeObject FcLRUCache_Type = {CACHE_TYPE("LRUCache"), .tp_base = &FcCache_Type, .tp_init = lru_init};
PyTypeObject FcTTLCache_Type = {CACHE_TYPE("TTLCache"), .tp_base = &FcCache_Type, .tp_init = ttl_init,
                                .tp_getset = ttl_properties};
PyTypeObject FcTLRUCache_Type = {CACHE_TYPE("TLRUCache"), .tp_base = &FcCache_Type, .tp_init = tlru_init,
                                 .tp_getset = tlru_properties};

/* Methods that are not hot are the pure twin's own: written once. */
static int borrow(PyTypeObject *type) {
    PyObject *borrowed = fc_cache_mixin("BORROWED");
    PyObject *name, *function;
    Py_ssize_t position = 0;
    int status = borrowed == NULL ? -1 : 0;
    while (status == 0 && PyDict_Next(borrowed, &position, &name, &function)) {
        status = PyDict_SetItem(type->tp_dict, name, function);
    }
    Py_XDECREF(borrowed);
    PyType_Modified(type);
    return status;
}

static int add_method(PyMethodDef *definition) {
    PyObject *method = PyDescr_NewMethod(&FcCache_Type, definition);
    const int status = method == NULL ? -1 : PyDict_SetItemString(FcCache_Type.tp_dict, definition->ml_name, method);
    Py_XDECREF(method);
    return status;
}

static int register_mapping(PyTypeObject *type) {
    PyObject *abc = PyImport_ImportModule("collections.abc");
    PyObject *mapping = abc == NULL ? NULL : PyObject_GetAttrString(abc, "MutableMapping");
    PyObject *done = mapping == NULL ? NULL : PyObject_CallMethod(mapping, "register", "O", type);
    Py_XDECREF(abc);
    Py_XDECREF(mapping);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

int fc_types_ready(PyObject *module) {
    static const struct {
        const char *name;
        PyTypeObject *type;
    } types[] = {{"Cache", &FcCache_Type},
                 {"LRUCache", &FcLRUCache_Type},
                 {"TTLCache", &FcTTLCache_Type},
                 {"TLRUCache", &FcTLRUCache_Type}};
    if (fc_time_init() < 0 || PyType_Ready(&FcCache_Type) < 0 || borrow(&FcCache_Type) < 0 ||
        register_mapping(&FcCache_Type) < 0) {
        return -1;
    }
    for (PyMethodDef *more = fc_cache_state_methods; more->ml_name != NULL; more++) {
        if (add_method(more) < 0) {
            return -1;
        }
    }
    if (add_method(&configure_method) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        PyObject *path = NULL;
        if (PyType_Ready(types[i].type) < 0 || (path = PyUnicode_FromString("cache")) == NULL ||
            (i > 0 && PyDict_SetItemString(types[i].type->tp_dict, "_public_path", path) < 0) ||
            PyModule_AddObjectRef(module, types[i].name, (PyObject *)types[i].type) < 0) {
            Py_XDECREF(path);
            return -1;
        }
        Py_DECREF(path);
    }
    return 0;
}
