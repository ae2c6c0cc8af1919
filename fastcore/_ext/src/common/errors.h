/* Exceptions taken aside and raised again, and the names that error texts give. */
#ifndef FASTCORE_COMMON_ERRORS_H
#define FASTCORE_COMMON_ERRORS_H

#include <Python.h>

/* The pending exception with its traceback, which is pending no longer; NULL where there is none. */
PyObject *fc_take_exception(void);

/* Makes it the pending exception again; takes over the reference. NULL: none is pending then. */
void fc_raise_exception(PyObject *error);

/* PyErr_Format of a text that shows an object of the caller's: its repr may come back, and what that raises is raised
 * (by 3.11.2 the error of `type`, without a text). Always NULL. */
PyObject *fc_raise(PyObject *type, const char *format, ...);

/* As type(object).__name__ has it. */
const char *fc_type_name(PyObject *object);

#endif
