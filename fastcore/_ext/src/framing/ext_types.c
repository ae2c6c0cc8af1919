/* Extensions and timestamps. */
#include "framing/codec.h"

#include "common/errors.h"

static char *ext_header(char *p, int code, Py_ssize_t n) {
    if (n == 1 || n == 2 || n == 4 || n == 8 || n == 16) {
        *p++ = (char)(n == 1 ? 0xD4 : n == 2 ? 0xD5 : n == 4 ? 0xD6 : n == 8 ? 0xD7 : 0xD8);
    } else if (n <= 0xFF) {
        p[0] = (char)0xC7, p[1] = (char)n;
        p += 2;
    } else if (n <= 0xFFFF) {
        *p = (char)0xC8;
        p = fc_be16(p + 1, (uint32_t)n);
    } else {
        *p = (char)0xC9;
        p = fc_be32(p + 1, (uint32_t)n);
    }
    *p = (char)code;
    return p + 1;
}

char *fc_put_timestamp(fc_writer *w, char *p, int64_t seconds, uint32_t nanoseconds) {
    (void)w;
    if (seconds >= 0 && seconds >> 34 == 0) {
        if (seconds <= UINT32_MAX && nanoseconds == 0) {
            return fc_be32(ext_header(p, -1, 4), (uint32_t)seconds);
        }
        return fc_be64(ext_header(p, -1, 8), (uint64_t)nanoseconds << 34 | (uint64_t)seconds);
    }
    return fc_be64(fc_be32(ext_header(p, -1, 12), nanoseconds), (uint64_t)seconds);
}

char *fc_put_ext(fc_writer *w, char *p, PyObject *obj) {
    PyObject *code = PyTuple_GET_SIZE(obj) == 2 ? PyTuple_GET_ITEM(obj, 0) : NULL;
    if (code == NULL) {
        PyErr_Format(PyExc_ValueError, "ExtType: expected a code and data, got %zd items", PyTuple_GET_SIZE(obj));
        return NULL;
    }
    PyObject *data = PyTuple_GET_ITEM(obj, 1);
    int overflow = 0;
    long number = PyLong_CheckExact(code) ? PyLong_AsLongAndOverflow(code, &overflow) : 1000;
    if (overflow || number < -128 || number > 127) {
        fc_raise(PyExc_ValueError, "ExtType: expected a code in -128..127, got %R", code);
        return NULL;
    }
    if (!PyBytes_Check(data)) {
        PyErr_Format(PyExc_TypeError, "ExtType: expected data of type bytes, got %s", fc_type_name(data));
        return NULL;
    }
    Py_ssize_t n = PyBytes_GET_SIZE(data);
    if (!fc_fits_header(n)) {
        return fc_too_long(obj, n);
    }
    if ((p = fc_room(w, p, n + 6)) == NULL) {
        return NULL;
    }
    p = ext_header(p, (int)number, n);
    memcpy(p, PyBytes_AS_STRING(data), (size_t)n);
    return p + n;
}

char *fc_put_stamp(fc_writer *w, char *p, PyObject *obj) {
    PyObject *seconds = FC_GUARDED(PyObject_GetAttrString(obj, "seconds"));
    PyObject *nanoseconds = seconds == NULL ? NULL : FC_GUARDED(PyObject_GetAttrString(obj, "nanoseconds"));
    if (nanoseconds == NULL) {
        p = NULL;
        goto done;
    }
    int overflow = 0;
    int64_t s = PyLong_CheckExact(seconds) ? PyLong_AsLongLongAndOverflow(seconds, &overflow) : 0;
    if (overflow || !PyLong_CheckExact(seconds)) {
        fc_raise(PyExc_ValueError, "Timestamp: expected seconds as an int of 64 bits, got %R", seconds);
        p = NULL;
        goto done;
    }
    int64_t ns = PyLong_CheckExact(nanoseconds) ? PyLong_AsLongLongAndOverflow(nanoseconds, &overflow) : -1;
    if (overflow || ns < 0 || ns > 999999999) {
        fc_raise(PyExc_ValueError, "Timestamp: expected nanoseconds as an int in 0..999999999, got %R", nanoseconds);
        p = NULL;
        goto done;
    }
    p = fc_put_timestamp(w, p, s, (uint32_t)ns);
done:
    Py_XDECREF(seconds);
    Py_XDECREF(nanoseconds);
    return p;
}
