#define PY_SSIZE_T_CLEAN
#include "indicators/program_object.h"

#include "common/errors.h"
#include "common/imports.h"
#include "common/stack.h"

#define HOLDER "fastcore.indicators.program"
#define MOST_KEPT 4096

static fc_import traced = {"python_fallback.shared.indicators", "program_of", NULL};
static fc_import inputs_of = {"python_fallback.shared.indicators", "inputs_of", NULL};
static PyObject *kept; /* (source, params, whether a kernel may do it) -> holder, of the instruction set in use */

static void free_holder(PyObject *holder) { fc_program_free(PyCapsule_GetPointer(holder, HOLDER)); }

static PyObject *hold(fc_program *p) {
    if (!p) {
        return PyErr_NoMemory();
    }
    PyObject *holder = PyCapsule_New(p, HOLDER, free_holder);
    if (!holder) {
        fc_program_free(p);
    }
    return holder;
}

const fc_program *fc_program_in(PyObject *holder) { return PyCapsule_GetPointer(holder, HOLDER); }

const fc_kernel *fc_kernel_of(const fc_isa *isa, PyObject *source) {
    const char *text = PyUnicode_Check(source) ? PyUnicode_AsUTF8(source) : NULL;
    if (!text) {
        PyErr_Clear(); /* a name that is no text is no kernel's */
    }
    return text ? fc_kernel_named(isa, text) : NULL;
}

Py_ssize_t fc_inputs_of(PyObject *source) {
    PyObject *function = fc_get(&inputs_of);
    PyObject *count = function ? FC_GUARDED(PyObject_CallOneArg(function, source)) : NULL;
    Py_ssize_t n = count ? PyLong_AsSsize_t(count) : -1;
    Py_XDECREF(count);
    return n;
}

PyObject *fc_floats(PyObject *params) {
    PyObject *given = FC_GUARDED(PySequence_Tuple(params)), *taken = NULL;
    if (!given) {
        return NULL;
    }
    Py_ssize_t n = PyTuple_GET_SIZE(given);
    taken = PyTuple_New(n);
    for (Py_ssize_t j = 0; taken && j < n; j++) {
        double value = FC_GUARDED_INT(PyFloat_AsDouble(PyTuple_GET_ITEM(given, j)));
        PyObject *item = value == -1.0 && PyErr_Occurred() ? NULL : PyFloat_FromDouble(value);
        if (item) {
            PyTuple_SET_ITEM(taken, j, item);
        } else {
            Py_CLEAR(taken);
        }
    }
    Py_DECREF(given);
    return taken;
}

/* ---- a program of what tracing gave: (inputs, ((operator, inputs, params), ...), outputs) ---- */

static int refuse(const char *what) {
    PyErr_Format(PyExc_ValueError, "program: %s", what);
    return -1;
}

/* A tuple of `n` items at most; -1 with an exception set. */
static Py_ssize_t count_in(PyObject *object, Py_ssize_t most, const char *what) {
    if (!PyTuple_Check(object) || PyTuple_GET_SIZE(object) > most) {
        PyErr_Format(PyExc_ValueError, "program: expected a tuple of %zd %s at most", most, what);
        return -1;
    }
    return PyTuple_GET_SIZE(object);
}

static int place_in(PyObject *object, Py_ssize_t below) {
    Py_ssize_t place = PyLong_Check(object) ? PyLong_AsSsize_t(object) : -1;
    if (place < 0 || place >= below) {
        PyErr_Clear();
        return refuse("expected the number of an earlier value");
    }
    return (int)place;
}

static int take_node(const fc_isa *isa, fc_program *p, int k, PyObject *node) {
    fc_node *made = p->nodes + k;
    if (!PyTuple_Check(node) || PyTuple_GET_SIZE(node) != 3 || !PyUnicode_Check(PyTuple_GET_ITEM(node, 0))) {
        return refuse("expected nodes (operator, inputs, params)");
    }
    const char *name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(node, 0));
    if (!name) {
        return -1;
    }
    PyObject *inputs = PyTuple_GET_ITEM(node, 1), *params = PyTuple_GET_ITEM(node, 2);
    made->op = fc_operator_named(isa, name);
    if (!made->op || !PyTuple_Check(inputs) || PyTuple_GET_SIZE(inputs) != made->op->n_in || !PyTuple_Check(params) ||
        PyTuple_GET_SIZE(params) != (Py_ssize_t)strlen(made->op->par)) {
        fc_raise(PyExc_ValueError, "program: expected an operator with its inputs and parameters, got %R", node);
        return -1;
    }
    for (int j = 0; j < made->op->n_in; j++) {
        made->in[j] = place_in(PyTuple_GET_ITEM(inputs, j), p->n_in + k);
        if (made->in[j] < 0) {
            return -1;
        }
    }
    for (int j = 0; made->op->par[j]; j++) {
        PyObject *given = PyTuple_GET_ITEM(params, j);
        made->par[j] = PyFloat_Check(given) ? PyFloat_AS_DOUBLE(given) : -1.0;
        if (!PyFloat_Check(given) || !fc_operator_takes(made->op->par[j], made->par[j])) {
            fc_raise(PyExc_ValueError, "program: %s cannot run with %R", made->op->name, given);
            return -1;
        }
    }
    return 0;
}

static int take_outputs(fc_program *p, PyObject *outputs) {
    for (int j = 0; j < p->n_out; j++) {
        p->outputs[j] = place_in(PyTuple_GET_ITEM(outputs, j), p->n_values);
        if (p->outputs[j] < 0) {
            return -1;
        }
        for (int i = 0; i < j; i++) {
            if (p->outputs[i] == p->outputs[j]) {
                return refuse("expected outputs that differ");
            }
        }
        if (p->outputs[j] < p->n_in) {
            return refuse("expected outputs that are not inputs");
        }
    }
    return 0;
}

static PyObject *build(const fc_isa *isa, PyObject *source, PyObject *traced_program) {
    if (!PyTuple_Check(traced_program) || PyTuple_GET_SIZE(traced_program) != 3) {
        refuse("expected (inputs, nodes, outputs)");
        return NULL;
    }
    PyObject *nodes = PyTuple_GET_ITEM(traced_program, 1), *outputs = PyTuple_GET_ITEM(traced_program, 2);
    int n_in = place_in(PyTuple_GET_ITEM(traced_program, 0), FC_MAX_IN + 1);
    if (n_in <= 0) {
        if (n_in == 0) {
            refuse("expected an input");
        }
        return NULL;
    }
    Py_ssize_t n_nodes = count_in(nodes, FC_MAX_NODES, "nodes"), n_out = count_in(outputs, FC_MAX_OUT, "outputs");
    if (n_nodes < 0 || n_out < 0 || (n_out == 0 && refuse("expected an output"))) {
        return NULL;
    }
    const char *name = PyUnicode_Check(source) ? PyUnicode_AsUTF8(source) : "program";
    if (!name) {
        return NULL;
    }
    fc_program *p = fc_program_new(name, n_in, (int)n_nodes, (int)n_out);
    if (!p) {
        return PyErr_NoMemory();
    }
    for (int k = 0; k < (int)n_nodes; k++) {
        if (take_node(isa, p, k, PyTuple_GET_ITEM(nodes, k))) {
            fc_program_free(p);
            return NULL;
        }
    }
    if (take_outputs(p, outputs)) {
        fc_program_free(p);
        return NULL;
    }
    if (fc_program_finish(p)) {
        fc_program_free(p);
        return PyErr_NoMemory();
    }
    return hold(p);
}

/* ---- the program of an indicator ---- */

PyObject *fc_program_with(const fc_kernel *kernel, const double *par) {
    return hold(fc_program_of_kernel(kernel, par));
}

/* With a kernel's parameters: 1 if it takes them, 0 if operators are to, for a moving average that it does not know. */
static int kernel_takes(const fc_kernel *kernel, PyObject *floats, double *par) {
    int count = fc_par_count(kernel);
    if (PyTuple_GET_SIZE(floats) != count) {
        fc_raise(PyExc_ValueError, "params: expected %d numbers for %s, got %R", count, kernel->name, floats);
        return -1;
    }
    for (int j = 0; j < count; j++) {
        par[j] = PyFloat_AS_DOUBLE(PyTuple_GET_ITEM(floats, j));
    }
    int bad = fc_par_bad(kernel, par);
    if (bad < 0) {
        return 1;
    }
    if (kernel->par[bad] == 'm') {
        return 0;
    }
    fc_raise(PyExc_ValueError, "params: %s cannot run with %R at %d", kernel->name, PyTuple_GET_ITEM(floats, bad), bad);
    return -1;
}

static PyObject *trace(PyObject *source, PyObject *floats) {
    PyObject *function = fc_get(&traced);
    return function ? FC_GUARDED(PyObject_CallFunctionObjArgs(function, source, floats, NULL)) : NULL;
}

static PyObject *make(const fc_isa *isa, PyObject *source, PyObject *floats, int by_kernel) {
    double par[FC_MAX_PAR] = {0};
    const fc_kernel *kernel = fc_kernel_of(isa, source);
    int takes = kernel ? kernel_takes(kernel, floats, par) : 0;
    if (takes < 0) {
        return NULL;
    }
    if (takes && by_kernel) {
        return fc_program_with(kernel, par);
    }
    PyObject *program = trace(source, floats), *holder = program ? build(isa, source, program) : NULL;
    Py_XDECREF(program);
    return holder;
}

static PyObject *program_of(const fc_isa *isa, PyObject *source, PyObject *params, int by_kernel) {
    PyObject *holder = NULL, *key = NULL, *floats = fc_floats(params);
    if (!floats) {
        return NULL;
    }
    source = PyCallable_Check(source) ? trace(source, floats) : Py_NewRef(source); /* keeps no function of the user's */
    if (!source) {
        Py_DECREF(floats);
        return NULL;
    }
    if (isa == fc_isa_used() && (kept || (kept = PyDict_New())) &&
        (key = PyTuple_Pack(3, source, floats, by_kernel ? Py_True : Py_False))) {
        holder = FC_GUARDED(PyDict_GetItemWithError(kept, key));
        Py_XINCREF(holder);
    }
    if (!holder && !PyErr_Occurred() && (holder = make(isa, source, floats, by_kernel)) && key) {
        if (PyDict_GET_SIZE(kept) >= MOST_KEPT) {
            PyDict_Clear(kept);
        }
        if (PyDict_SetItem(kept, key, holder) < 0) {
            Py_CLEAR(holder);
        }
    }
    Py_XDECREF(key);
    Py_DECREF(floats);
    Py_DECREF(source);
    return holder;
}

PyObject *fc_program_of(const fc_isa *isa, PyObject *source, PyObject *params) {
    return program_of(isa, source, params, 1);
}

PyObject *fc_operators_of(PyObject *source, PyObject *params) { return program_of(fc_isa_used(), source, params, 0); }
