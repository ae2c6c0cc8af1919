/* Programs as Python objects, made of what tracing gives and kept for the next call. */
#ifndef FASTCORE_INDICATORS_PROGRAM_OBJECT_H
#define FASTCORE_INDICATORS_PROGRAM_OBJECT_H

#include <Python.h>

#include "indicators/program.h"

/* A new reference to what holds the program of `source`, the name of an indicator or a traced program, with parameters
 * from a sequence of numbers; NULL with an exception set. */
PyObject *fc_program_of(const fc_isa *isa, PyObject *source, PyObject *params);
/* The same, of operators even where there is a kernel: what live objects and boards run. */
PyObject *fc_operators_of(PyObject *source, PyObject *params);
/* The same as the first for parameters that have been checked against the kernel's. */
PyObject *fc_program_with(const fc_kernel *kernel, const double *par);
/* Borrowed from its holder. */
const fc_program *fc_program_in(PyObject *holder);
/* The fused kernel called `source`, or NULL where there is none; no exception is set. */
const fc_kernel *fc_kernel_of(const fc_isa *isa, PyObject *source);
/* How many inputs the indicator `source` has; -1 with an exception set where it is not one. */
Py_ssize_t fc_inputs_of(PyObject *source);
/* `params` as a new tuple of floats; NULL with an exception set. */
PyObject *fc_floats(PyObject *params);

#endif
