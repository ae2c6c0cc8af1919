/* What PriorityHeap and the queues have in common. */
#include "heap/types.h"

static HeapObject *living;

void heap_setup(HeapObject *self, HeapKind *kind, int any) {
    self->kind = kind;
    self->next = living;
    if (living) {
        living->previous = self;
    }
    living = self;
    self->core.undo_slot = NO_SLOT;
    self->core.free_slot = NO_SLOT;
    self->core.serial = 1;
    self->core.any = any;
}

/* In a forked process only the thread that forked is there: no other compares or waits. */
PyObject *heap_after_fork(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused)) {
    PyObject *left = PyList_New(0);
    int failed = !left;
    for (HeapObject *self = living; self && !failed; self = self->next) {
        Core *core = &self->core;
        const int comparing = core->owner && core->owner != PyThread_get_thread_ident();
        if (comparing) {
            core->owner = 0;
        }
        core->turn = (WaitList){NULL, NULL};
        failed = (comparing && slots_recover(core, left) < 0) ||
                 (self->kind->renew && self->kind->renew((QueueBase *)self, left) < 0);
    }
    Py_XDECREF(left);
    if (failed) {
        return NULL;
    }
    Py_RETURN_NONE;
}

int heap_traverse(HeapObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    return core_traverse(&self->core, visit, arg);
}

int heap_clear_slot(HeapObject *self) {
    core_clear(&self->core);
    Py_CLEAR(self->core.clock);
    return 0;
}

void heap_dealloc(HeapObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN((PyObject *)self, heap_dealloc) /* heaps within heaps come down one by one */
    if (self->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    heap_clear_slot(self);
    if (self->next) {
        self->next->previous = self->previous;
    }
    if (self->previous) {
        self->previous->next = self->next;
    } else {
        living = self->next;
    }
    type->tp_free(self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

Py_ssize_t heap_length(HeapObject *self) { return (Py_ssize_t)core_len(&self->core); }

int heap_contains(HeapObject *self, PyObject *handle) {
    uint32_t slot;
    return core_find(&self->core, handle, &slot);
}

PyObject *heap_update(HeapObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *out[FC_MOST_ARGUMENTS];
    if (fc_arguments_parse(&self->kind->update, args, nargs, kwnames, out) < 0 ||
        core_update(&self->core, out[0], out[1]) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *heap_nothing_ready(const HeapObject *self, const char *method) {
    const size_t delayed = self->core.later.len;
    if (delayed) {
        return PyErr_Format(PyExc_IndexError, "%s: expected a ready item, got none: %zu delayed", method, delayed);
    }
    return PyErr_Format(PyExc_IndexError, "%s: expected an item, got an empty heap", method);
}

PyObject *heap_peek(HeapObject *self, PyObject *Py_UNUSED(unused)) {
    uint32_t slot;
    uint64_t key;
    int found = core_first(&self->core, &slot, &key);
    if (found > 0) {
        return Py_NewRef(self->core.slots[slot].item);
    }
    return found < 0 ? NULL : heap_nothing_ready(self, "peek");
}

PyObject *heap_entry(Core *core, uint32_t slot, uint64_t key) {
    PyObject *entry = NULL, *item = Py_NewRef(core->slots[slot].item);
    PyObject *handle = core_handle_object(core, slot), *priority = core_priority_of(core, slot, key);
    if (handle && priority) {
        entry = PyObject_CallFunctionObjArgs(shared.entry, item, priority, handle, NULL);
    }
    Py_XDECREF(priority);
    Py_XDECREF(handle);
    Py_DECREF(item);
    return entry;
}

PyObject *heap_peek_entry(HeapObject *self, PyObject *Py_UNUSED(unused)) {
    uint32_t slot;
    uint64_t key;
    int found = core_first(&self->core, &slot, &key);
    if (found > 0) {
        return heap_entry(&self->core, slot, key);
    }
    return found < 0 ? NULL : heap_nothing_ready(self, "peek_entry");
}

PyObject *heap_priority(HeapObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *handle = fc_arguments_one(&self->kind->priority, args, nargs, kwnames);
    return handle ? core_priority(&self->core, handle) : NULL;
}

PyObject *heap_next_due(HeapObject *self, PyObject *Py_UNUSED(unused)) {
    double due;
    if (core_promote(&self->core) < 0) {
        return NULL;
    }
    if (!core_next_due(&self->core, &due)) {
        Py_RETURN_NONE;
    }
    return PyFloat_FromDouble(due);
}

PyObject *heap_ready(HeapObject *self, PyObject *Py_UNUSED(unused)) {
    if (core_promote(&self->core) < 0) {
        return NULL;
    }
    return PyLong_FromSize_t(self->core.ready.len);
}

PyObject *heap_get_order(HeapObject *self, void *Py_UNUSED(unused)) {
    return PyUnicode_InternFromString(self->core.flip ? "max" : "min");
}

PyObject *heap_get_priorities(HeapObject *self, void *Py_UNUSED(unused)) {
    return PyUnicode_InternFromString(self->core.any ? "any" : "number");
}

PyObject *heap_get_aging(HeapObject *self, void *Py_UNUSED(unused)) { return PyFloat_FromDouble(self->core.aging); }

PyObject *heap_get_clock(HeapObject *self, void *Py_UNUSED(unused)) {
    return Py_NewRef(self->core.clock ? self->core.clock : Py_None);
}

PyObject *heap_get_serial(HeapObject *self, void *Py_UNUSED(unused)) {
    return PyLong_FromUnsignedLongLong(self->core.serial);
}

PyObject *heap_get_origin(HeapObject *self, void *Py_UNUSED(unused)) { return PyFloat_FromDouble(self->core.origin); }

PyObject *heap_get_slots(HeapObject *self, void *Py_UNUSED(unused)) {
    return PyLong_FromUnsignedLong(self->core.slots_len);
}

PyObject *heap_rows(HeapObject *self, PyObject *const *args, Py_ssize_t nargs) {
    int take = nargs > 0 ? FC_GUARDED_INT(PyObject_IsTrue(args[0])) : 0;
    return take < 0 ? NULL : core_rows(&self->core, take);
}

PyObject *heap_load(HeapObject *self, PyObject *args) {
    PyObject *rows, *serial;
    double origin, shift;
    Py_ssize_t most = 4096;
    if (!PyArg_ParseTuple(args, "OOdd|n:_load", &rows, &serial, &origin, &shift, &most)) {
        return NULL;
    }
    self->core.origin = origin;
    if (core_load(&self->core, rows, serial, shift, most) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}
