#include "common/forks.h"

#include "common/imports.h"

int fc_follow_forks(PyObject *module, const char *function) {
    PyObject *hook = fc_import_attribute("os", "register_at_fork");
    if (hook == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return -1;
        }
        PyErr_Clear(); /* Windows */
        return 0;
    }
    PyObject *none = PyTuple_New(0);
    PyObject *called = PyObject_GetAttrString(module, function);
    PyObject *names = called == NULL ? NULL : Py_BuildValue("{sO}", "after_in_child", called);
    PyObject *done = none == NULL || names == NULL ? NULL : PyObject_Call(hook, none, names);
    Py_XDECREF(names);
    Py_XDECREF(called);
    Py_XDECREF(none);
    Py_XDECREF(done);
    Py_DECREF(hook);
    return done == NULL ? -1 : 0;
}
