/* What PriorityQueue and AsyncPriorityQueue have in common: bounds, tasks to be done, the ends of a queue. */
#include "heap/types.h"

#include <math.h>

#define CORE(self) (&(self)->heap.core)

/* As the standard library takes it: any number, and no limit where it is not above 0. */
static int read_limit(PyObject *given, size_t *limit) {
    double number;
    if (priority_number("maxsize", given, &number) < 0) {
        return -1;
    }
    *limit = number <= 0 || number > (double)SLOT_LIMIT ? 0 : (size_t)ceil(number);
    return 0;
}

int queue_init(QueueBase *self, PyObject *args, PyObject *kwargs) {
    PyObject *out[FC_MOST_ARGUMENTS];
    Core *core = CORE(self);
    size_t limit = 0;
    self->unfinished = 0;
    if (fc_arguments_from_tuple(&self->heap.kind->init, args, kwargs, out) < 0) {
        return -1;
    }
    if (out[0] && read_limit(out[0], &limit) < 0) {
        return -1;
    }
    if (core_enter(core) < 0) {
        return -1;
    }
    const Dropped dropped = core_detach(core); /* what its destructors put goes by the new options */
    const int failed = core_init(core, out[1], NULL, out[2], out[3]);
    if (!failed) {
        core->any = 1;
        core->limit = limit;
        core->closed = 0;
    }
    core_drop(dropped);
    return failed;
}

/* So many items need no task_done() any more. */
static void finished(QueueBase *self, Py_ssize_t count) {
    self->unfinished = self->unfinished > count ? self->unfinished - count : 0;
    if (self->unfinished == 0) {
        self->heap.kind->wake_all(self, JOINERS);
    }
}

PyObject *queue_task_done(QueueBase *self, PyObject *Py_UNUSED(unused)) {
    if (self->unfinished <= 0) {
        PyErr_SetString(PyExc_ValueError, "task_done() called too many times");
        return NULL;
    }
    finished(self, 1);
    Py_RETURN_NONE;
}

PyObject *queue_remove(QueueBase *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *handle = fc_arguments_one(&self->heap.kind->remove, args, nargs, kwnames);
    PyObject *item = handle ? core_remove(CORE(self), handle) : NULL;
    if (item) {
        finished(self, 1); /* no consumer gets it, so none calls task_done() for it */
        self->heap.kind->taken(self);
    }
    return item;
}

PyObject *queue_clear(QueueBase *self, PyObject *Py_UNUSED(unused)) {
    Core *core = CORE(self);
    if (core_enter(core) < 0) {
        return NULL;
    }
    const Py_ssize_t count = (Py_ssize_t)core_len(core);
    if (count) {
        const Dropped dropped = core_detach(core); /* first, so that those woken find the queue empty */
        finished(self, count);
        self->heap.kind->wake_all(self, PUTTERS);
        self->heap.kind->wake_all(self, GETTERS); /* the item they wait for will not come due */
        core_drop(dropped); /* last: destructors run here */
    }
    Py_RETURN_NONE;
}

PyObject *queue_shutdown(QueueBase *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *out[FC_MOST_ARGUMENTS];
    if (fc_arguments_parse(&self->heap.kind->shutdown, args, nargs, kwnames, out) < 0) {
        return NULL;
    }
    int immediate = out[0] ? FC_GUARDED_INT(PyObject_IsTrue(out[0])) : 0;
    if (immediate < 0 || core_enter(CORE(self)) < 0) {
        return NULL;
    }
    CORE(self)->closed = 1;
    if (immediate) {
        PyObject *done = queue_clear(self, NULL);
        if (!done) {
            return NULL;
        }
        Py_DECREF(done);
    }
    self->heap.kind->wake_all(self, GETTERS);
    self->heap.kind->wake_all(self, PUTTERS);
    Py_RETURN_NONE;
}

PyObject *queue_set_counts(QueueBase *self, PyObject *args) {
    Py_ssize_t count;
    int closed;
    if (!PyArg_ParseTuple(args, "np:_set_counts", &count, &closed)) {
        return NULL;
    }
    self->unfinished = count > 0 ? count : 0;
    CORE(self)->closed = closed;
    Py_RETURN_NONE;
}

PyObject *queue_qsize(QueueBase *self, PyObject *Py_UNUSED(unused)) {
    return PyLong_FromSsize_t(heap_length(&self->heap));
}

PyObject *queue_empty(QueueBase *self, PyObject *Py_UNUSED(unused)) {
    return PyBool_FromLong(core_len(CORE(self)) == 0);
}

PyObject *queue_full(QueueBase *self, PyObject *Py_UNUSED(unused)) {
    return PyBool_FromLong(CORE(self)->limit && core_len(CORE(self)) >= CORE(self)->limit);
}

PyObject *queue_get_maxsize(QueueBase *self, void *Py_UNUSED(unused)) { return PyLong_FromSize_t(CORE(self)->limit); }

int queue_set_maxsize(QueueBase *self, PyObject *given, void *Py_UNUSED(unused)) {
    if (!given) {
        PyErr_SetString(PyExc_AttributeError, "maxsize: expected a number, got a deletion");
        return -1;
    }
    if (read_limit(given, &CORE(self)->limit) < 0) {
        return -1;
    }
    self->heap.kind->wake_all(self, PUTTERS);
    return 0;
}

PyObject *queue_get_unfinished(QueueBase *self, void *Py_UNUSED(unused)) {
    return PyLong_FromSsize_t(self->unfinished);
}

PyObject *queue_get_is_shutdown(QueueBase *self, void *Py_UNUSED(unused)) {
    return PyBool_FromLong(CORE(self)->closed);
}
