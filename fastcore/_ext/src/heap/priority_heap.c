/* PriorityHeap. */
#include "heap/types.h"

#include <stddef.h>
#include <structmember.h>

static fc_signature sig_push = {"PriorityHeap.push", {"item", "priority", "due", "delay"}, 1, 2, 4};
static fc_signature sig_push_many = {"PriorityHeap.push_many", {"items", "priorities", "due", "delay"}, 1, 2, 4};
static fc_signature sig_pop_many = {"PriorityHeap.pop_many", {"n"}, 1, 1, 1};
static HeapKind kind = {
    .init = {"PriorityHeap.__init__", {"order", "priorities", "aging", "clock"}, 0, 0, 4},
    .update = {"PriorityHeap.update", {"handle", "priority"}, 2, 2, 2},
    .priority = {"PriorityHeap.priority", {"handle"}, 1, 1, 1},
    .remove = {"PriorityHeap.remove", {"handle"}, 1, 1, 1},
};

static PyObject *new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs)) {
    HeapObject *self = (HeapObject *)type->tp_alloc(type, 0);
    if (self) {
        heap_setup(self, &kind, 0);
    }
    return (PyObject *)self;
}

static int init(HeapObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *out[FC_MOST_ARGUMENTS];
    if (fc_arguments_from_tuple(&kind.init, args, kwargs, out) < 0 || core_enter(&self->core) < 0) {
        return -1;
    }
    const Dropped dropped = core_detach(&self->core); /* what its destructors push goes by the new options */
    const int failed = core_init(&self->core, out[0], out[1], out[2], out[3]);
    core_drop(dropped);
    return failed;
}

static PyObject *push(HeapObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *out[FC_MOST_ARGUMENTS];
    PyObject *owned = NULL;
    uint64_t handle;
    if (nargs == 2 && !kwnames) { /* the usual call */
        out[0] = args[0];
        out[1] = args[1];
        out[2] = NULL;
    } else if (fc_arguments_parse(&sig_push, args, nargs, kwnames, out) < 0 ||
               core_when(&self->core, &out[2], out[3], &owned) < 0) {
        return NULL;
    }
    PyObject *priority = out[1] || !self->core.any ? out[1] : out[0];
    const int done = core_push(&self->core, out[0], priority, out[2], &handle);
    Py_XDECREF(owned);
    if (done < 0) {
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(handle);
}

static PyObject *push_many(HeapObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *out[FC_MOST_ARGUMENTS], *owned;
    if (fc_arguments_parse(&sig_push_many, args, nargs, kwnames, out) < 0 ||
        core_when(&self->core, &out[2], out[3], &owned) < 0) {
        return NULL;
    }
    PyObject *handles = core_push_many(&self->core, out[0], out[1], out[2]);
    Py_XDECREF(owned);
    return handles;
}

static PyObject *pop_many(HeapObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *limit = fc_arguments_one(&sig_pop_many, args, nargs, kwnames);
    return limit ? core_pop_many(&self->core, limit) : NULL;
}

/* The interpreter calls a bound METH_FASTCALL directly, a bound METH_NOARGS by a longer way. */
static PyObject *pop(HeapObject *self, PyObject *const *Py_UNUSED(args), Py_ssize_t nargs) {
    if (nargs) {
        fc_too_many_arguments("PriorityHeap.pop", 1, 1, nargs + 1, 0);
        return NULL;
    }
    PyObject *item = core_pop(&self->core);
    return item || PyErr_Occurred() ? item : heap_nothing_ready(self, "pop");
}

static PyObject *pop_entry(HeapObject *self, PyObject *Py_UNUSED(unused)) {
    uint32_t slot;
    uint64_t key;
    int found = core_first(&self->core, &slot, &key);
    if (found <= 0) {
        return found < 0 ? NULL : heap_nothing_ready(self, "pop_entry");
    }
    PyObject *handle = core_handle_object(&self->core, slot), *priority = core_priority_of(&self->core, slot, key);
    PyObject *item = handle && priority ? core_take_first(&self->core) : NULL, *entry = NULL;
    if (item) {
        entry = PyObject_CallFunctionObjArgs(shared.entry, item, priority, handle, NULL);
    }
    Py_XDECREF(item);
    Py_XDECREF(priority);
    Py_XDECREF(handle);
    return entry;
}

static PyObject *remove_handle(HeapObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *handle = fc_arguments_one(&kind.remove, args, nargs, kwnames);
    return handle ? core_remove(&self->core, handle) : NULL;
}

static PyObject *clear(HeapObject *self, PyObject *Py_UNUSED(unused)) {
    if (core_enter(&self->core) < 0) {
        return NULL;
    }
    core_clear(&self->core);
    Py_RETURN_NONE;
}

static PyObject *repr(HeapObject *self) {
    return PyUnicode_FromFormat("<PriorityHeap of %zu items, order '%s'>", core_len(&self->core),
                                self->core.flip ? "max" : "min");
}

static PyMethodDef methods[] = {
    {"push", FC_METHOD(push), FC_KEYWORDS, NULL},
    {"push_many", FC_METHOD(push_many), FC_KEYWORDS, NULL},
    {"pop_many", FC_METHOD(pop_many), FC_KEYWORDS, NULL},
    {"pop", FC_METHOD(pop), METH_FASTCALL, NULL},
    {"pop_entry", FC_METHOD(pop_entry), METH_NOARGS, NULL},
    {"peek_entry", FC_METHOD(heap_peek_entry), METH_NOARGS, NULL},
    {"remove", FC_METHOD(remove_handle), FC_KEYWORDS, NULL},
    {"clear", FC_METHOD(clear), METH_NOARGS, NULL},
    COMMON_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"priorities", (getter)heap_get_priorities, NULL, NULL, NULL},
    COMMON_GETSET,
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(HeapObject, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, new},
    {Py_tp_init, init},
    {Py_tp_dealloc, heap_dealloc},
    {Py_tp_traverse, heap_traverse},
    {Py_tp_clear, heap_clear_slot},
    {Py_tp_repr, repr},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_members, members},
    {Py_sq_length, heap_length},
    {Py_sq_contains, heap_contains},
    {0, NULL},
};

PyType_Spec priority_heap_spec = {
    .name = "fastcore._ext.heap.PriorityHeap",
    .basicsize = sizeof(HeapObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
