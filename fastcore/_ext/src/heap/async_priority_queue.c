/* AsyncPriorityQueue: asyncio.PriorityQueue's contract. What need not wait finishes in the first step of its await,
   without a coroutine; what must wait goes on as the coroutine that both twins share. */
#include "heap/types.h"

#include <stddef.h>
#include <structmember.h>

#include "common/errors.h"

typedef struct {
    QueueBase base;
    PyObject *getters, *putters, *joiners; /* deques of futures, made by the first that waits */
    PyObject *attributes;                  /* what else the shared coroutines keep: the loop, the timer */
} AsyncObject;

#define CORE(self) (&(self)->base.heap.core)

/* One put or get under way. */
typedef struct {
    PyObject_HEAD
    AsyncObject *queue;
    PyObject *item, *priority, *due, *delay; /* of a put; `item` is NULL for a get */
    PyObject *waiting;               /* the coroutine that goes on where waiting is needed */
    int state;
    int running; /* a step of `waiting` */
} OperationObject;

enum { FRESH, WAITING, FINISHED };

static PyTypeObject *operation_type;
static OperationObject *spare; /* one put aside: queues make them one after the other */

static fc_signature sig_put = {"AsyncPriorityQueue.put", {"item", "priority", "due", "delay"}, 1, 1, 4};
static fc_signature sig_put_nowait = {"AsyncPriorityQueue.put_nowait", {"item", "priority", "due", "delay"}, 1, 1, 4};

/* Wakes by the method of that name if anyone waits. What it may raise is not the caller's: the item is in, or out. */
static void wake(AsyncObject *self, PyObject *waiters, const char *method) {
    if (!waiters || PyObject_Size(waiters) <= 0) {
        return;
    }
    PyObject *result = PyObject_CallMethod((PyObject *)self, method, NULL);
    if (!result) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    Py_XDECREF(result);
}

/* An item left: a putter has room, and getters that wait for a due time have another one to wait for, or none. */
static void taken(QueueBase *base) {
    AsyncObject *self = (AsyncObject *)base;
    wake(self, self->putters, "_wake_putter");
    if (CORE(self)->later.len) {
        wake(self, self->getters, "_wake_getter");
    } else if (CORE(self)->closed && !core_len(CORE(self))) {
        wake(self, self->getters, "_wake_getters");
    }
}

/* PUSH_FULL: not now. */
static int try_put(AsyncObject *self, PyObject *item, PyObject *priority, PyObject *due, PyObject **handle) {
    Core *core = CORE(self);
    uint64_t value;
    int done = core->closed ? PUSH_CLOSED : core_push(core, item, priority ? priority : item, due, &value);
    if (done == PUSH_CLOSED) {
        PyErr_SetNone(shared.queue_shutdown);
        return PUSH_ERROR;
    }
    if (done != PUSH_DONE) {
        return done;
    }
    self->base.unfinished++;
    wake(self, self->getters, "_wake_getter");
    *handle = PyLong_FromUnsignedLongLong(value);
    return *handle ? PUSH_DONE : PUSH_ERROR;
}

/* NULL without an error: not now. */
static PyObject *try_get(AsyncObject *self) {
    Core *core = CORE(self);
    PyObject *item = core_pop(core);
    if (item) {
        taken(&self->base);
        return item;
    }
    if (!PyErr_Occurred() && core->closed && !core_len(core)) {
        PyErr_SetNone(shared.queue_shutdown);
    }
    return NULL;
}

/* ---- the awaitable ---- */

static PyObject *operation(AsyncObject *queue, PyObject *item, PyObject *priority, PyObject *due, PyObject *delay) {
    OperationObject *self = spare;
    if (self) {
        spare = NULL;
        PyObject_Init((PyObject *)self, operation_type);
    } else {
        self = PyObject_GC_New(OperationObject, operation_type);
        if (!self) {
            return NULL;
        }
    }
    self->queue = (AsyncObject *)Py_NewRef(queue);
    self->item = Py_XNewRef(item);
    self->priority = Py_XNewRef(priority);
    self->due = Py_XNewRef(due);
    self->delay = Py_XNewRef(delay);
    self->waiting = NULL;
    self->state = FRESH;
    self->running = 0;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int operation_traverse(OperationObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->queue);
    Py_VISIT(self->item);
    Py_VISIT(self->priority);
    Py_VISIT(self->due);
    Py_VISIT(self->delay);
    Py_VISIT(self->waiting);
    return 0;
}

static int operation_clear(OperationObject *self) {
    Py_CLEAR(self->queue);
    Py_CLEAR(self->item);
    Py_CLEAR(self->priority);
    Py_CLEAR(self->due);
    Py_CLEAR(self->delay);
    Py_CLEAR(self->waiting);
    return 0;
}

static void operation_finalize(OperationObject *self) {
    if (self->state != FRESH) {
        return;
    }
    PyObject *pending = fc_take_exception();
    self->state = FINISHED;
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine 'AsyncPriorityQueue.%s' was never awaited",
                         self->item ? "put" : "get") < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    fc_raise_exception(pending);
}

static void operation_dealloc(OperationObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (self->state == FRESH && PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0) {
        return;
    }
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN((PyObject *)self, operation_dealloc) /* the item of a put may be a put */
    operation_clear(self);
    if (!spare && !PyObject_GC_IsFinalized((PyObject *)self)) { /* an object is finalized only once */
        spare = self;
    } else {
        PyObject_GC_Del(self);
    }
    Py_DECREF(type);
    Py_TRASHCAN_END
}

/* No other call may step or close the coroutine while a step of it is running. */
static int refuse_running(const OperationObject *self) {
    if (self->running) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
    }
    return self->running;
}

static PySendResult finish(OperationObject *self, PyObject *result, PyObject **out) {
    self->state = FINISHED;
    *out = result;
    return result ? PYGEN_RETURN : PYGEN_ERROR;
}

static PySendResult operation_send(PyObject *object, PyObject *value, PyObject **out) {
    OperationObject *self = (OperationObject *)object;
    *out = NULL;
    if (refuse_running(self)) {
        return PYGEN_ERROR;
    }
    if (self->state == FRESH) {
        if (value != Py_None) {
            PyErr_SetString(PyExc_TypeError, "can't send non-None value to a just-started coroutine");
            return PYGEN_ERROR;
        }
        self->state = FINISHED; /* unless it turns out otherwise; a re-entrant send is refused meanwhile */
        PyObject *result = NULL;
        if (self->item) {
            PyObject *due = self->due, *owned;
            if (core_when(CORE(self->queue), &due, self->delay, &owned) < 0) {
                return finish(self, NULL, out);
            }
            if (owned) {
                Py_XSETREF(self->due, owned);
            }
            int done = try_put(self->queue, self->item, self->priority, self->due, &result);
            if (done != PUSH_FULL) {
                return finish(self, result, out);
            }
            self->waiting = FC_GUARDED(PyObject_CallMethod((PyObject *)self->queue, "_wait_put", "OOO", self->item,
                                                           self->priority ? self->priority : self->item,
                                                           self->due ? self->due : Py_None));
        } else {
            result = try_get(self->queue);
            if (result || PyErr_Occurred()) {
                return finish(self, result, out);
            }
            self->waiting = FC_GUARDED(PyObject_CallMethod((PyObject *)self->queue, "_wait_get", NULL));
        }
        if (!self->waiting) {
            return finish(self, NULL, out);
        }
        self->state = WAITING;
    }
    if (self->state == FINISHED) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    self->running = 1;
    PySendResult sent = fc_stack_guard() < 0 ? PYGEN_ERROR : PyIter_Send(self->waiting, value, out);
    self->running = 0;
    if (sent != PYGEN_NEXT) {
        self->state = FINISHED;
        Py_CLEAR(self->waiting);
    }
    return sent;
}

static PyObject *as_iteration(PySendResult sent, PyObject *result) {
    if (sent == PYGEN_RETURN) {
        if (PyTuple_Check(result) || PyExceptionInstance_Check(result)) { /* these would be taken apart */
            PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);
            if (stop) {
                PyErr_SetObject(PyExc_StopIteration, stop);
            }
            Py_XDECREF(stop);
        } else {
            PyErr_SetObject(PyExc_StopIteration, result);
        }
        Py_CLEAR(result);
    }
    return result;
}

static PyObject *operation_next(PyObject *self) {
    PyObject *result;
    PySendResult sent = operation_send(self, Py_None, &result);
    return as_iteration(sent, result);
}

static PyObject *operation_send_method(PyObject *self, PyObject *value) {
    PyObject *result;
    PySendResult sent = operation_send(self, value, &result);
    return as_iteration(sent, result);
}

static PyObject *operation_throw(OperationObject *self, PyObject *args) {
    PyObject *type, *value = NULL, *traceback = NULL;
    if (!PyArg_UnpackTuple(args, "throw", 1, 3, &type, &value, &traceback)) {
        return NULL;
    }
    if (refuse_running(self)) {
        return NULL;
    }
    if (self->state == WAITING) {
        self->running = 1;
        PyObject *throw = PyObject_GetAttrString(self->waiting, "throw");
        PyObject *result = throw ? FC_GUARDED(PyObject_CallObject(throw, args)) : NULL;
        self->running = 0;
        Py_XDECREF(throw);
        if (!result) {
            self->state = FINISHED;
            Py_CLEAR(self->waiting);
        }
        return result;
    }
    if (self->state == FINISHED) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return NULL;
    }
    self->state = FINISHED;
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    } else if (PyExceptionClass_Check(type)) {
        PyErr_Restore(Py_NewRef(type), Py_XNewRef(value), traceback == Py_None ? NULL : Py_XNewRef(traceback));
    } else {
        PyErr_Format(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException, not %s",
                     fc_type_name(type));
    }
    return NULL;
}

static PyObject *operation_close(OperationObject *self, PyObject *Py_UNUSED(unused)) {
    if (refuse_running(self)) {
        return NULL;
    }
    PyObject *waiting = self->waiting;
    self->waiting = NULL;
    self->state = FINISHED;
    if (!waiting) {
        Py_RETURN_NONE;
    }
    PyObject *result = FC_GUARDED(PyObject_CallMethod(waiting, "close", NULL));
    Py_DECREF(waiting);
    return result;
}

static PyMethodDef operation_methods[] = {
    {"send", operation_send_method, METH_O, NULL},
    {"throw", FC_METHOD(operation_throw), METH_VARARGS, NULL},
    {"close", FC_METHOD(operation_close), METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot operation_slots[] = {
    {Py_tp_dealloc, operation_dealloc},   {Py_tp_finalize, operation_finalize},
    {Py_tp_traverse, operation_traverse}, {Py_tp_clear, operation_clear},
    {Py_tp_methods, operation_methods},   {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, operation_next},     {Py_am_await, PyObject_SelfIter},
    {Py_am_send, operation_send},         {0, NULL},
};

PyType_Spec operation_spec = {
    .name = "fastcore._ext.heap.Operation",
    .basicsize = sizeof(OperationObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = operation_slots,
};

/* ---- the queue ---- */

static int renew(QueueBase *base, PyObject *left) {
    AsyncObject *queue = (AsyncObject *)base;
    PyObject **fields[] = {&queue->getters, &queue->putters, &queue->joiners, &queue->attributes};
    for (size_t at = 0; at < sizeof fields / sizeof *fields; at++) {
        PyObject *field = *fields[at];
        *fields[at] = NULL;
        const int failed = field && PyList_Append(left, field) < 0;
        Py_XDECREF(field);
        if (failed) {
            return -1;
        }
    }
    return 0;
}

static void wake_all_of(QueueBase *base, int who) {
    AsyncObject *self = (AsyncObject *)base;
    if (who == GETTERS) {
        wake(self, self->getters, "_wake_getters");
    } else if (who == PUTTERS) {
        wake(self, self->putters, "_wake_putters");
    } else {
        wake(self, self->joiners, "_wake_joiners");
    }
}

static HeapKind kind = {
    .init = {"AsyncPriorityQueue.__init__", {"maxsize", "order", "aging", "clock"}, 0, 1, 4},
    .update = {"AsyncPriorityQueue.update", {"handle", "priority"}, 2, 2, 2},
    .priority = {"AsyncPriorityQueue.priority", {"handle"}, 1, 1, 1},
    .remove = {"AsyncPriorityQueue.remove", {"handle"}, 1, 1, 1},
    .shutdown = {"AsyncPriorityQueue.shutdown", {"immediate"}, 0, 1, 1},
    .renew = renew,
    .wake_all = wake_all_of,
    .taken = taken,
};

static PyObject *new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs)) {
    AsyncObject *self = shared_load_asyncio() < 0 ? NULL : (AsyncObject *)type->tp_alloc(type, 0);
    if (self) {
        heap_setup((HeapObject *)self, &kind, 1);
    }
    return (PyObject *)self;
}

static int traverse(AsyncObject *self, visitproc visit, void *arg) {
    Py_VISIT(self->getters);
    Py_VISIT(self->putters);
    Py_VISIT(self->joiners);
    Py_VISIT(self->attributes);
    return heap_traverse((HeapObject *)self, visit, arg);
}

static int clear_slot(AsyncObject *self) {
    Py_CLEAR(self->getters);
    Py_CLEAR(self->putters);
    Py_CLEAR(self->joiners);
    Py_CLEAR(self->attributes);
    return heap_clear_slot((HeapObject *)self);
}

static void dealloc(AsyncObject *self) {
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->getters);
    Py_CLEAR(self->putters);
    Py_CLEAR(self->joiners);
    Py_CLEAR(self->attributes);
    PyObject_GC_Track(self); /* heap_dealloc begins by untracking */
    heap_dealloc((HeapObject *)self);
}

static PyObject *put(AsyncObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *out[FC_MOST_ARGUMENTS];
    if (fc_arguments_parse(&sig_put, args, nargs, kwnames, out) < 0) {
        return NULL;
    }
    return operation(self, out[0], out[1], out[2], out[3]);
}

static PyObject *get(AsyncObject *self, PyObject *Py_UNUSED(unused)) { return operation(self, NULL, NULL, NULL, NULL); }

static PyObject *put_nowait(AsyncObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *out[FC_MOST_ARGUMENTS], *handle = NULL, *owned = NULL;
    if (fc_arguments_parse(&sig_put_nowait, args, nargs, kwnames, out) < 0 ||
        (!CORE(self)->closed && core_when(CORE(self), &out[2], out[3], &owned) < 0)) {
        return NULL;
    }
    if (try_put(self, out[0], out[1], out[2], &handle) == PUSH_FULL) {
        PyErr_SetNone(shared.queue_full);
    }
    Py_XDECREF(owned);
    return handle;
}

static PyObject *get_nowait(AsyncObject *self, PyObject *Py_UNUSED(unused)) {
    PyObject *item = try_get(self);
    if (!item && !PyErr_Occurred()) {
        PyErr_SetNone(shared.queue_empty);
    }
    return item;
}

static PyObject *repr(AsyncObject *self) {
    return PyUnicode_FromFormat("<AsyncPriorityQueue of %zu items, maxsize %zu>", core_len(CORE(self)),
                                CORE(self)->limit);
}

static PyMethodDef methods[] = {
    {"put", FC_METHOD(put), FC_KEYWORDS, NULL},
    {"put_nowait", FC_METHOD(put_nowait), FC_KEYWORDS, NULL},
    {"get", FC_METHOD(get), METH_NOARGS, NULL},
    {"get_nowait", FC_METHOD(get_nowait), METH_NOARGS, NULL},
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
    {"__weaklistoffset__", T_PYSSIZET, offsetof(AsyncObject, base.heap.weakrefs), READONLY, NULL},
    {"_getters", T_OBJECT, offsetof(AsyncObject, getters), 0, NULL},
    {"_putters", T_OBJECT, offsetof(AsyncObject, putters), 0, NULL},
    {"_joiners", T_OBJECT, offsetof(AsyncObject, joiners), 0, NULL},
    {"_waiting", T_OBJECT, offsetof(AsyncObject, attributes), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, new},
    {Py_tp_init, queue_init},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear_slot},
    {Py_tp_repr, repr},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_members, members},
    {Py_sq_contains, heap_contains},
    {0, NULL},
};

PyType_Spec async_queue_spec = {
    .name = "fastcore._ext.heap.AsyncPriorityQueue",
    .basicsize = sizeof(AsyncObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int async_queue_ready(PyObject *module) {
    if (!operation_type) {
        operation_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &operation_spec, NULL);
    }
    return operation_type ? 0 : -1;
}
