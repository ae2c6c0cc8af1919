/* Names of Python modules that C uses. */
#ifndef FASTCORE_COMMON_IMPORTS_H
#define FASTCORE_COMMON_IMPORTS_H

#include <Python.h>

#include "common/macros.h"

/* A module attribute, imported at first use and kept forever. */
typedef struct {
    const char *module, *name;
    PyObject *found;
} fc_import;

PyObject *fc_import_now(fc_import *what);

/* Borrowed; NULL with an exception. */
FC_INLINE PyObject *fc_get(fc_import *what) {
    return FC_LIKELY(what->found != NULL) ? what->found : fc_import_now(what);
}

/* Raises `cls` with a formatted text; returns NULL. */
PyObject *fc_error(fc_import *cls, const char *format, ...);

/* A new reference to what the module has now. */
PyObject *fc_import_attribute(const char *module, const char *name);

#endif
