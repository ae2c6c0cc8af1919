/* Indicators as callables: plain arrays go straight to the program, anything else is handed to Python to be made
 * plain. */
#ifndef FASTCORE_INDICATORS_FUNCTION_H
#define FASTCORE_INDICATORS_FUNCTION_H

#include <Python.h>

#include "indicators/program_object.h"

/* Imports numpy and readies the type; -1 with an exception set on failure. */
int fc_function_ready(void);
/* A new callable; see indicators.pyi. */
PyObject *fc_function_new(PyObject *source, PyObject *name, PyObject *inputs, PyObject *params, PyObject *result_type,
                          PyObject *bind);
/* Runs a program over plain arrays of one shape; a new tuple of the outputs. `arrays` is a sequence. */
PyObject *fc_compute(PyObject *holder, PyObject *arrays, int threads);
/* Is it exactly an ndarray of native, aligned, C-contiguous doubles? */
int fc_is_plain(PyObject *object);
/* May results for the plain array `like` be written into it? */
int fc_is_own(PyObject *object, PyObject *like);
/* Items as an instance of `type`, a subclass of tuple, or as a tuple if that is NULL or None. Steals the items. */
PyObject *fc_record(PyTypeObject *type, PyObject **items, Py_ssize_t n);
/* -1 with an exception set unless type is None or a plain subclass of tuple. */
int fc_record_check(PyObject *type);

/* A new array of float64, whose values are yet to come; its memory may be that of an earlier one. */
PyObject *fc_new_array(int nd, Py_ssize_t *dims);

#endif
