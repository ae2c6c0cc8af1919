#include "cache/clock.h"

fc_time_module fc_time;

int fc_time_init(void) {
    PyObject *time = PyImport_ImportModule("time");
    if (time == NULL) {
        return -1;
    }
    Py_XSETREF(fc_time.dict, Py_NewRef(PyModule_GetDict(time)));
    Py_DECREF(time);
    if (fc_time.monotonic == NULL) {
        fc_time.monotonic = Py_XNewRef(PyDict_GetItemString(fc_time.dict, "monotonic"));
    }
    return 0;
}

int fc_time_look(void) {
    static PyObject *name;
    if (name == NULL && (name = PyUnicode_InternFromString("monotonic")) == NULL) {
        PyErr_Clear();
        return 0;
    }
#if PY_VERSION_HEX < 0x030C0000
    fc_time.version = ((PyDictObject *)fc_time.dict)->ma_version_tag;
#endif
    fc_time.replaced = PyDict_GetItem(fc_time.dict, name) != fc_time.monotonic;
    return fc_time.replaced;
}
