#define PY_SSIZE_T_CLEAN
#include "indicators/live.h"

#include <structmember.h>

#include <math.h>
#include <string.h>

#include <numpy/arrayobject.h>

#include "common/errors.h"
#include "common/stack.h"
#include "indicators/function.h"

typedef struct {
    PyObject_HEAD
    const fc_program *program;
    void *state;
    PyObject *holder, *name, *params;
    PyTypeObject *result_type;
    Py_ssize_t count;
    double last[FC_MAX_OUT];
} Live;

static PyTypeObject Live_Type;

/* ---- numbers in, numbers out ---- */

static int number_error(const char *method, PyObject *got) {
    PyErr_Format(PyExc_TypeError, "%s: expected a number, got %s", method, fc_type_name(got));
    return -1;
}

/* Reads one bar. It may run a caller's __float__, so nothing of the state is held across it. */
static int take_bar(const Live *s, const char *method, PyObject *const *args, Py_ssize_t n, double *bar) {
    int wanted = s->program->n_in;
    if (n != wanted) {
        PyErr_Format(PyExc_TypeError, "%s: expected %d number%s, got %zd", method, wanted, wanted == 1 ? "" : "s", n);
        return -1;
    }
    for (int j = 0; j < wanted; j++) {
        if (PyFloat_CheckExact(args[j])) {
            bar[j] = PyFloat_AS_DOUBLE(args[j]);
            continue;
        }
        bar[j] = FC_GUARDED_INT(PyFloat_AsDouble(args[j]));
        if (bar[j] == -1.0 && PyErr_Occurred()) {
            if (!PyErr_ExceptionMatches(PyExc_TypeError)) {
                return -1;
            }
            PyErr_Clear();
            return number_error(method, args[j]);
        }
    }
    return 0;
}

static PyObject *result(const Live *s, const double *values) {
    PyObject *items[FC_MAX_OUT];
    int n = s->program->n_out;
    if (n == 1) {
        return PyFloat_FromDouble(values[0]);
    }
    for (int j = 0; j < n; j++) {
        items[j] = PyFloat_FromDouble(values[j]);
        if (!items[j]) {
            while (j--) {
                Py_DECREF(items[j]);
            }
            return NULL;
        }
    }
    return fc_record(s->result_type, items, n);
}

static PyObject *live_update(Live *s, PyObject *const *args, Py_ssize_t n) {
    double bar[FC_MAX_IN];
    if (take_bar(s, "update", args, n, bar)) {
        return NULL;
    }
    fc_program_step(s->program, s->state, bar, s->last, 1);
    s->count++;
    return result(s, s->last);
}

static PyObject *live_peek(Live *s, PyObject *const *args, Py_ssize_t n) {
    double bar[FC_MAX_IN], values[FC_MAX_OUT];
    if (take_bar(s, "peek", args, n, bar)) {
        return NULL;
    }
    fc_program_step(s->program, s->state, bar, values, 0);
    return result(s, values);
}

static PyObject *shapes_error(PyObject *const *args, Py_ssize_t n) {
    PyObject *shapes = PyList_New(n), *comma = PyUnicode_FromString(", "), *text = NULL;
    for (Py_ssize_t j = 0; shapes && j < n; j++) {
        PyArrayObject *array = (PyArrayObject *)args[j];
        PyObject *shape = PyArray_IntTupleFromIntp(PyArray_NDIM(array), PyArray_DIMS(array));
        PyObject *shown = shape ? PyObject_Repr(shape) : NULL;
        Py_XDECREF(shape);
        if (!shown) {
            Py_CLEAR(shapes);
        } else {
            PyList_SET_ITEM(shapes, j, shown);
        }
    }
    if (shapes && comma) {
        text = PyUnicode_Join(comma, shapes);
    }
    if (text) {
        PyErr_Format(PyExc_ValueError, "extend: expected 1-D arrays of one length, got %U", text);
    }
    Py_XDECREF(text);
    Py_XDECREF(comma);
    Py_XDECREF(shapes);
    return NULL;
}

static PyObject *live_extend(Live *s, PyObject *const *args, Py_ssize_t n) {
    const double *in[FC_MAX_IN];
    double *to[FC_MAX_OUT];
    PyObject *out[FC_MAX_OUT];
    int n_in = s->program->n_in, n_out = s->program->n_out, bad = 0;
    if (n != n_in) {
        return PyErr_Format(PyExc_TypeError, "extend: expected %d array%s, got %zd", n_in, n_in == 1 ? "" : "s", n);
    }
    for (int j = 0; j < n_in; j++) {
        if (!fc_is_plain(args[j])) {
            return PyErr_Format(PyExc_TypeError,
                                "extend: array %d: expected a C-contiguous, aligned ndarray of native float64, got %s",
                                j, fc_type_name(args[j]));
        }
    }
    for (int j = 0; j < n_in; j++) {
        PyArrayObject *array = (PyArrayObject *)args[j];
        bad |= PyArray_NDIM(array) != 1 || PyArray_SIZE(array) != PyArray_SIZE((PyArrayObject *)args[0]);
        in[j] = PyArray_DATA(array);
    }
    if (bad) {
        return shapes_error(args, n);
    }
    npy_intp bars = PyArray_SIZE((PyArrayObject *)args[0]);
    for (int j = 0; j < n_out; j++) {
        out[j] = PyArray_EMPTY(1, &bars, NPY_DOUBLE, 0);
        if (!out[j]) {
            while (j--) {
                Py_DECREF(out[j]);
            }
            return NULL;
        }
        to[j] = PyArray_DATA((PyArrayObject *)out[j]);
    }
    fc_program_run(s->program, s->state, in, to, bars); /* with the GIL: another thread may hold this object too */
    s->count += bars;
    for (int j = 0; bars && j < n_out; j++) {
        s->last[j] = to[j][bars - 1];
    }
    return n_out == 1 ? out[0] : fc_record(s->result_type, out, n_out);
}

/* ---- making, copying, storing ---- */

static Live *make(PyObject *holder, PyObject *name, PyObject *params, PyTypeObject *result_type) {
    Live *s = PyObject_GC_New(Live, &Live_Type);
    if (!s) {
        return NULL;
    }
    s->holder = Py_NewRef(holder);
    s->program = fc_program_in(holder);
    s->name = Py_NewRef(name);
    s->params = Py_NewRef(params);
    s->result_type = (PyTypeObject *)Py_XNewRef(result_type);
    s->count = 0;
    for (int j = 0; j < FC_MAX_OUT; j++) {
        s->last[j] = NAN;
    }
    s->state = PyMem_Calloc(1, s->program->size);
    PyObject_GC_Track(s);
    if (!s->state) {
        Py_DECREF(s);
        PyErr_NoMemory();
        return NULL;
    }
    fc_program_init(s->program, s->state);
    return s;
}

static PyObject *live_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"name", "params", "result_type", NULL};
    PyObject *source, *params, *result_type = Py_None;
    (void)type;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O:Live", names, &source, &params, &result_type) ||
        fc_record_check(result_type)) {
        return NULL;
    }
    Live *s = NULL;
    PyObject *floats = fc_floats(params), *holder = floats ? fc_operators_of(source, floats) : NULL;
    PyObject *name = !holder                   ? NULL
                     : PyUnicode_Check(source) ? PyUnicode_FromString(fc_program_in(holder)->name)
                                               : Py_NewRef(source);
    if (name) {
        s = make(holder, name, floats, result_type == Py_None ? NULL : (PyTypeObject *)result_type);
    }
    Py_XDECREF(name);
    Py_XDECREF(holder);
    Py_XDECREF(floats);
    return (PyObject *)s;
}

static PyObject *live_copy(Live *s, PyObject *Py_UNUSED(ignored)) {
    Live *other = make(s->holder, s->name, s->params, s->result_type);
    if (!other) {
        return NULL;
    }
    memcpy(other->state, s->state, s->program->size);
    memcpy(other->last, s->last, sizeof(s->last));
    other->count = s->count;
    return (PyObject *)other;
}

static PyObject *live_deepcopy(Live *s, PyObject *Py_UNUSED(memo)) { return live_copy(s, NULL); }

static PyObject *live_reduce(Live *s, PyObject *Py_UNUSED(ignored)) {
    return Py_BuildValue(
        "O(OOO)(iy#y#n)", &Live_Type, s->name, s->params, s->result_type ? (PyObject *)s->result_type : Py_None,
        s->program->kernel ? FC_KERNEL_STATES : FC_STATE_VERSION, (const char *)s->state, (Py_ssize_t)s->program->size,
        (const char *)s->last, (Py_ssize_t)(sizeof(double) * (size_t)s->program->n_out), s->count);
}

/* As earlier builds did, whose states are those of kernels where there is one; -1 with an exception set. */
static int run_by_kernel(Live *s) {
    PyObject *holder = fc_program_of(fc_isa_used(), s->name, s->params);
    const fc_program *program = holder ? fc_program_in(holder) : NULL;
    void *state = program ? PyMem_Calloc(1, program->size) : NULL;
    if (!state) {
        Py_XDECREF(holder);
        return PyErr_Occurred() ? -1 : (PyErr_NoMemory(), -1);
    }
    fc_program_init(program, state);
    PyMem_Free(s->state);
    Py_SETREF(s->holder, holder);
    s->program = program;
    s->state = state;
    return 0;
}

static PyObject *live_setstate(Live *s, PyObject *stored) {
    int version;
    const char *state, *last;
    Py_ssize_t size, last_size, count;
    if (!PyTuple_Check(stored) ||
        !PyArg_ParseTuple(stored, "iy#y#n", &version, &state, &size, &last, &last_size, &count)) {
        return PyErr_Occurred() ? NULL : fc_raise(PyExc_TypeError, "state: expected a tuple, got %R", stored);
    }
    if (version == FC_KERNEL_STATES && run_by_kernel(s)) {
        return NULL;
    }
    int fits = (version == FC_STATE_VERSION || version == FC_KERNEL_STATES) && size == (Py_ssize_t)s->program->size &&
               count >= 0 && last_size == (Py_ssize_t)(sizeof(double) * (size_t)s->program->n_out);
    if (fits) {
        void *loaded = PyMem_Malloc((size_t)size); /* checked before it takes the old one's place */
        if (!loaded) {
            return PyErr_NoMemory();
        }
        memcpy(loaded, state, (size_t)size);
        fits = fc_program_valid(s->program, loaded);
        if (fits) {
            memcpy(s->state, loaded, (size_t)size);
        }
        PyMem_Free(loaded);
    }
    if (!fits) {
        return fc_raise(PyExc_ValueError, "state: expected one of %s%R in version %d", s->program->name, s->params,
                        FC_STATE_VERSION);
    }
    memcpy(s->last, last, (size_t)last_size);
    s->count = count;
    Py_RETURN_NONE;
}

static PyObject *live_value(Live *s, void *Py_UNUSED(closure)) { return result(s, s->last); }

static PyObject *live_repr(Live *s) {
    return PyUnicode_FromFormat("<live %s%R after %zd bars>", s->program->name, s->params, s->count);
}

static int live_traverse(Live *s, visitproc visit, void *arg) {
    Py_VISIT(s->result_type);
    return 0;
}

static int live_clear(Live *s) {
    Py_CLEAR(s->result_type);
    return 0;
}

static void live_dealloc(Live *s) {
    PyObject_GC_UnTrack(s);
    live_clear(s);
    Py_XDECREF(s->holder);
    Py_XDECREF(s->name);
    Py_XDECREF(s->params);
    PyMem_Free(s->state);
    PyObject_GC_Del(s);
}

static PyMethodDef live_methods[] = {
    {"update", FC_METHOD(live_update), METH_FASTCALL, NULL},
    {"peek", FC_METHOD(live_peek), METH_FASTCALL, NULL},
    {"extend", FC_METHOD(live_extend), METH_FASTCALL, NULL},
    {"copy", (PyCFunction)live_copy, METH_NOARGS, NULL},
    {"__copy__", (PyCFunction)live_copy, METH_NOARGS, NULL},
    {"__deepcopy__", (PyCFunction)live_deepcopy, METH_O, NULL},
    {"__reduce__", (PyCFunction)live_reduce, METH_NOARGS, NULL},
    {"__setstate__", (PyCFunction)live_setstate, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef live_members[] = {
    {"name", T_OBJECT, offsetof(Live, name), READONLY, NULL},
    {"params", T_OBJECT, offsetof(Live, params), READONLY, NULL},
    {"count", T_PYSSIZET, offsetof(Live, count), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef live_getset[] = {
    {"value", (getter)live_value, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject Live_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "fastcore._ext.indicators.Live",
    .tp_basicsize = sizeof(Live),
    .tp_dealloc = (destructor)live_dealloc,
    .tp_repr = (reprfunc)live_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = (traverseproc)live_traverse,
    .tp_clear = (inquiry)live_clear,
    .tp_methods = live_methods,
    .tp_members = live_members,
    .tp_getset = live_getset,
    .tp_new = live_new,
};

PyObject *fc_live_ready(void) {
    import_array1(NULL);
    return PyType_Ready(&Live_Type) ? NULL : (PyObject *)&Live_Type;
}
