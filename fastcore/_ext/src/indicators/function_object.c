#define PY_SSIZE_T_CLEAN
#include "indicators/function_object.h"
#include "indicators/waves.h"

#include <structmember.h>

#include <string.h>

#include "common/errors.h"
#include "common/stack.h"

static int function_traverse(Function *f, visitproc visit, void *arg) {
    Py_VISIT(f->source);
    Py_VISIT(f->slots);
    Py_VISIT(f->result_type);
    Py_VISIT(f->bind);
    Py_VISIT(f->dict);
    return 0;
}

static int function_clear(Function *f) {
    Py_CLEAR(f->bind);
    Py_CLEAR(f->dict);
    return 0;
}

static void function_dealloc(Function *f) {
    PyObject_GC_UnTrack(f);
    if (f->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)f);
    }
    Py_TRASHCAN_BEGIN(f, function_dealloc) /* what binds may be another one */
    function_clear(f);
    for (int i = 0; i < PROGRAMS; i++) {
        Py_XDECREF(f->programs[i].holder);
    }
    Py_XDECREF(f->source);
    Py_XDECREF(f->name);
    Py_XDECREF(f->slots);
    Py_XDECREF(f->result_type);
    Py_TYPE(f)->tp_free((PyObject *)f);
    Py_TRASHCAN_END
}

static PyObject *function_repr(Function *f) { return PyUnicode_FromFormat("<compiled indicator %U>", f->name); }

static PyMemberDef function_members[] = {
    {"__name__", T_OBJECT, offsetof(Function, name), READONLY, NULL},
    {"__qualname__", T_OBJECT, offsetof(Function, name), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Function, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef function_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject Function_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "fastcore._ext.indicators.Function",
    .tp_basicsize = sizeof(Function),
    .tp_dealloc = (destructor)function_dealloc,
    .tp_vectorcall_offset = offsetof(Function, vectorcall),
    .tp_repr = (reprfunc)function_repr,
    .tp_call = PyVectorcall_Call,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_traverse = (traverseproc)function_traverse,
    .tp_clear = (inquiry)function_clear,
    .tp_weaklistoffset = offsetof(Function, weakrefs),
    .tp_members = function_members,
    .tp_getset = function_getset,
    .tp_dictoffset = offsetof(Function, dict),
};

int fc_function_ready(void) {
    fc_waves_prepare();
    return fc_arrays_ready() ? -1 : PyType_Ready(&Function_Type);
}

/* Reads (name, kind, default, lo, hi) into parameter j; -1 with an exception set. */
static int take_param(Function *f, PyObject *param, int j, PyObject **name) {
    const char *kind;
    if (!PyTuple_Check(param) || !PyArg_ParseTuple(param, "Usddd", name, &kind, f->preset + j, f->lo + j, f->hi + j)) {
        if (!PyErr_Occurred()) {
            fc_raise(PyExc_TypeError, "params: expected (name, kind, default, lo, hi), got %R", param);
        }
        return -1;
    }
    f->kinds[j] = !strcmp(kind, "int") ? 'p' : !strcmp(kind, "matype") ? 'm' : 'f';
    if ((f->kinds[j] == 'f' && strcmp(kind, "float") != 0) || (f->kernel && f->kernel->par[j] != f->kinds[j])) {
        PyErr_Format(PyExc_ValueError, "params: %U: expected another kind, got %s", *name, kind);
        return -1;
    }
    return 0;
}

PyObject *fc_function_new(PyObject *source, PyObject *name, PyObject *inputs, PyObject *params, PyObject *result_type,
                          PyObject *bind) {
    const fc_kernel *kernel = fc_kernel_of(fc_isa_used(), source);
    Py_ssize_t n_in = kernel ? kernel->n_in : fc_inputs_of(source);
    if (n_in < 0) {
        return NULL;
    }
    Py_ssize_t n_par = kernel ? fc_par_count(kernel) : PyTuple_Check(params) ? PyTuple_GET_SIZE(params) : 0;
    if (!PyUnicode_Check(name)) {
        return fc_raise(PyExc_TypeError, "name: expected a str, got %R", name);
    }
    if (n_in > FC_MAX_IN || n_par > FC_MAX_PAR) {
        return PyErr_Format(PyExc_ValueError, "%U: expected at most %d inputs and %d params, got %zd and %zd", name,
                            FC_MAX_IN, FC_MAX_PAR, n_in, n_par);
    }
    if (!PyTuple_Check(inputs) || PyTuple_GET_SIZE(inputs) != n_in || !PyTuple_Check(params) ||
        PyTuple_GET_SIZE(params) != n_par) {
        return fc_raise(PyExc_ValueError, "%U: expected %zd inputs and %zd params, got %R and %R", name, n_in, n_par,
                        inputs, params);
    }
    if (fc_record_check(result_type)) {
        return NULL;
    }
    if (!PyCallable_Check(bind)) {
        return fc_raise(PyExc_TypeError, "bind: expected a callable, got %R", bind);
    }
    Function *f = PyObject_GC_New(Function, &Function_Type);
    if (!f) {
        return NULL;
    }
    f->vectorcall = fc_function_call;
    f->kernel = kernel;
    memset(f->programs, 0, sizeof(f->programs));
    f->source = Py_NewRef(source);
    f->name = Py_NewRef(name);
    f->result_type = result_type == Py_None ? NULL : (PyTypeObject *)Py_NewRef(result_type);
    f->bind = Py_NewRef(bind);
    f->dict = f->weakrefs = NULL;
    f->n_in = (int)n_in;
    f->n_par = (int)n_par;
    f->slots = PyTuple_New(n_in + n_par);
    if (!f->slots) {
        goto failed;
    }
    for (int j = 0; j < (int)(n_in + n_par); j++) {
        PyObject *slot = j < n_in ? PyTuple_GET_ITEM(inputs, j) : NULL;
        if (j >= n_in && take_param(f, PyTuple_GET_ITEM(params, j - n_in), j - (int)n_in, &slot)) {
            goto failed;
        }
        if (!PyUnicode_CheckExact(slot)) {
            fc_raise(PyExc_TypeError, "inputs: expected names, got %R", slot);
            goto failed;
        }
        Py_INCREF(slot);
        PyUnicode_InternInPlace(&slot); /* names are then told apart by address */
        PyTuple_SET_ITEM(f->slots, j, slot);
    }
    PyObject_GC_Track(f);
    return (PyObject *)f;
failed:
    PyObject_GC_Track(f); /* as dealloc expects */
    Py_DECREF(f);
    return NULL;
}
