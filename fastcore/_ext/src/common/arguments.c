#include "common/arguments.h"

#include <string.h>

const char *type_name(PyObject *object) {
    const char *name = Py_TYPE(object)->tp_name, *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

int signatures_ready(Signature **signatures, size_t count) {
    for (size_t at = 0; at < count; at++)
        for (int i = 0; i < signatures[at]->total; i++) {
            PyObject **interned = &signatures[at]->interned[i];
            if (!*interned && !(*interned = PyUnicode_InternFromString(signatures[at]->names[i])))
                return -1;
        }
    return 0;
}

static int index_of(const Signature *signature, PyObject *name) {
    for (int i = 0; i < signature->total; i++)
        if (signature->interned[i] == name)
            return i;
    for (int i = 0; i < signature->total; i++)
        if (PyUnicode_CompareWithASCIIString(name, signature->names[i]) == 0)
            return i;
    return -1;
}

static int take_keyword(const Signature *signature, PyObject *name, PyObject *value, PyObject **out) {
    int at = index_of(signature, name);
    if (at < 0) {
        PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", signature->function, name);
        return -1;
    }
    if (out[at]) {
        PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", signature->function, name);
        return -1;
    }
    out[at] = value;
    return 0;
}

/* The counts in Python's message include self. */
static int too_many(const Signature *signature, Py_ssize_t nargs, PyObject *const *out) {
    int most = signature->positional + 1, least = signature->required + 1, named = 0;
    for (int i = signature->positional; i < signature->total; i++)
        named += out[i] != NULL;
    PyObject *takes = least < most ? PyUnicode_FromFormat("from %d to %d", least, most) : PyUnicode_FromFormat("%d", most);
    PyObject *also = !named ? PyUnicode_FromString("")
                            : PyUnicode_FromFormat(" positional arguments (and %d keyword-only argument%s)", named,
                                                   named == 1 ? "" : "s");
    if (takes && also)
        PyErr_Format(PyExc_TypeError, "%s() takes %U positional argument%s but %zd%U were given", signature->function,
                     takes, most == 1 ? "" : "s", nargs + 1, also);
    Py_XDECREF(takes);
    Py_XDECREF(also);
    return -1;
}

static int check_required(const Signature *signature, PyObject *const *out) {
    for (int i = 0; i < signature->required; i++)
        if (!out[i]) {
            int missing = 0;
            for (int j = i; j < signature->required; j++)
                missing += !out[j];
            if (missing == 1)
                PyErr_Format(PyExc_TypeError, "%s() missing 1 required positional argument: '%s'", signature->function,
                             signature->names[i]);
            else
                PyErr_Format(PyExc_TypeError, "%s() missing %d required positional arguments: '%s' and '%s'",
                             signature->function, missing, signature->names[i], signature->names[i + 1]);
            return -1;
        }
    return 0;
}

static void take_positional(const Signature *signature, PyObject *const *args, Py_ssize_t nargs, PyObject **out) {
    for (int i = 0; i < signature->total; i++)
        out[i] = i < nargs && i < signature->positional ? args[i] : NULL;
}

static int check_counts(const Signature *signature, Py_ssize_t nargs, PyObject *const *out) {
    return nargs > signature->positional ? too_many(signature, nargs, out) : check_required(signature, out);
}

int arguments_parse(Signature *signature, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, PyObject **out) {
    take_positional(signature, args, nargs, out);
    if (kwnames)
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); i++)
            if (take_keyword(signature, PyTuple_GET_ITEM(kwnames, i), args[nargs + i], out) < 0)
                return -1;
    return check_counts(signature, nargs, out);
}

PyObject *arguments_one(Signature *signature, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *out[MOST_ARGUMENTS];
    if (nargs == 1 && !kwnames)
        return args[0];
    return arguments_parse(signature, args, nargs, kwnames, out) < 0 ? NULL : out[0];
}

int arguments_from_tuple(Signature *signature, PyObject *args, PyObject *kwargs, PyObject **out) {
    Py_ssize_t nargs = PyTuple_GET_SIZE(args), at = 0;
    PyObject *name, *value;
    take_positional(signature, nargs ? &PyTuple_GET_ITEM(args, 0) : NULL, nargs, out);
    while (kwargs && PyDict_Next(kwargs, &at, &name, &value))
        if (take_keyword(signature, name, value, out) < 0)
            return -1;
    return check_counts(signature, nargs, out);
}
