/* PriorityQueue: queue.PriorityQueue's contract. A put that has room and a get that finds something never block. */
#include "heap/types.h"

#include <stddef.h>
#include <structmember.h>

#include "common/clock.h"

typedef struct {
    QueueBase base;
    WaitList getters, putters, joiners;
} QueueObject;

#define CORE(self) (&(self)->base.heap.core)

static fc_signature sig_put = {"PriorityQueue.put", {"item", "block", "timeout", "priority", "due", "delay"}, 1, 3, 6};
static fc_signature sig_put_nowait = {"PriorityQueue.put_nowait", {"item", "priority", "due", "delay"}, 1, 1, 4};
static fc_signature sig_get = {"PriorityQueue.get", {"block", "timeout"}, 0, 2, 2};

static int renew(QueueBase *base, PyObject *Py_UNUSED(left)) {
    QueueObject *self = (QueueObject *)base;
    self->getters = self->putters = self->joiners = (WaitList){NULL, NULL};
    return 0;
}

static void wake_all_of(QueueBase *base, int who) {
    QueueObject *self = (QueueObject *)base;
    wake_all(who == GETTERS ? &self->getters : who == PUTTERS ? &self->putters : &self->joiners);
}

/* An item left: a putter has room, and getters that wait for a due time have another one to wait for, or none. */
static inline void taken(QueueBase *base) {
    QueueObject *self = (QueueObject *)base;
    Core *core = CORE(self);
    if (self->putters.first) {
        wake_one(&self->putters);
    }
    if (self->getters.first) {
        if (core->later.len) {
            wake_one(&self->getters);
        } else if (core->closed && !core_len(core)) {
            wake_all(&self->getters);
        }
    }
}

static HeapKind kind = {
    .init = {"PriorityQueue.__init__", {"maxsize", "order", "aging", "clock"}, 0, 1, 4},
    .update = {"PriorityQueue.update", {"handle", "priority"}, 2, 2, 2},
    .priority = {"PriorityQueue.priority", {"handle"}, 1, 1, 1},
    .remove = {"PriorityQueue.remove", {"handle"}, 1, 1, 1},
    .shutdown = {"PriorityQueue.shutdown", {"immediate"}, 0, 1, 1},
    .renew = renew,
    .wake_all = wake_all_of,
    .taken = taken,
};

static PyObject *new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs)) {
    QueueObject *self = (QueueObject *)type->tp_alloc(type, 0);
    if (self) {
        heap_setup(&self->base.heap, &kind, 1);
    }
    return (PyObject *)self;
}

/* How long a call may block: 0 not at all, negative forever. */
static int read_timeout(PyObject *block, PyObject *timeout, double *seconds) {
    int blocking = block ? FC_GUARDED_INT(PyObject_IsTrue(block)) : 1;
    *seconds = blocking ? -1.0 : 0.0;
    if (blocking <= 0 || !timeout || timeout == Py_None) {
        return blocking < 0 ? -1 : 0;
    }
    if (priority_number("timeout", timeout, seconds) < 0) {
        return -1;
    }
    if (*seconds < 0) {
        PyErr_SetString(PyExc_ValueError, "'timeout' must be a non-negative number");
        return -1;
    }
    return 0;
}

static void leave_putters(QueueObject *self) {
    if (!CORE(self)->limit || core_len(CORE(self)) < CORE(self)->limit) {
        wake_one(&self->putters); /* the wake that was ours goes to the next */
    }
}

static PyObject *put_due(QueueObject *self, PyObject *item, PyObject *priority, PyObject *due, PyObject *block,
                         PyObject *timeout) {
    Core *core = CORE(self);
    double seconds = 0.0, deadline = 0.0;
    int waited = 0;
    uint64_t handle;
    for (;;) {
        int done = core->closed ? PUSH_CLOSED : core_push(core, item, priority ? priority : item, due, &handle);
        if (done == PUSH_DONE) {
            self->base.unfinished++;
            if (self->getters.first) {
                wake_one(&self->getters);
            }
            return PyLong_FromUnsignedLongLong(handle);
        }
        if (done == PUSH_CLOSED) {
            PyErr_SetNone(shared.shutdown);
        }
        if (done != PUSH_FULL) {
            break;
        }
        if (!waited) {
            if (read_timeout(block, timeout, &seconds) < 0) {
                break;
            }
            deadline = fc_clock(1) + seconds;
        }
        const double left = seconds < 0 ? -1.0 : waited ? deadline - fc_clock(1) : seconds;
        if (seconds >= 0 && left <= 0) {
            PyErr_SetNone(shared.full);
            break;
        }
        waited = 1;
        if (core_len(core) >= core->limit && !core->closed && wait_on(&self->putters, left) == WAIT_ERROR) {
            break;
        }
    }
    if (waited) {
        leave_putters(self);
    }
    return NULL;
}

static PyObject *put_item(QueueObject *self, PyObject *item, PyObject *priority, PyObject *due, PyObject *delay,
                          PyObject *block, PyObject *timeout) {
    PyObject *owned = NULL;
    if (!CORE(self)->closed && core_when(CORE(self), &due, delay, &owned) < 0) {
        return NULL;
    }
    PyObject *handle = put_due(self, item, priority, due, block, timeout);
    Py_XDECREF(owned);
    return handle;
}

static PyObject *put(QueueObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *out[FC_MOST_ARGUMENTS];
    if (nargs == 1 && kwnames && PyTuple_GET_SIZE(kwnames) == 1 &&
        PyTuple_GET_ITEM(kwnames, 0) == sig_put.interned[3]) { /* the usual call */
        return put_due(self, args[0], args[1], NULL, NULL, NULL);
    }
    if (fc_arguments_parse(&sig_put, args, nargs, kwnames, out) < 0) {
        return NULL;
    }
    double seconds; /* the standard library refuses a bad timeout of a bounded queue even where there is room */
    if (CORE(self)->limit && !CORE(self)->closed && read_timeout(out[1], out[2], &seconds) < 0) {
        return NULL;
    }
    return put_item(self, out[0], out[3], out[4], out[5], out[1], out[2]);
}

static PyObject *put_nowait(QueueObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *out[FC_MOST_ARGUMENTS];
    if (fc_arguments_parse(&sig_put_nowait, args, nargs, kwnames, out) < 0) {
        return NULL;
    }
    return put_item(self, out[0], out[1], out[2], out[3], Py_False, NULL);
}

/* Shortens `left` to the next due time; 1: do not wait, something changed. */
static int until_due(QueueObject *self, double *left) {
    Core *core = CORE(self);
    double now, due;
    if (core->later.len) {
        if (core_now(core, &now) < 0 || core_enter(core) < 0) {
            return -1;
        }
        if (core_next_due(core, &due)) {
            if (due <= now) {
                return 1;
            }
            if (*left < 0 || due - now < *left) {
                *left = due - now;
            }
        }
    }
    return core->ready.len || (core->closed && !core_len(core));
}

static PyObject *get_item(QueueObject *self, PyObject *block, PyObject *timeout) {
    Core *core = CORE(self);
    double seconds = -1.0, deadline = 0.0;
    int waited = 0;
    if ((block || timeout) && read_timeout(block, timeout, &seconds) < 0) {
        return NULL;
    }
    for (;;) {
        PyObject *item = core_pop(core);
        if (item) {
            taken(&self->base);
            return item;
        }
        if (PyErr_Occurred()) {
            break;
        }
        if (core->closed && !core_len(core)) {
            PyErr_SetNone(shared.shutdown);
            break;
        }
        if (!waited) {
            deadline = fc_clock(1) + seconds;
        }
        double left = seconds < 0 ? -1.0 : waited ? deadline - fc_clock(1) : seconds;
        if (seconds >= 0 && left <= 0) {
            PyErr_SetNone(shared.empty);
            break;
        }
        waited = 1;
        int changed = until_due(self, &left);
        if (changed < 0 || (!changed && wait_on(&self->getters, left) == WAIT_ERROR)) {
            break;
        }
    }
    if (waited && core_len(core)) {
        wake_one(&self->getters); /* what we waited for is another's to wait for now */
    }
    return NULL;
}

static PyObject *get(QueueObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *out[FC_MOST_ARGUMENTS];
    if (nargs == 0 && !kwnames) {
        return get_item(self, NULL, NULL);
    }
    if (fc_arguments_parse(&sig_get, args, nargs, kwnames, out) < 0) {
        return NULL;
    }
    return get_item(self, out[0], out[1]);
}

static PyObject *get_nowait(QueueObject *self, PyObject *Py_UNUSED(unused)) { return get_item(self, Py_False, NULL); }

static PyObject *join(QueueObject *self, PyObject *Py_UNUSED(unused)) {
    while (self->base.unfinished) {
        if (wait_on(&self->joiners, -1.0) == WAIT_ERROR) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static PyObject *repr(QueueObject *self) {
    return PyUnicode_FromFormat("<PriorityQueue of %zu items, maxsize %zu>", core_len(CORE(self)), CORE(self)->limit);
}

static PyMethodDef methods[] = {
    {"put", FC_METHOD(put), FC_KEYWORDS, NULL},
    {"put_nowait", FC_METHOD(put_nowait), FC_KEYWORDS, NULL},
    {"get", FC_METHOD(get), FC_KEYWORDS, NULL},
    {"get_nowait", FC_METHOD(get_nowait), METH_NOARGS, NULL},
    {"join", FC_METHOD(join), METH_NOARGS, NULL},
    QUEUE_METHODS,
    COMMON_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    QUEUE_GETSET,
    COMMON_GETSET,
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(QueueObject, base.heap.weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, new},
    {Py_tp_init, queue_init},
    {Py_tp_dealloc, heap_dealloc},
    {Py_tp_traverse, heap_traverse},
    {Py_tp_clear, heap_clear_slot},
    {Py_tp_repr, repr},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_members, members},
    {Py_sq_contains, heap_contains},
    {0, NULL},
};

PyType_Spec priority_queue_spec = {
    .name = "fastcore._ext.heap.PriorityQueue",
    .basicsize = sizeof(QueueObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
