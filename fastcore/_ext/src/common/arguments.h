/* Arguments of the vectorcall convention, read without building tuples; errors as Python's own functions word them. */
#ifndef FASTCORE_COMMON_ARGUMENTS_H
#define FASTCORE_COMMON_ARGUMENTS_H

#include <Python.h>

#include "common/macros.h"

#define FC_MOST_ARGUMENTS 6

/* Of a method. */
typedef struct {
    const char *function;                 /* "PriorityHeap.push" */
    const char *names[FC_MOST_ARGUMENTS]; /* in order; the first `positional` may be given by position */
    int required, positional, total;      /* of which the first `required` must be given */
    PyObject *interned[FC_MOST_ARGUMENTS]; /* the names as calls brought them; NULL until one did */
} fc_signature;

int fc_arguments_parse_any(fc_signature *signature, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                           PyObject **out);
int fc_arguments_from_tuple(fc_signature *signature, PyObject *args, PyObject *kwargs, PyObject **out);

/* out[i] is borrowed, or NULL where it was not given. 0, or -1 with a TypeError. */
static inline int fc_arguments_parse(fc_signature *signature, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames, PyObject **out) {
    if (FC_UNLIKELY(kwnames != NULL || nargs < signature->required || nargs > signature->positional)) {
        return fc_arguments_parse_any(signature, args, nargs, kwnames, out);
    }
    for (Py_ssize_t i = 0; i < signature->total; i++) {
        out[i] = i < nargs ? args[i] : NULL;
    }
    return 0;
}

/* That of a method which takes one; borrowed, NULL with an exception. */
static inline PyObject *fc_arguments_one(fc_signature *signature, PyObject *const *args, Py_ssize_t nargs,
                                         PyObject *kwnames) {
    PyObject *out[FC_MOST_ARGUMENTS];
    return fc_arguments_parse(signature, args, nargs, kwnames, out) < 0 ? NULL : out[0];
}

static inline int fc_is_name(PyObject *given, const char *name) {
    return PyUnicode_CompareWithASCIIString(given, name) == 0;
}

/* The errors; each returns -1. Counts of a method include self. */
int fc_missing_argument(const char *function, const char *name);
int fc_too_many_arguments(const char *function, Py_ssize_t least, Py_ssize_t most, Py_ssize_t given,
                          Py_ssize_t keyword_only);
int fc_unexpected_keyword(const char *function, PyObject *name);
int fc_multiple_values(const char *function, PyObject *name);

#endif
