#define PY_SSIZE_T_CLEAN
#define NPY_TARGET_VERSION NPY_1_22_API_VERSION /* memory handlers */
#include "indicators/function.h"

#include <string.h>

#include <numpy/arrayobject.h>

#include "common/errors.h"
#include "common/stack.h"
#include "indicators/batch.h"
#include "indicators/function_object.h"
#include "indicators/result_pool.h"

#define MAX_SLOTS (FC_MAX_IN + FC_MAX_PAR)
#define RELEASE_ABOVE 4096 /* bars; below, handing over the GIL costs more than the work */

static PyArray_Descr *double_descr;
static PyObject *room;    /* fc_room, as numpy wants it */
static PyObject *out_name; /* "out", interned */

int fc_is_plain(PyObject *object) {
    if (Py_TYPE(object) != &PyArray_Type) {
        return 0;
    }
    PyArrayObject *array = (PyArrayObject *)object;
    return PyArray_TYPE(array) == NPY_DOUBLE && PyArray_ISCARRAY_RO(array);
}

/* ---- results ---- */

int fc_record_check(PyObject *type) {
    if (type == Py_None) {
        return 0;
    }
    if (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, &PyTuple_Type) ||
        ((PyTypeObject *)type)->tp_itemsize != PyTuple_Type.tp_itemsize) {
        fc_raise(PyExc_TypeError, "result_type: expected a named tuple class or None, got %R", type);
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

/* ---- running a program ---- */

PyObject *fc_new_array(int nd, Py_ssize_t *dims) {
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
        out[j] = fc_new_array(nd, dims);
        if (!out[j]) {
            while (j--) {
                Py_DECREF(out[j]);
            }
            return -1;
        }
    }
    return 0;
}

/* Runs a program into out[0..n_out): the caller's `own` arrays, or new ones where that is NULL. -1 with an exception
 * set, and none of them held, on failure. */
static int run(const fc_program *program, PyArrayObject *const *arrays, int threads, PyObject *const *own,
               PyObject **out) {
    const double *in[FC_MAX_IN];
    double *to[FC_MAX_OUT];
    int nd = PyArray_NDIM(arrays[0]), failed = 0;
    npy_intp *dims = PyArray_DIMS(arrays[0]), size = PyArray_SIZE(arrays[0]);
    ptrdiff_t bars = dims[nd - 1], rows = nd == 2 ? dims[0] : 1;
    if (!own && new_outputs(program->n_out, nd, dims, out)) {
        return -1;
    }
    for (int j = 0; own && j < program->n_out; j++) {
        out[j] = Py_NewRef(own[j]);
    }
    for (int j = 0; j < program->n_in; j++) {
        in[j] = PyArray_DATA(arrays[j]);
    }
    for (int j = 0; j < program->n_out; j++) {
        to[j] = PyArray_DATA((PyArrayObject *)out[j]);
    }
    if (size > RELEASE_ABOVE) {
        Py_BEGIN_ALLOW_THREADS
        failed = fc_panel(program, in, to, rows, bars, threads);
        Py_END_ALLOW_THREADS
    } else {
        failed = fc_panel(program, in, to, rows, bars, threads);
    }
    if (failed) {
        for (int j = 0; j < program->n_out; j++) {
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

int fc_is_own(PyObject *object, PyObject *like) {
    return fc_is_plain(object) && PyArray_ISWRITEABLE((PyArrayObject *)object) &&
           same_shape((PyArrayObject *)object, (PyArrayObject *)like);
}

/* Do two arrays of one size share memory? */
static int overlap(PyObject *a, PyObject *b) {
    uintptr_t from = (uintptr_t)PyArray_DATA((PyArrayObject *)a), to = (uintptr_t)PyArray_DATA((PyArrayObject *)b);
    return (from < to ? to - from : from - to) < (uintptr_t)PyArray_NBYTES((PyArrayObject *)a);
}

/* The arrays that `given` has for n outputs, borrowed: an array, or a tuple of them where there are several. 0 where
 * Python is to look at it. */
static int take_own(PyObject *given, int n, PyArrayObject *const *in, int n_in, PyObject **own) {
    if (n > 1 && (!PyTuple_Check(given) || PyTuple_GET_SIZE(given) != n)) {
        return 0;
    }
    for (int j = 0; j < n; j++) {
        own[j] = n > 1 ? PyTuple_GET_ITEM(given, j) : given;
        if (!fc_is_own(own[j], (PyObject *)in[0])) {
            return 0;
        }
        for (int i = 0; i < n_in; i++) {
            if (overlap(own[j], (PyObject *)in[i])) {
                return 0;
            }
        }
        for (int i = 0; i < j; i++) {
            if (overlap(own[j], own[i])) {
                return 0;
            }
        }
    }
    return 1;
}

/* The arrays of a sequence into `into`, borrowed from the tuple or list; -1 with an exception set. */
static int take_arrays(const fc_program *program, PyObject *fast, PyArrayObject **into) {
    if (PySequence_Fast_GET_SIZE(fast) != program->n_in) {
        PyErr_Format(PyExc_TypeError, "%s: expected %d arrays, got %zd", program->name, program->n_in,
                     PySequence_Fast_GET_SIZE(fast));
        return -1;
    }
    for (int j = 0; j < program->n_in; j++) {
        PyObject *item = PySequence_Fast_GET_ITEM(fast, j);
        if (!fc_is_plain(item)) {
            PyErr_Format(PyExc_TypeError,
                         "%s: array %d: expected a C-contiguous, aligned ndarray of native float64, got %s",
                         program->name, j, fc_type_name(item));
            return -1;
        }
        into[j] = (PyArrayObject *)item;
        if (PyArray_NDIM(into[j]) < 1 || PyArray_NDIM(into[j]) > 2 || !same_shape(into[0], into[j])) {
            PyErr_Format(PyExc_ValueError, "%s: expected 1-D or 2-D arrays of one shape", program->name);
            return -1;
        }
    }
    return 0;
}

PyObject *fc_compute(PyObject *holder, PyObject *arrays, int threads) {
    const fc_program *program = fc_program_in(holder);
    PyArrayObject *in[FC_MAX_IN];
    PyObject *out[FC_MAX_OUT], *result = NULL;
    PyObject *fast = FC_GUARDED(PySequence_Tuple(arrays)); /* a tuple: it cannot be shortened meanwhile */
    if (!fast) {
        return NULL;
    }
    if (!take_arrays(program, fast, in) && !run(program, in, threads, NULL, out)) {
        result = fc_record(NULL, out, program->n_out);
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

static PyObject *finished(Function *f, PyObject **out, int n, PyObject *finish) {
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

/* Runs on what bind(args, kwargs) made of the call: (arrays, params, finish), and maybe the arrays for the outputs. */
static PyObject *run_bound(Function *f, PyObject *bound) {
    PyArrayObject *in[FC_MAX_IN];
    PyObject *out[FC_MAX_OUT], *own[FC_MAX_OUT], *given = NULL;
    if (!PyTuple_Check(bound) || PyTuple_GET_SIZE(bound) < 3 || PyTuple_GET_SIZE(bound) > 4 ||
        !PyTuple_Check(PyTuple_GET_ITEM(bound, 0)) || !PyTuple_Check(PyTuple_GET_ITEM(bound, 1))) {
        fc_raise(PyExc_TypeError, "%U: bind: expected (arrays, params, finish) with %d arrays and %d params, got %R",
                 f->name, f->n_in, f->n_par, bound);
        return NULL;
    }
    PyObject *holder = fc_program_of(fc_isa_used(), f->source, PyTuple_GET_ITEM(bound, 1)), *result = NULL;
    if (!holder) {
        return NULL;
    }
    const fc_program *program = fc_program_in(holder);
    if (PyTuple_GET_SIZE(bound) == 4 && PyTuple_GET_ITEM(bound, 3) != Py_None) {
        given = PyTuple_GET_ITEM(bound, 3);
    }
    if (take_arrays(program, PyTuple_GET_ITEM(bound, 0), in)) {
        Py_DECREF(holder);
        return NULL;
    }
    if (given && PyTuple_Check(given) && PyTuple_GET_SIZE(given) == 1 && program->n_out == 1) {
        given = PyTuple_GET_ITEM(given, 0);
    }
    if (given && !take_own(given, program->n_out, in, program->n_in, own)) {
        fc_raise(PyExc_TypeError, "%U: bind: expected %d arrays of their own for the outputs, got %R", f->name,
                 program->n_out, given);
    } else if (!run(program, in, 0, given ? own : NULL, out)) {
        result = finished(f, out, program->n_out, PyTuple_GET_ITEM(bound, 2));
    }
    Py_DECREF(holder);
    return result;
}

/* Which of the programs at hand is that of `par`, or is to be replaced by it. */
static ready *place_of(Function *f, const double *par) {
    uint64_t bits, hash = 0;
    for (int j = 0; j < f->n_par; j++) {
        memcpy(&bits, par + j, sizeof(bits));
        hash = (hash ^ bits) * UINT64_C(0x9E3779B97F4A7C15);
    }
    return f->programs + (hash >> 61);
}

static int is_of(const ready *place, const double *par, int n_par) {
    int same = place->holder != NULL;
    for (int j = 0; j < n_par; j++) {
        same &= !memcmp(place->par + j, par + j, sizeof(*par));
    }
    return same;
}

/* The program of parameters in their ranges, which takes the place of another: a new reference to its holder, or NULL with
 * an exception set. */
static PyObject *program_at(Function *f, const double *par, ready *place) {
    PyObject *holder = NULL;
    if (f->kernel && fc_par_bad(f->kernel, par) < 0) {
        holder = fc_program_with(f->kernel, par);
    } else {
        PyObject *params = PyTuple_New(f->n_par);
        for (int j = 0; params && j < f->n_par; j++) {
            PyObject *value = PyFloat_FromDouble(par[j]);
            if (value) {
                PyTuple_SET_ITEM(params, j, value);
            } else {
                Py_CLEAR(params);
            }
        }
        holder = params ? fc_program_of(fc_isa_used(), f->source, params) : NULL;
        Py_XDECREF(params);
    }
    const fc_program *program = holder ? fc_program_in(holder) : NULL;
    if (holder && program->n_in != f->n_in) {
        PyErr_Format(PyExc_ValueError, "%U: expected a definition of %d inputs, got one of %d", f->name, f->n_in,
                     program->n_in);
        Py_CLEAR(holder);
    }
    if (holder) {
        PyObject *replaced = place->holder;
        place->holder = Py_NewRef(holder);
        place->program = program;
        memcpy(place->par, par, (size_t)f->n_par * sizeof(double));
        Py_XDECREF(replaced);
    }
    return holder;
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

PyObject *fc_function_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    Function *f = (Function *)self;
    Py_ssize_t n = PyVectorcall_NARGS(nargsf);
    PyObject *slot[MAX_SLOTS] = {NULL}, *out[FC_MAX_OUT], *own[FC_MAX_OUT], *given = NULL;
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
            if (key == out_name) {
                given = args[n + i] == Py_None ? NULL : args[n + i];
                continue;
            }
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
        } else if (!par_from(given, f->kinds[j], par + j) || !(par[j] >= f->lo[j] && par[j] <= f->hi[j])) {
            goto bind;
        }
    }
    ready *place = place_of(f, par);
    const fc_program *program;
    PyObject *holder, *result = NULL;
    if (FC_LIKELY(is_of(place, par, f->n_par))) {
        holder = Py_NewRef(place->holder);
        program = place->program;
    } else {
        int bad = f->kernel ? fc_par_bad(f->kernel, par) : -1;
        if (bad >= 0 && f->kinds[bad] != 'm') {
            goto bind;
        }
        holder = program_at(f, par, place);
        program = holder ? fc_program_in(holder) : NULL;
    }
    if (!holder) {
        if (!PyErr_ExceptionMatches(PyExc_ValueError)) {
            return NULL;
        }
        PyErr_Clear(); /* a number of a moving average that there is not: the binder words it */
        goto bind;
    }
    if (given && !take_own(given, program->n_out, in, f->n_in, own)) {
        Py_DECREF(holder);
        goto bind;
    }
    if (!run(program, in, 0, given ? own : NULL, out)) {
        result = finished(f, out, program->n_out, Py_None);
    }
    Py_DECREF(holder);
    return result;
bind:
    return call_bound(f, args, n, kwnames);
}

int fc_arrays_ready(void) {
    import_array1(-1);
    double_descr = PyArray_DescrFromType(NPY_DOUBLE);
    if (!out_name && !(out_name = PyUnicode_InternFromString("out"))) {
        return -1;
    }
    if (fc_room_ready()) {
        return -1;
    }
    if (!room && !(room = PyCapsule_New(&fc_room, "mem_handler", NULL))) {
        return -1;
    }
    return 0;
}
