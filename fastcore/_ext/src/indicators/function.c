#define PY_SSIZE_T_CLEAN
#define NPY_TARGET_VERSION NPY_1_22_API_VERSION /* memory handlers */
#include "indicators/function.h"

#include <structmember.h>

#include <string.h>

#include <numpy/arrayobject.h>

#include "common/errors.h"
#include "common/stack.h"
#include "indicators/batch.h"
#include "indicators/result_pool.h"

#define MAX_SLOTS (FC_MAX_IN + FC_MAX_PAR)
#define RELEASE_ABOVE 4096 /* bars; below, handing over the GIL costs more than the work */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    const fc_kernel *kernel;
    PyObject *name;
    PyObject *slots; /* interned names of the inputs, then of the parameters */
    PyTypeObject *result_type;
    PyObject *bind;
    PyObject *dict;
    PyObject *weakrefs;
    double preset[FC_MAX_PAR], lo[FC_MAX_PAR], hi[FC_MAX_PAR];
    int n_in, n_par;
} Function;

static PyArray_Descr *double_descr;
static PyObject *room; /* fc_room, as numpy wants it */

int fc_is_plain(PyObject *object) {
    if (Py_TYPE(object) != &PyArray_Type) {
        return 0;
    }
    PyArrayObject *array = (PyArrayObject *)object;
    return PyArray_TYPE(array) == NPY_DOUBLE && PyArray_ISCARRAY_RO(array);
}

/* ---- kernels and parameters by name ---- */

const fc_kernel *fc_kernel_of(const fc_isa *isa, PyObject *name) {
    const fc_kernel *found = NULL;
    if (PyUnicode_Check(name)) {
        const char *text = PyUnicode_AsUTF8(name);
        if (text) {
            found = fc_kernel_named(isa, text);
        } else {
            PyErr_Clear(); /* a name that is no text is no indicator's */
        }
    }
    if (!found) {
        FC_RAISE(PyExc_ValueError, "name: expected the name of an indicator, got %R", name);
    }
    return found;
}

PyObject *fc_take_params(const fc_kernel *kernel, PyObject *params, double *par) {
    int count = fc_par_count(kernel);
    PyObject *given = FC_GUARDED(PySequence_Tuple(params)), *taken = NULL;
    if (!given) {
        return NULL;
    }
    if (PyTuple_GET_SIZE(given) != count) {
        FC_RAISE(PyExc_ValueError, "params: expected %d numbers for %s, got %R", count, kernel->name, given);
        goto done;
    }
    for (int j = 0; j < count; j++) {
        par[j] = FC_GUARDED_INT(PyFloat_AsDouble(PyTuple_GET_ITEM(given, j)));
        if (par[j] == -1.0 && PyErr_Occurred()) {
            goto done;
        }
    }
    int bad = fc_par_bad(kernel, par);
    if (bad >= 0) {
        FC_RAISE(PyExc_ValueError, "params: %s cannot run with %R at %d", kernel->name, PyTuple_GET_ITEM(given, bad),
                 bad);
        goto done;
    }
    taken = PyTuple_New(count);
    for (int j = 0; taken && j < count; j++) {
        PyObject *value = PyFloat_FromDouble(par[j]);
        if (!value) {
            Py_CLEAR(taken);
        } else {
            PyTuple_SET_ITEM(taken, j, value);
        }
    }
done:
    Py_DECREF(given);
    return taken;
}

/* ---- results ---- */

int fc_record_check(PyObject *type) {
    if (type == Py_None) {
        return 0;
    }
    if (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, &PyTuple_Type) ||
        ((PyTypeObject *)type)->tp_itemsize != PyTuple_Type.tp_itemsize) {
        FC_RAISE(PyExc_TypeError, "result_type: expected a named tuple class or None, got %R", type);
        return -1;
    }
    return 0;
}

PyObject *fc_record(PyTypeObject *type, PyObject **items, Py_ssize_t n) {
#if PY_VERSION_HEX < 0x030E0000
    /* An empty instance filled here: past the class's own __new__, which takes one argument a field. */
    PyObject *record = type ? type->tp_alloc(type, n) : PyTuple_New(n);
#else
    PyObject *record = PyTuple_New(n); /* from 3.14 on an instance holds more than its items */
#endif
    for (Py_ssize_t i = 0; i < n; i++) {
        if (record) {
            PyTuple_SET_ITEM(record, i, items[i]);
        } else {
            Py_DECREF(items[i]);
        }
    }
#if PY_VERSION_HEX >= 0x030E0000
    if (record && type) {
        PyObject *args = PyTuple_Pack(1, record);
        Py_DECREF(record);
        record = args ? PyTuple_Type.tp_new(type, args, NULL) : NULL;
        Py_XDECREF(args);
    }
#endif
    return record;
}

/* ---- running a kernel ---- */

static PyObject *new_array(int nd, npy_intp *dims) {
    npy_intp bytes = PyArray_MultiplyList(dims, nd) * (npy_intp)sizeof(double);
    PyObject *usual = NULL;
    if (bytes >= FC_ROOM_FROM && bytes <= FC_ROOM_TO) {
        usual = PyDataMem_GetHandler();
        if (!usual) {
            return NULL;
        }
        PyObject *replaced = usual == PyDataMem_DefaultHandler ? PyDataMem_SetHandler(room) : NULL;
        if (!replaced) {
            Py_CLEAR(usual); /* the user has a handler, which stays */
        }
        if (!replaced && PyErr_Occurred()) {
            return NULL;
        }
        Py_XDECREF(replaced);
    }
    Py_INCREF(double_descr);
    PyObject *made = PyArray_NewFromDescr(&PyArray_Type, double_descr, nd, dims, NULL, NULL, 0, NULL);
    if (usual) {
        PyObject *error = fc_take_exception(); /* a MemoryError outlives the way back */
        PyObject *replaced = PyDataMem_SetHandler(usual);
        Py_DECREF(usual);
        if (!replaced) {
            Py_CLEAR(made);
            Py_XDECREF(error);
            return NULL;
        }
        Py_DECREF(replaced);
        fc_raise_exception(error);
    }
    return made;
}

/* Outputs of one shape, each with its own memory, so that a reference to one does not keep the others alive. -1 with an
 * exception set on failure; all of them are then freed. */
static int new_outputs(int n_out, int nd, npy_intp *dims, PyObject **out) {
    for (int j = 0; j < n_out; j++) {
        out[j] = new_array(nd, dims);
        if (!out[j]) {
            while (j--) {
                Py_DECREF(out[j]);
            }
            return -1;
        }
    }
    return 0;
}

/* Runs a kernel into new arrays out[0..n_out); -1 with an exception set, and none of them left, on failure. */
static int run(const fc_kernel *kernel, const double *par, PyArrayObject *const *arrays, int threads, PyObject **out) {
    const double *in[FC_MAX_IN];
    double *to[FC_MAX_OUT];
    int nd = PyArray_NDIM(arrays[0]), failed = 0;
    npy_intp *dims = PyArray_DIMS(arrays[0]), size = PyArray_SIZE(arrays[0]);
    ptrdiff_t bars = dims[nd - 1], rows = nd == 2 ? dims[0] : 1;
    if (new_outputs(kernel->n_out, nd, dims, out)) {
        return -1;
    }
    for (int j = 0; j < kernel->n_in; j++) {
        in[j] = PyArray_DATA(arrays[j]);
    }
    for (int j = 0; j < kernel->n_out; j++) {
        to[j] = PyArray_DATA((PyArrayObject *)out[j]);
    }
    if (size > RELEASE_ABOVE) {
        Py_BEGIN_ALLOW_THREADS
        failed = fc_panel(kernel, par, in, to, rows, bars, threads);
        Py_END_ALLOW_THREADS
    } else {
        failed = fc_panel(kernel, par, in, to, rows, bars, threads);
    }
    if (failed) {
        for (int j = 0; j < kernel->n_out; j++) {
            Py_DECREF(out[j]);
        }
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static int same_shape(PyArrayObject *a, PyArrayObject *b) {
    return PyArray_NDIM(a) == PyArray_NDIM(b) &&
           PyArray_CompareLists(PyArray_DIMS(a), PyArray_DIMS(b), PyArray_NDIM(a));
}

/* The arrays of a sequence into `into`, borrowed from the tuple or list; -1 with an exception set. */
static int take_arrays(const fc_kernel *kernel, PyObject *fast, PyArrayObject **into) {
    if (PySequence_Fast_GET_SIZE(fast) != kernel->n_in) {
        PyErr_Format(PyExc_TypeError, "%s: expected %d arrays, got %zd", kernel->name, kernel->n_in,
                     PySequence_Fast_GET_SIZE(fast));
        return -1;
    }
    for (int j = 0; j < kernel->n_in; j++) {
        PyObject *item = PySequence_Fast_GET_ITEM(fast, j);
        if (!fc_is_plain(item)) {
            PyErr_Format(PyExc_TypeError,
                         "%s: array %d: expected a C-contiguous, aligned ndarray of native float64, got %s",
                         kernel->name, j, fc_type_name(item));
            return -1;
        }
        into[j] = (PyArrayObject *)item;
        if (PyArray_NDIM(into[j]) < 1 || PyArray_NDIM(into[j]) > 2 || !same_shape(into[0], into[j])) {
            PyErr_Format(PyExc_ValueError, "%s: expected 1-D or 2-D arrays of one shape", kernel->name);
            return -1;
        }
    }
    return 0;
}

PyObject *fc_compute(const fc_kernel *kernel, const double *par, PyObject *arrays, int threads) {
    PyArrayObject *in[FC_MAX_IN];
    PyObject *out[FC_MAX_OUT], *result = NULL;
    PyObject *fast = FC_GUARDED(PySequence_Tuple(arrays)); /* a tuple: it cannot be shortened meanwhile */
    if (!fast) {
        return NULL;
    }
    if (!take_arrays(kernel, fast, in) && !run(kernel, par, in, threads, out)) {
        result = fc_record(NULL, out, kernel->n_out);
    }
    Py_DECREF(fast);
    return result;
}

/* ---- the call ---- */

static int par_from(PyObject *object, char kind, double *value) {
    if (PyLong_CheckExact(object)) {
        int overflow;
        long v = PyLong_AsLongAndOverflow(object, &overflow);
        *value = (double)v;
        return !overflow;
    }
    if (kind == 'f' && PyFloat_CheckExact(object)) {
        *value = PyFloat_AS_DOUBLE(object);
        return 1;
    }
    return 0;
}

static PyObject *finished(Function *f, PyObject **out, PyObject *finish) {
    int n = f->kernel->n_out;
    if (finish == Py_None) {
        return n == 1 ? out[0] : fc_record(f->result_type, out, n);
    }
    PyObject *outputs = fc_record(NULL, out, n);
    if (!outputs) {
        return NULL;
    }
    PyObject *result = FC_GUARDED(PyObject_CallOneArg(finish, outputs));
    Py_DECREF(outputs);
    return result;
}

/* Runs on what bind(args, kwargs) made of the call: (arrays, params, finish). */
static PyObject *run_bound(Function *f, PyObject *bound) {
    PyArrayObject *in[FC_MAX_IN];
    PyObject *out[FC_MAX_OUT];
    double par[FC_MAX_PAR] = {0};
    if (!PyTuple_Check(bound) || PyTuple_GET_SIZE(bound) != 3 || !PyTuple_Check(PyTuple_GET_ITEM(bound, 0)) ||
        !PyTuple_Check(PyTuple_GET_ITEM(bound, 1))) {
        FC_RAISE(PyExc_TypeError, "%U: bind: expected (arrays, params, finish) with %d arrays and %d params, got %R",
                 f->name, f->n_in, f->n_par, bound);
        return NULL;
    }
    PyObject *params = fc_take_params(f->kernel, PyTuple_GET_ITEM(bound, 1), par);
    if (!params) {
        return NULL;
    }
    Py_DECREF(params);
    if (take_arrays(f->kernel, PyTuple_GET_ITEM(bound, 0), in) || run(f->kernel, par, in, 0, out)) {
        return NULL;
    }
    return finished(f, out, PyTuple_GET_ITEM(bound, 2));
}

static PyObject *call_bound(Function *f, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    PyObject *result = NULL, *kwargs = PyDict_New(), *positional = PyTuple_New(n), *bind = f->bind;
    if (!kwargs || !positional) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyTuple_SET_ITEM(positional, i, Py_NewRef(args[i]));
    }
    for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); i++) {
        if (PyDict_SetItem(kwargs, PyTuple_GET_ITEM(kwnames, i), args[n + i]) < 0) {
            goto done;
        }
    }
    if (!bind) {
        PyErr_Format(PyExc_RuntimeError, "%U: called after it was torn down", f->name);
        goto done;
    }
    Py_INCREF(bind); /* while it runs, the function itself may go */
    Py_INCREF(f);
    PyObject *bound = FC_GUARDED(PyObject_CallFunctionObjArgs(bind, positional, kwargs, NULL));
    if (bound) {
        result = run_bound(f, bound);
    }
    Py_XDECREF(bound);
    Py_DECREF(f);
    Py_DECREF(bind);
done:
    Py_XDECREF(kwargs);
    Py_XDECREF(positional);
    return result;
}

static PyObject *function_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    Function *f = (Function *)self;
    Py_ssize_t n = PyVectorcall_NARGS(nargsf);
    PyObject *slot[MAX_SLOTS] = {NULL}, *out[FC_MAX_OUT];
    PyArrayObject *in[FC_MAX_IN];
    double par[FC_MAX_PAR];
    int n_slots = f->n_in + f->n_par;
    if (n > n_slots) {
        goto bind;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        slot[i] = args[i];
    }
    if (kwnames) {
        Py_ssize_t named = PyTuple_GET_SIZE(kwnames);
        for (Py_ssize_t i = 0; i < named; i++) {
            PyObject *key = PyTuple_GET_ITEM(kwnames, i);
            int at = 0;
            while (at < n_slots && PyTuple_GET_ITEM(f->slots, at) != key) {
                at++;
            }
            if (at == n_slots || slot[at]) {
                goto bind;
            }
            slot[at] = args[n + i];
        }
    }
    for (int j = 0; j < f->n_in; j++) {
        if (!slot[j] || !fc_is_plain(slot[j])) {
            goto bind;
        }
        in[j] = (PyArrayObject *)slot[j];
        int nd = PyArray_NDIM(in[j]);
        if (nd < 1 || nd > 2 || (j && !same_shape(in[0], in[j]))) {
            goto bind;
        }
    }
    for (int j = 0; j < f->n_par; j++) {
        PyObject *given = slot[f->n_in + j];
        if (!given) {
            par[j] = f->preset[j];
        } else if (!par_from(given, f->kernel->par[j], par + j) || !(par[j] >= f->lo[j] && par[j] <= f->hi[j])) {
            goto bind;
        }
    }
    if (fc_par_bad(f->kernel, par) >= 0) {
        goto bind;
    }
    if (run(f->kernel, par, in, 0, out)) {
        return NULL;
    }
    return finished(f, out, Py_None);
bind:
    return call_bound(f, args, n, kwnames);
}

/* ---- the type ---- */

static int function_traverse(Function *f, visitproc visit, void *arg) {
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
    import_array1(-1);
    double_descr = PyArray_DescrFromType(NPY_DOUBLE);
    if (fc_room_ready()) {
        return -1;
    }
    if (!room && !(room = PyCapsule_New(&fc_room, "mem_handler", NULL))) {
        return -1;
    }
    return PyType_Ready(&Function_Type);
}

/* Reads (name, kind, default, lo, hi) into parameter j; -1 with an exception set. */
static int take_param(Function *f, PyObject *param, int j, PyObject **name) {
    const char *kind;
    if (!PyTuple_Check(param) || !PyArg_ParseTuple(param, "Usddd", name, &kind, f->preset + j, f->lo + j, f->hi + j)) {
        if (!PyErr_Occurred()) {
            FC_RAISE(PyExc_TypeError, "params: expected (name, kind, default, lo, hi), got %R", param);
        }
        return -1;
    }
    const char *wanted = f->kernel->par[j] == 'p' ? "int" : f->kernel->par[j] == 'm' ? "matype" : "float";
    if (strcmp(kind, wanted) != 0) {
        PyErr_Format(PyExc_ValueError, "params: %U: the kernel takes kind %s, got %s", *name, wanted, kind);
        return -1;
    }
    return 0;
}

PyObject *fc_function_new(const fc_kernel *kernel, PyObject *name, PyObject *inputs, PyObject *params,
                          PyObject *result_type, PyObject *bind) {
    int n_in = kernel->n_in, n_par = fc_par_count(kernel);
    if (!PyTuple_Check(inputs) || PyTuple_GET_SIZE(inputs) != n_in || !PyTuple_Check(params) ||
        PyTuple_GET_SIZE(params) != n_par) {
        return FC_GUARDED(PyErr_Format(PyExc_ValueError, "%U: the kernel has %d inputs and %d params, got %R and %R",
                                       name, n_in, n_par, inputs, params));
    }
    if (fc_record_check(result_type)) {
        return NULL;
    }
    if (!PyCallable_Check(bind)) {
        return FC_GUARDED(PyErr_Format(PyExc_TypeError, "bind: expected a callable, got %R", bind));
    }
    Function *f = PyObject_GC_New(Function, &Function_Type);
    if (!f) {
        return NULL;
    }
    f->vectorcall = function_call;
    f->kernel = kernel;
    f->name = Py_NewRef(name);
    f->result_type = result_type == Py_None ? NULL : (PyTypeObject *)Py_NewRef(result_type);
    f->bind = Py_NewRef(bind);
    f->dict = f->weakrefs = NULL;
    f->n_in = n_in;
    f->n_par = n_par;
    f->slots = PyTuple_New(n_in + n_par);
    if (!f->slots) {
        goto failed;
    }
    for (int j = 0; j < n_in + n_par; j++) {
        PyObject *slot = j < n_in ? PyTuple_GET_ITEM(inputs, j) : NULL;
        if (j >= n_in && take_param(f, PyTuple_GET_ITEM(params, j - n_in), j - n_in, &slot)) {
            goto failed;
        }
        if (!PyUnicode_CheckExact(slot)) {
            FC_RAISE(PyExc_TypeError, "inputs: expected names, got %R", slot);
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
