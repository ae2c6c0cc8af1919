/* Arguments of the vectorcall convention, read without building tuples; errors as Python's own functions word them. */
#ifndef FASTCORE_COMMON_ARGUMENTS_H
#define FASTCORE_COMMON_ARGUMENTS_H

#include <Python.h>

#define MOST_ARGUMENTS 6

typedef struct {
    const char *function;               /* "PriorityHeap.push" */
    const char *names[MOST_ARGUMENTS];  /* in order; the first `positional` may be given by position */
    int required, positional, total;    /* of which the first `required` must be given */
    PyObject *interned[MOST_ARGUMENTS]; /* filled by signatures_ready */
} Signature;

/* out[i] is borrowed, or NULL where it was not given. */
int arguments_parse(Signature *signature, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, PyObject **out);
/* That of a method which takes one; borrowed, NULL with an exception. */
PyObject *arguments_one(Signature *signature, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
int arguments_from_tuple(Signature *signature, PyObject *args, PyObject *kwargs, PyObject **out);
int signatures_ready(Signature **signatures, size_t count);

/* As type(object).__name__ has it. */
const char *type_name(PyObject *object);

#endif
