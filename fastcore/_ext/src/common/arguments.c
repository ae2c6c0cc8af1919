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
static int too_many(const Signature *signature, Py_ssize_t nargs) {
    int most = signature->positional + 1, least = signature->required + 1;
    if (least < most)
        PyErr_Format(PyExc_TypeError, "%s() takes from %d to %d positional arguments but %zd were given",
                     signature->function, least, most, nargs + 1);
    else
        PyErr_Format(PyExc_TypeError, "%s() takes %d positional argument%s but %zd were given", signature->function,
                     most, most == 1 ? "" : "s", nargs + 1);
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

int arguments_parse(Signature *signature, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, PyObject **out) {
    Py_ssize_t i;
    if (nargs > signature->positional)
        return too_many(signature, nargs);
    for (i = 0; i < nargs; i++)
        out[i] = args[i];
    for (; i < signature->total; i++)
        out[i] = NULL;
    if (kwnames)
        for (i = 0; i < PyTuple_GET_SIZE(kwnames); i++)
            if (take_keyword(signature, PyTuple_GET_ITEM(kwnames, i), args[nargs + i], out) < 0)
                return -1;
    return check_required(signature, out);
}

int arguments_from_tuple(Signature *signature, PyObject *args, PyObject *kwargs, PyObject **out) {
    Py_ssize_t nargs = PyTuple_GET_SIZE(args), at = 0;
    PyObject *name, *value;
    if (arguments_parse(signature, nargs ? &PyTuple_GET_ITEM(args, 0) : NULL, nargs, NULL, out) < 0)
        return -1;
    while (kwargs && PyDict_Next(kwargs, &at, &name, &value))
        if (take_keyword(signature, name, value, out) < 0)
            return -1;
    return 0;
}
