#include "common/errors.h"

#include <stdarg.h>
#include <string.h>

#include "common/stack.h"

PyObject *fc_take_exception(void) {
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL) {
        return NULL;
    }
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

void fc_raise_exception(PyObject *error) {
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(error);
#else
    if (error == NULL) {
        PyErr_Clear();
    } else {
        PyErr_Restore(Py_NewRef(Py_TYPE(error)), error, PyException_GetTraceback(error));
    }
#endif
}

PyObject *fc_raise(PyObject *type, const char *format, ...) {
    if (fc_stack_guard() == 0) {
        va_list arguments;
        va_start(arguments, format);
        PyObject *text = PyUnicode_FromFormatV(format, arguments);
        va_end(arguments);
        if (text != NULL) {
            PyErr_SetObject(type, text);
            Py_DECREF(text);
        }
    }
    return NULL;
}

const char *fc_type_name(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    if (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) {
        const char *name = PyUnicode_AsUTF8(((PyHeapTypeObject *)type)->ht_name);
        if (name != NULL) {
            return name;
        }
        PyErr_Clear();
    }
    const char *dot = strrchr(type->tp_name, '.');
    return dot == NULL ? type->tp_name : dot + 1;
}
