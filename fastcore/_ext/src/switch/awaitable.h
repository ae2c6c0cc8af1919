/* What an async call of a Switch returns: the arm's awaitable, with its latency and its errors counted. */
#ifndef FASTCORE_SWITCH_AWAITABLE_H
#define FASTCORE_SWITCH_AWAITABLE_H

#include <Python.h>

#include "switch/arm.h"

extern PyType_Spec fc_await_spec;

/* Takes over the reference to `awaitable`; `arm` lives in `owner`. NULL with an exception when there is no memory. */
PyObject *fc_await_new(PyTypeObject *type, PyObject *owner, fc_arm *arm, PyObject *awaitable, int timed);

#endif
