/* The bytes that represent Python objects in a content key; `encode_cells` of the pure twin defines them. */
#include "cache/object.h"

#include <string.h>

#include "common/errors.h"

typedef struct {
    PyObject *bytes; /* a bytes object that no other code sees until it is complete */
    Py_ssize_t length;
} fc_bytes;

/* Room for `count` more bytes; NULL with an exception. */
static char *room(fc_bytes *out, Py_ssize_t count) {
    const Py_ssize_t capacity = PyBytes_GET_SIZE(out->bytes);
    if (FC_UNLIKELY(count > capacity - out->length)) {
        if (count > PY_SSIZE_T_MAX / 2 - out->length) {
            PyErr_NoMemory();
            return NULL;
        }
        if (_PyBytes_Resize(&out->bytes, (out->length + count) * 3 / 2) < 0) {
            return NULL;
        }
    }
    char *at = PyBytes_AS_STRING(out->bytes) + out->length;
    out->length += count;
    return at;
}

static void put_word(char *at, uint64_t word) {
    for (int i = 0; i < 8; i++) {
        at[i] = (char)(word >> (8 * i));
    }
}

static int put_tag(fc_bytes *out, char tag) {
    char *at = room(out, 1);
    if (at == NULL) {
        return -1;
    }
    *at = tag;
    return 0;
}

static int put_number(fc_bytes *out, char tag, uint64_t word) {
    char *at = room(out, 9);
    if (at == NULL) {
        return -1;
    }
    *at = tag;
    put_word(at + 1, word);
    return 0;
}

static int put_data(fc_bytes *out, char tag, const char *data, Py_ssize_t size) {
    if (size > PY_SSIZE_T_MAX / 2 - 9) {
        PyErr_NoMemory();
        return -1;
    }
    char *at = room(out, 9 + size);
    if (at == NULL) {
        return -1;
    }
    *at = tag;
    put_word(at + 1, (uint64_t)size);
    memcpy(at + 9, data, (size_t)size);
    return 0;
}

static int put_text(fc_bytes *out, PyObject *text) {
    if (FC_LIKELY(PyUnicode_IS_COMPACT_ASCII(text))) {
        return put_data(out, 's', (const char *)PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text));
    }
    PyObject *data = PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
    if (data == NULL) {
        return -1;
    }
    const int done = put_data(out, 's', PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data));
    Py_DECREF(data);
    return done;
}

static int put_float(fc_bytes *out, double value) {
    uint64_t word = 0x7ff8000000000000u; /* every NaN is one */
    if (value == value) {
        memcpy(&word, &value, sizeof word);
    }
    return put_number(out, 'd', word);
}

static int put_other(fc_bytes *out, PyObject *item, PyObject *other) {
    PyObject *data = FC_GUARDED(PyObject_CallOneArg(other, item));
    if (data == NULL) {
        return -1;
    }
    int done = -1;
    if (!PyBytes_CheckExact(data)) {
        PyErr_Format(PyExc_TypeError, "other: expected a function that returns bytes, got %s", fc_type_name(data));
    } else {
        char *at = room(out, PyBytes_GET_SIZE(data));
        if (at != NULL) {
            memcpy(at, PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data));
            done = 0;
        }
    }
    Py_DECREF(data);
    return done;
}

static int put_item(fc_bytes *out, PyObject *item, PyObject *other) {
    if (PyUnicode_CheckExact(item)) {
        return put_text(out, item);
    }
    if (item == Py_None) {
        return put_tag(out, 'n');
    }
    if (PyFloat_CheckExact(item)) {
        return put_float(out, PyFloat_AS_DOUBLE(item));
    }
    if (PyBool_Check(item)) {
        return put_tag(out, item == Py_True ? 't' : 'f');
    }
    if (PyLong_CheckExact(item)) {
        int overflow;
        const long long value = PyLong_AsLongLongAndOverflow(item, &overflow);
        if (!overflow) {
            return put_number(out, 'i', (uint64_t)value);
        }
    } else if (PyBytes_CheckExact(item)) {
        return put_data(out, 'b', PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item));
    }
    return put_other(out, item, other);
}

PyObject *fc_encode_cells(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count) {
    if (count != 2) {
        PyErr_Format(PyExc_TypeError, "encode_cells: expected 2 arguments, got %zd", count);
        return NULL;
    }
    PyObject *items = args[0];
    if (!PyList_CheckExact(items)) {
        PyErr_Format(PyExc_TypeError, "items: expected a list, got %s", fc_type_name(items));
        return NULL;
    }
    fc_bytes out = {PyBytes_FromStringAndSize(NULL, 64 + 16 * PyList_GET_SIZE(items)), 0};
    if (out.bytes == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) { /* `other` may change the list */
        PyObject *item = Py_NewRef(PyList_GET_ITEM(items, i));
        const int done = put_item(&out, item, args[1]);
        Py_DECREF(item);
        if (done < 0) {
            Py_XDECREF(out.bytes); /* NULL after a resize that failed */
            return NULL;
        }
    }
    _PyBytes_Resize(&out.bytes, out.length);
    return out.bytes;
}
