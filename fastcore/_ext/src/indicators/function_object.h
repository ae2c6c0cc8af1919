/* What a Function holds: its type is in function_object.c, its call in function.c. */
#ifndef FASTCORE_INDICATORS_FUNCTION_OBJECT_H
#define FASTCORE_INDICATORS_FUNCTION_OBJECT_H

#include "indicators/function.h"

#define PROGRAMS 8 /* that a function keeps at hand */

typedef struct {
    double par[FC_MAX_PAR];
    PyObject *holder;          /* NULL: empty */
    const fc_program *program; /* that it holds */
} ready;

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    const fc_kernel *kernel; /* NULL where operators do it all */
    PyObject *source, *name;
    PyObject *slots; /* interned names of the inputs, then of the parameters */
    PyTypeObject *result_type;
    PyObject *bind;
    PyObject *dict;
    PyObject *weakrefs;
    double preset[FC_MAX_PAR], lo[FC_MAX_PAR], hi[FC_MAX_PAR];
    char kinds[FC_MAX_PAR]; /* p period, f factor, m moving average type */
    int n_in, n_par;
    ready programs[PROGRAMS];
} Function;

/* The vectorcall of a Function. */
PyObject *fc_function_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames);
/* Imports numpy; -1 with an exception set on failure. */
int fc_arrays_ready(void);

#endif
