/* A cached method with the instance it was taken from: called like a method, and with the method's own attributes. */
#include "cache/cached_call.h"

#include <structmember.h>

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    CachedCall *call;
    PyObject *instance;
    PyObject *weakrefs;
} BoundCall;

static PyObject *call_bound(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    BoundCall *self = (BoundCall *)op;
    const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    PyObject *call = (PyObject *)self->call;
    if (nargsf & PY_VECTORCALL_ARGUMENTS_OFFSET) { /* the caller lends the place before its arguments */
        PyObject **stack = (PyObject **)args - 1;
        PyObject *lent = stack[0];
        stack[0] = self->instance;
        PyObject *answer = FC_GUARDED(PyObject_Vectorcall(call, stack, (size_t)(nargs + 1), kwnames));
        stack[0] = lent;
        return answer;
    }
    PyObject *few[8];
    const Py_ssize_t total = nargs + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames));
    PyObject **stack = total < 8 ? few : PyMem_Malloc((size_t)(total + 1) * sizeof *stack);
    if (stack == NULL) {
        return PyErr_NoMemory();
    }
    stack[0] = self->instance;
    for (Py_ssize_t i = 0; i < total; i++) {
        stack[i + 1] = args[i];
    }
    PyObject *answer = FC_GUARDED(PyObject_Vectorcall(call, stack, (size_t)(nargs + 1), kwnames));
    if (stack != few) {
        PyMem_Free(stack);
    }
    return answer;
}

PyObject *fc_bound_new(CachedCall *call, PyObject *instance) {
    BoundCall *self = PyObject_GC_New(BoundCall, &FcBoundCall_Type);
    if (self != NULL) {
        self->vectorcall = call_bound;
        self->call = (CachedCall *)Py_NewRef(call);
        self->instance = Py_NewRef(instance);
        self->weakrefs = NULL;
        PyObject_GC_Track(self);
    }
    return (PyObject *)self;
}

static PyObject *bound_new(PyTypeObject *Py_UNUSED(type), PyObject *args, PyObject *kwargs) {
    static char *names[] = {"function", "instance", NULL};
    PyObject *call, *instance;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O:BoundCall", names, &FcCachedCall_Type, &call, &instance)) {
        return NULL;
    }
    return fc_bound_new((CachedCall *)call, instance);
}

static int bound_traverse(PyObject *op, visitproc visit, void *arg) {
    Py_VISIT(((BoundCall *)op)->call);
    Py_VISIT(((BoundCall *)op)->instance);
    return 0;
}

static void bound_dealloc(PyObject *op) {
    BoundCall *self = (BoundCall *)op;
    PyObject_GC_UnTrack(op);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(op);
    }
    Py_TRASHCAN_BEGIN(op, bound_dealloc) /* an instance may itself be bound */
    Py_DECREF(self->call);
    Py_DECREF(self->instance);
    PyObject_GC_Del(op);
    Py_TRASHCAN_END
}

static PyObject *bound_attribute(BoundCall *self, PyObject *name) {
    return FC_GUARDED(
        PyObject_CallMethod(self->call->binder, "attribute", "OOO", (PyObject *)self->call, self->instance, name));
}

static PyObject *bound_getattro(PyObject *op, PyObject *name) {
    PyObject *value = PyObject_GenericGetAttr(op, name);
    if (value != NULL || !PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return value;
    }
    PyErr_Clear();
    return bound_attribute((BoundCall *)op, name);
}

static PyObject *bound_doc(PyObject *op, void *Py_UNUSED(closure)) {
    PyObject *name = PyUnicode_FromString("__doc__");
    PyObject *doc = name == NULL ? NULL : bound_attribute((BoundCall *)op, name);
    Py_XDECREF(name);
    return doc;
}

/* Already bound; with this `inspect.isroutine` takes it for what it is. */
static PyObject *bound_get(PyObject *op, PyObject *Py_UNUSED(instance), PyObject *Py_UNUSED(type)) {
    return Py_NewRef(op);
}

static PyObject *bound_compare(PyObject *op, PyObject *other, int operation) {
    if ((operation != Py_EQ && operation != Py_NE) || !Py_IS_TYPE(other, &FcBoundCall_Type)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    const BoundCall *a = (BoundCall *)op, *b = (BoundCall *)other;
    return PyBool_FromLong((a->call == b->call && a->instance == b->instance) == (operation == Py_EQ));
}

static Py_hash_t bound_hash(PyObject *op) {
    const BoundCall *self = (BoundCall *)op;
    const Py_hash_t hash = _Py_HashPointer(self->call) ^ _Py_HashPointer(self->instance);
    return hash == -1 ? -2 : hash;
}

static PyObject *bound_repr(PyObject *op) {
    return FC_GUARDED(PyUnicode_FromFormat("<bound %R of %R>", ((BoundCall *)op)->call, ((BoundCall *)op)->instance));
}

/* Pickled as an attribute of its instance, like a method. */
static PyObject *bound_reduce(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    BoundCall *self = (BoundCall *)op;
    PyObject *builtins = PyEval_GetBuiltins();
    PyObject *get = builtins == NULL ? NULL : PyDict_GetItemString(builtins, "getattr");
    PyObject *name = get == NULL ? NULL : PyObject_GetAttrString((PyObject *)self->call, "__name__");
    return name == NULL ? NULL : Py_BuildValue("O(ON)", get, self->instance, name);
}

static PyMethodDef bound_methods[] = {
    {"__reduce__", bound_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef bound_members[] = {
    {"__func__", T_OBJECT, offsetof(BoundCall, call), READONLY, NULL},
    {"__self__", T_OBJECT, offsetof(BoundCall, instance), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef bound_properties[] = {
    {"__doc__", bound_doc, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject FcBoundCall_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "fastcore._ext.cache.BoundCall",
    .tp_basicsize = sizeof(BoundCall),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = bound_new,
    .tp_dealloc = bound_dealloc,
    .tp_traverse = bound_traverse,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(BoundCall, vectorcall),
    .tp_weaklistoffset = offsetof(BoundCall, weakrefs),
    .tp_getattro = bound_getattro,
    .tp_descr_get = bound_get,
    .tp_richcompare = bound_compare,
    .tp_hash = bound_hash,
    .tp_repr = bound_repr,
    .tp_methods = bound_methods,
    .tp_members = bound_members,
    .tp_getset = bound_properties,
};
