#include "switch/awaitable.h"

#include <structmember.h>

#include "common/errors.h"

typedef struct {
    PyObject_HEAD
    PyObject *inner; /* the arm's coroutine, or the iterator of another awaitable once it is begun */
    PyObject *owner; /* the Switch, which `arm` lives in */
    fc_arm *arm;
    uint64_t start;
    char timed, begun, running, done;
} Await;

PyObject *fc_await_new(PyTypeObject *type, PyObject *owner, fc_arm *arm, PyObject *awaitable, int timed) {
    Await *self = (Await *)type->tp_alloc(type, 0);
    if (self == NULL) {
        Py_DECREF(awaitable);
        return NULL;
    }
    self->inner = awaitable;
    self->owner = Py_NewRef(owner);
    self->arm = arm;
    self->timed = (char)timed;
    return (PyObject *)self;
}

/* Before the first step: the clock starts, and an awaitable that is not a coroutine gives its iterator. */
static int begin(Await *self) {
    self->begun = 1;
    if (self->timed) {
        self->start = fc_clock_ns();
    }
    if (PyCoro_CheckExact(self->inner)) {
        return 0;
    }
    PyAsyncMethods *async = Py_TYPE(self->inner)->tp_as_async;
    if (async == NULL || async->am_await == NULL) {
        PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression",
                     Py_TYPE(self->inner)->tp_name);
        return -1;
    }
    PyObject *iterator = FC_GUARDED(async->am_await(self->inner));
    if (iterator == NULL) {
        return -1;
    }
    Py_SETREF(self->inner, iterator);
    return 0;
}

/* Before every step; -1 with an exception when there can be none. */
static int enter(Await *self) {
    if (self->inner == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return -1;
    }
    if (self->running) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
        return -1;
    }
    self->running = 1;
    return 0;
}

/* After the last step; with an exception set it has failed. */
static void finish(Await *self) {
    if (self->done) {
        return;
    }
    self->done = 1;
    if (PyErr_Occurred()) {
        fc_arm_failed(self->arm);
    } else if (self->timed && self->begun) {
        fc_arm_took(self->arm, self->start);
    }
}

static PySendResult await_send(PyObject *op, PyObject *value, PyObject **result) {
    Await *self = (Await *)op;
    *result = NULL;
    if (enter(self) < 0) {
        return PYGEN_ERROR;
    }
    PySendResult outcome = PYGEN_ERROR;
    if (fc_stack_guard() == 0 && (self->begun || begin(self) == 0)) {
        outcome = PyIter_Send(self->inner, value, result);
    }
    self->running = 0;
    if (outcome != PYGEN_NEXT) {
        finish(self);
    }
    return outcome;
}

static void raise_stop_iteration(PyObject *value) {
    if (value == Py_None) {
        PyErr_SetNone(PyExc_StopIteration);
        return;
    }
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value); /* a tuple, too, is one value */
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
}

static PyObject *await_send_method(PyObject *op, PyObject *value) {
    PyObject *result;
    PySendResult outcome = await_send(op, value, &result);
    if (outcome == PYGEN_RETURN) {
        raise_stop_iteration(result);
        Py_CLEAR(result);
    }
    return result;
}

static PyObject *await_next(PyObject *op) { return await_send_method(op, Py_None); }

/* What `throw` does to an iterator that has none: the exception comes straight back. */
static void raise_thrown(PyObject *args) {
    PyObject *type, *value = NULL, *traceback = NULL;
    if (!PyArg_UnpackTuple(args, "throw", 1, 3, &type, &value, &traceback)) {
        return;
    }
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    } else if (PyExceptionClass_Check(type)) {
        PyErr_SetObject(type, value == Py_None ? NULL : value);
    } else {
        PyErr_SetString(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException");
    }
}

/* Calls `throw` or `close` of what is awaited; NULL with an exception, or with none where there is no such method. */
static PyObject *inner_method(Await *self, const char *name, PyObject *args, int *missing) {
    *missing = 0;
    PyObject *method = FC_GUARDED(PyObject_GetAttrString(self->inner, name));
    if (method == NULL) {
        *missing = PyErr_ExceptionMatches(PyExc_AttributeError);
        if (*missing) {
            PyErr_Clear();
        }
        return NULL;
    }
    PyObject *result = FC_GUARDED(PyObject_CallObject(method, args));
    Py_DECREF(method);
    return result;
}

static PyObject *await_throw(PyObject *op, PyObject *args) {
    Await *self = (Await *)op;
    if (enter(self) < 0) {
        return NULL;
    }
    int missing;
    PyObject *result = inner_method(self, "throw", args, &missing);
    if (missing) {
        raise_thrown(args);
    }
    self->running = 0;
    if (result == NULL) {
        if (PyErr_ExceptionMatches(PyExc_StopIteration)) { /* it has caught the exception and returned */
            PyObject *error = fc_take_exception();
            finish(self);
            fc_raise_exception(error);
        } else {
            finish(self);
        }
    }
    return result;
}

static PyObject *await_close(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    Await *self = (Await *)op;
    if (self->inner == NULL) {
        Py_RETURN_NONE;
    }
    if (enter(self) < 0) {
        return NULL;
    }
    int missing;
    PyObject *result = inner_method(self, "close", NULL, &missing);
    self->running = 0;
    if (result == NULL && !missing) {
        finish(self);
        return NULL;
    }
    self->done = 1;
    Py_XDECREF(result);
    Py_RETURN_NONE;
}

/* cr_frame, cr_code, __name__ and the like are the coroutine's own. */
static PyObject *await_getattro(PyObject *op, PyObject *name) {
    PyObject *found = PyObject_GenericGetAttr(op, name);
    Await *self = (Await *)op;
    if (found == NULL && self->inner != NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        found = FC_GUARDED(PyObject_GetAttr(self->inner, name));
    }
    return found;
}

static PyObject *await_repr(PyObject *op) {
    PyObject *inner = ((Await *)op)->inner;
    return FC_GUARDED(PyUnicode_FromFormat("<awaiting %R>", inner != NULL ? inner : Py_None));
}

static PyObject *await_self(PyObject *op) { return Py_NewRef(op); }

static int await_traverse(PyObject *op, visitproc visit, void *arg) {
    Await *self = (Await *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->inner);
    Py_VISIT(self->owner);
    return 0;
}

static int await_clear(PyObject *op) {
    Await *self = (Await *)op;
    Py_CLEAR(self->inner);
    return 0; /* `arm` needs the owner for as long as there is a self */
}

static void await_dealloc(PyObject *op) {
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_TRASHCAN_BEGIN(op, await_dealloc)
    Await *self = (Await *)op;
    Py_CLEAR(self->inner);
    Py_CLEAR(self->owner);
    type->tp_free(op);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyMethodDef await_methods[] = {
    {"send", await_send_method, METH_O, NULL},
    {"throw", await_throw, METH_VARARGS, NULL},
    {"close", await_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot await_slots[] = {
    {Py_tp_doc, "The awaitable that an async call of a Switch returns: counts its outcome, times the await."},
    {Py_tp_dealloc, await_dealloc},
    {Py_tp_traverse, await_traverse},
    {Py_tp_clear, await_clear},
    {Py_tp_getattro, await_getattro},
    {Py_tp_repr, await_repr},
    {Py_tp_iternext, await_next},
    {Py_tp_methods, await_methods},
    {Py_am_await, await_self},
    {Py_am_send, await_send},
    {0, NULL},
};

PyType_Spec fc_await_spec = {
    .name = "fastcore._ext.switch.Await",
    .basicsize = sizeof(Await),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = await_slots,
};
