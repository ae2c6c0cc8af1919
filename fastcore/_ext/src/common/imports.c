#include "common/imports.h"

PyObject *fc_import_attribute(const char *module, const char *name) {
    PyObject *imported = PyImport_ImportModule(module);
    PyObject *found = imported == NULL ? NULL : PyObject_GetAttrString(imported, name);
    Py_XDECREF(imported);
    return found;
}

PyObject *fc_import_now(fc_import *what) {
    PyObject *found = fc_import_attribute(what->module, what->name);
    if (what->found == NULL) { /* an import may let another thread in */
        what->found = found;
    } else {
        Py_XDECREF(found);
    }
    return what->found;
}

PyObject *fc_error(fc_import *cls, const char *format, ...) {
    PyObject *type = fc_get(cls);
    if (type != NULL) {
        va_list arguments;
        va_start(arguments, format);
        PyErr_FormatV(type, format, arguments);
        va_end(arguments);
    }
    return NULL;
}
