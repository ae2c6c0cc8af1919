/* What a cache's timer shows, and what lifetimes say, as numbers. */
#include "cache/object.h"

#include <math.h>

int fc_cache_time(CacheObject *self, PyObject *time, double *now) {
    if (PyFloat_CheckExact(time)) {
        *now = PyFloat_AS_DOUBLE(time);
    } else if (PyLong_CheckExact(time)) {
        *now = PyLong_AsDouble(time);
        if (*now == -1.0 && PyErr_Occurred()) {
            return -1;
        }
    } else {
        PyObject *convert = fc_cache_mixin("clock_number");
        PyObject *pair = convert == NULL ? NULL : FC_GUARDED(PyObject_CallOneArg(convert, time));
        Py_XDECREF(convert);
        double number, scale;
        if (pair == NULL || !PyArg_ParseTuple(pair, "dd", &number, &scale)) {
            Py_XDECREF(pair);
            return -1;
        }
        Py_DECREF(pair);
        *now = number;
        self->scale = scale;
    }
    if (isnan(*now)) {
        PyErr_SetString(PyExc_ValueError, "timer: expected a number or a datetime, got nan");
        return -1;
    }
    return 0;
}

PyObject *fc_cache_timer(const CacheObject *self) {
    return self->timer != NULL ? Py_NewRef(self->timer) : fc_cache_mixin("MONOTONIC");
}

int fc_cache_now(CacheObject *self, double *now) {
    if (fc_cache_by_clock(self)) {
        *now = fc_clock(self->fine);
        return 0;
    }
    PyObject *timer = fc_cache_timer(self);
    if (timer == NULL) {
        return -1;
    }
    PyObject *time = FC_GUARDED(PyObject_CallNoArgs(timer));
    Py_DECREF(timer);
    if (time == NULL) {
        return -1;
    }
    const int status = fc_cache_time(self, time, now);
    Py_DECREF(time);
    return status;
}

int fc_cache_seconds(PyObject *ttl, double *seconds, const char *name) {
    if (ttl == Py_None) {
        *seconds = INFINITY;
        return 0;
    }
    if (PyFloat_CheckExact(ttl)) {
        *seconds = PyFloat_AS_DOUBLE(ttl);
    } else if (PyLong_CheckExact(ttl)) {
        *seconds = PyLong_AsDouble(ttl);
    } else {
        PyObject *convert = fc_cache_mixin("ttl_seconds");
        PyObject *number = convert == NULL ? NULL : FC_GUARDED(PyObject_CallFunction(convert, "Os", ttl, name));
        Py_XDECREF(convert);
        if (number == NULL) {
            return -1;
        }
        *seconds = PyFloat_AsDouble(number);
        Py_DECREF(number);
    }
    if (*seconds == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    if (isnan(*seconds)) {
        PyErr_Format(PyExc_ValueError, "%s: expected a number of seconds, got nan", name);
        return -1;
    }
    return 0;
}
