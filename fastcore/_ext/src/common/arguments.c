#include "common/arguments.h"

int fc_missing_argument(const char *function, const char *name) {
    PyErr_Format(PyExc_TypeError, "%s() missing 1 required positional argument: '%s'", function, name);
    return -1;
}

int fc_too_many_arguments(const char *function, Py_ssize_t least, Py_ssize_t most, Py_ssize_t given,
                          Py_ssize_t keyword_only) {
    char takes[80] = "", named[80] = "";
    if (least < most) {
        PyOS_snprintf(takes, sizeof takes, "from %zd to ", least);
    }
    if (keyword_only > 0) {
        PyOS_snprintf(named, sizeof named, " positional argument%s (and %zd keyword-only argument%s)",
                      given == 1 ? "" : "s", keyword_only, keyword_only == 1 ? "" : "s");
    }
    PyErr_Format(PyExc_TypeError, "%s() takes %s%zd positional argument%s but %zd%s were given", function, takes, most,
                 least == 1 && most == 1 ? "" : "s", given, named);
    return -1;
}

int fc_unexpected_keyword(const char *function, PyObject *name) {
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", function, name);
    return -1;
}

int fc_multiple_values(const char *function, PyObject *name) {
    PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", function, name);
    return -1;
}

/* Calls bring interned names, so that the first of a name is compared by its text and the next ones by address. */
static int index_of(fc_signature *signature, PyObject *name) {
    for (int i = 0; i < signature->total; i++) {
        if (signature->interned[i] == name) {
            return i;
        }
    }
    for (int i = 0; i < signature->total; i++) {
        if (fc_is_name(name, signature->names[i])) {
            if (signature->interned[i] == NULL && PyUnicode_CHECK_INTERNED(name)) {
                signature->interned[i] = Py_NewRef(name);
            }
            return i;
        }
    }
    return -1;
}

static void take_positional(const fc_signature *signature, PyObject *const *args, Py_ssize_t nargs, PyObject **out) {
    for (Py_ssize_t i = 0; i < signature->total; i++) {
        out[i] = i < nargs && i < signature->positional ? args[i] : NULL;
    }
}

static int take_keyword(fc_signature *signature, PyObject *name, PyObject *value, PyObject **out) {
    const int at = index_of(signature, name);
    if (at < 0) {
        return fc_unexpected_keyword(signature->function, name);
    }
    if (out[at] != NULL) {
        return fc_multiple_values(signature->function, name);
    }
    out[at] = value;
    return 0;
}

/* Whether as many were given as may and must be; in the interpreter's order, after the keywords. */
static int check_count(const fc_signature *signature, Py_ssize_t nargs, PyObject *const *out) {
    const char *missing[FC_MOST_ARGUMENTS];
    int count = 0;
    if (nargs > signature->positional) {
        Py_ssize_t keyword_only = 0;
        for (int i = signature->positional; i < signature->total; i++) {
            keyword_only += out[i] != NULL;
        }
        return fc_too_many_arguments(signature->function, signature->required + 1, signature->positional + 1, nargs + 1,
                                     keyword_only);
    }
    for (int i = 0; i < signature->required; i++) {
        if (out[i] == NULL) {
            missing[count++] = signature->names[i];
        }
    }
    if (count == 1) {
        return fc_missing_argument(signature->function, missing[0]);
    }
    if (count == 2) { /* no method here requires more */
        PyErr_Format(PyExc_TypeError, "%s() missing 2 required positional arguments: '%s' and '%s'",
                     signature->function, missing[0], missing[1]);
    }
    return count == 0 ? 0 : -1;
}

int fc_arguments_parse_any(fc_signature *signature, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                           PyObject **out) {
    const Py_ssize_t keywords = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    take_positional(signature, args, nargs, out);
    for (Py_ssize_t i = 0; i < keywords; i++) {
        if (take_keyword(signature, PyTuple_GET_ITEM(kwnames, i), args[nargs + i], out) < 0) {
            return -1;
        }
    }
    return check_count(signature, nargs, out);
}

int fc_arguments_from_tuple(fc_signature *signature, PyObject *args, PyObject *kwargs, PyObject **out) {
    const Py_ssize_t nargs = PyTuple_GET_SIZE(args);
    Py_ssize_t at = 0;
    PyObject *name, *value;
    take_positional(signature, nargs > 0 ? &PyTuple_GET_ITEM(args, 0) : NULL, nargs, out);
    while (kwargs != NULL && PyDict_Next(kwargs, &at, &name, &value)) {
        if (take_keyword(signature, name, value, out) < 0) {
            return -1;
        }
    }
    return check_count(signature, nargs, out);
}
