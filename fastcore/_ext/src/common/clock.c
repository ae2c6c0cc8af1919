#include "common/clock.h"

#if defined(_WIN32)
#include <windows.h>

double fc_clock(int fine) {
    static double period;
    LARGE_INTEGER value;
    (void)fine; /* its coarse clock has another origin */
    if (period == 0.0) {
        QueryPerformanceFrequency(&value);
        period = 1.0 / (double)value.QuadPart;
    }
    QueryPerformanceCounter(&value);
    return (double)value.QuadPart * period;
}

#else
#if !defined(_POSIX_C_SOURCE) && !defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L
#endif
#include <time.h>

#if defined(__linux__) && !defined(CLOCK_MONOTONIC_COARSE)
#define CLOCK_MONOTONIC_COARSE 6
#endif

double fc_clock(int fine) {
    struct timespec now;
#if defined(__linux__)
    clock_gettime(fine ? CLOCK_MONOTONIC : CLOCK_MONOTONIC_COARSE, &now);
#else
    (void)fine;
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
#endif

fc_time_module fc_time;

int fc_clock_init(void) {
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

int fc_clock_look(void) {
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
