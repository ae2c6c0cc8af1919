/* The object, its modes, and the calls of each mode. */
#ifndef FASTCORE_SWITCH_SWITCH_H
#define FASTCORE_SWITCH_SWITCH_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "switch/arm.h"
#include "switch/assignment.h"

enum { CONTROL, CANDIDATE, RAMP, WATCHED };

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    fc_arm arms[2];
    uint64_t threshold; /* places below it are the candidate's */
    uint64_t sample[2]; /* under watch: of 2**32 calls of each arm, those that run both */
    fc_salt salt;
    PyObject *key; /* the context variable of the assignment key */
    PyObject *dict;
    PyObject *weakrefs;
    int mode;
    char ready;
    char is_async;
    char first; /* the next call tells Python that calls have begun */
} Switch;

/* Of the module. */
typedef struct {
    PyTypeObject *await_type;
} State;

/* calls.c */
PyObject *fc_call_unready(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *names); /* of no mode yet */
PyObject *fc_call_for(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *names);
PyObject *fc_call_given_arm(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *names);
void fc_set_mode(Switch *self, int mode);

#endif
