/* Rows packed from columns, without an object for each value. */
#include "framing/columns.h"

#include <math.h>

enum { VALUE_ROOM = 16 };

/* Whether the four characters at `p` are zeros. */
FC_INLINE int four_zeros(const char *p) {
    uint64_t x[2];
    memcpy(x, p, 16);
    return (x[0] | x[1]) == 0;
}

/* A str of numpy: characters of four bytes, filled up with zeros. */
static char *put_text(fc_writer *w, char *p, const column *c, Py_ssize_t row) {
    const char *at = c->data + row * c->itemsize;
    Py_ssize_t n = c->itemsize / 4, used = 0;
    uint32_t any = 0, x;
    while (n > 8 && four_zeros(at + 4 * (n - 4))) { /* fewer are read as fast as they are looked at */
        n -= 4;
    }
    if (n <= 31) { /* symbols: narrowed as they are read, and written again below unless all are ASCII */
        if ((p = fc_room(w, p, 0)) == NULL) {
            return NULL;
        }
        for (Py_ssize_t i = 0; i < n; i++) {
            memcpy(&x, at + 4 * i, 4);
            any |= x;
            p[1 + i] = (char)x;
            used = x != 0 ? i + 1 : used;
        }
        if (FC_LIKELY(any < 0x80)) {
            *p = (char)(0xA0 | used);
            return p + 1 + used;
        }
    }
    while (n > 0 && (memcpy(&x, at + 4 * (n - 1), 4), x == 0)) {
        n--;
    }
    Py_UCS4 *copy = PyMem_Malloc(((size_t)n + 1) * 4); /* what the caller holds need not be aligned */
    if (copy == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    memcpy(copy, at, (size_t)n * 4);
    PyObject *text = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, copy, n);
    PyMem_Free(copy);
    if (text == NULL) {
        return NULL;
    }
    p = fc_put_str(w, p, text);
    Py_DECREF(text);
    return p;
}

static char *put_bytes(fc_writer *w, char *p, const column *c, Py_ssize_t row) {
    const char *at = c->data + row * c->itemsize;
    Py_ssize_t n = c->itemsize;
    while (n > 0 && at[n - 1] == 0) {
        n--;
    }
    PyObject *data = PyBytes_FromStringAndSize(at, n);
    if (data == NULL) {
        return NULL;
    }
    p = fc_put(w, p, data, 1, 0);
    Py_DECREF(data);
    return p;
}

static char *put_time(fc_writer *w, char *p, int64_t count, int64_t per_second) {
    if (count == INT64_MIN) {
        *p = (char)0xC0;
        return p + 1;
    }
    int64_t seconds = count / per_second, rest = count % per_second;
    if (rest < 0) {
        rest += per_second;
        seconds--;
    }
    return fc_put_timestamp(w, p, seconds, (uint32_t)(rest * (1000000000 / per_second)));
}

static PyObject *code_object(const fc_writer *outer, PyObject *objects, Py_ssize_t i) {
    if (i >= PyList_GET_SIZE(objects)) {
        fc_column_error("expected positions in the list");
        return NULL;
    }
    fc_writer w;
    fc_writer_init(&w, outer->options);
    PyObject *obj = PyList_GET_ITEM(objects, i);
    Py_INCREF(obj);
    char *p = fc_put(&w, w.base, obj, w.options->max_depth - 2, 0);
    Py_DECREF(obj);
    if (p == NULL) {
        fc_writer_drop(&w);
        return NULL;
    }
    return fc_writer_finish(&w, w.base, p);
}

static char *put_indexed(fc_writer *w, char *p, const column *c, Py_ssize_t row) {
    int64_t i;
    memcpy(&i, c->data + 8 * row, 8);
    if (i < 0) {
        *p = (char)0xC0;
        return p + 1;
    }
    if (i >= c->n_coded) {
        fc_column_error("expected positions in the list");
        return NULL;
    }
    if (c->coded[i] == NULL && (c->coded[i] = code_object(w, c->objects, (Py_ssize_t)i)) == NULL) {
        return NULL;
    }
    Py_ssize_t n = PyBytes_GET_SIZE(c->coded[i]);
    if ((p = fc_room(w, p, n)) == NULL) {
        return NULL;
    }
    memcpy(p, PyBytes_AS_STRING(c->coded[i]), (size_t)n);
    return p + n;
}

static char *put_any(fc_writer *w, char *p, PyObject *obj, int nan_as_none) {
    if (obj == NULL ||
        (nan_as_none && PyFloat_Check(obj) && isnan(PyFloat_AS_DOUBLE(obj)))) { /* numpy reads NULL as None */
        obj = Py_None;
    }
    Py_INCREF(obj);
    p = fc_put(w, p, obj, w->options->max_depth - 2, 0);
    Py_DECREF(obj);
    return p;
}

static char *put_object(fc_writer *w, char *p, const column *c, Py_ssize_t row, int nan_as_none) {
    if (row >= PyList_GET_SIZE(c->objects)) {
        fc_column_error("expected a list that stays as it is");
        return NULL;
    }
    return put_any(w, p, PyList_GET_ITEM(c->objects, row), nan_as_none);
}

FC_INLINE char *put_real(char *p, double x, int nan_as_none, int single) {
    if (x != x && nan_as_none) {
        *p = (char)0xC0;
        return p + 1;
    }
    if (FC_UNLIKELY(single)) {
        *p = (char)0xCA;
        return PyFloat_Pack4(x, p + 1, 0) < 0 ? NULL : p + 5;
    }
    return fc_put_double(p, x);
}

#define LOAD(type)                                                                                                     \
    type x;                                                                                                            \
    memcpy(&x, c->data + row * (Py_ssize_t)sizeof x, sizeof x)

FC_INLINE char *put_signed(char *p, int64_t x) {
    if (FC_LIKELY(x > 0xFFFF && x <= 0xFFFFFFFF)) { /* volumes, sequence numbers */
        *p = (char)0xCE;
        return fc_be32(p + 1, (uint32_t)x);
    }
    return FC_LIKELY(x >= 0) ? fc_put_uint_steady(p, (uint64_t)x) : fc_put_int(p, x);
}

FC_INLINE char *put_prefix(char *p, const column *c) {
    if (FC_LIKELY(c->prefix_size <= 16)) { /* copied whole: both sides have the room, and there is no call */
        memcpy(p, c->prefix, 16);
    } else {
        memcpy(p, c->long_prefix, (size_t)c->prefix_size);
    }
    return p + c->prefix_size;
}

/* There is room for VALUE_ROOM bytes; what may take more asks for it. */
static char *put_value(fc_writer *w, char *p, const column *c, Py_ssize_t row, int nan_as_none, int single) {
    switch (c->kind) {
    case F64: {
        LOAD(double);
        return put_real(p, x, nan_as_none, single);
    }
    case F32: {
        LOAD(float);
        return put_real(p, (double)x, nan_as_none, single);
    }
    case I32: {
        LOAD(int32_t);
        return put_signed(p, x);
    }
    case I16: {
        LOAD(int16_t);
        return put_signed(p, x);
    }
    case I8: {
        LOAD(int8_t);
        return put_signed(p, x);
    }
    case U64: {
        LOAD(uint64_t);
        return fc_put_uint_steady(p, x);
    }
    case U32: {
        LOAD(uint32_t);
        return fc_put_uint_steady(p, x);
    }
    case U16: {
        LOAD(uint16_t);
        return fc_put_uint_steady(p, x);
    }
    case U8: {
        LOAD(uint8_t);
        return fc_put_uint_steady(p, x);
    }
    case BOOL:
        *p = (char)(c->data[row] ? 0xC3 : 0xC2);
        return p + 1;
    case TIME: {
        LOAD(int64_t);
        return put_time(w, p, x, c->per_second);
    }
    case TEXT:
        return put_text(w, p, c, row);
    case BYTES:
        return put_bytes(w, p, c, row);
    case INDEX:
        return put_indexed(w, p, c, row);
    case OBJECTS:
        return put_object(w, p, c, row, nan_as_none);
    default:
        fc_column_error("expected a known kind");
        return NULL;
    }
}

static char *put_rows(fc_writer *w, char *p, column *columns, Py_ssize_t n, Py_ssize_t rows, int nan_as_none) {
    int single = w->options->single_float;
    const column *end = columns + n;
    Py_ssize_t room = 16; /* for a row of numbers */
    for (const column *c = columns; c < end; c++) {
        room += c->prefix_size + VALUE_ROOM;
    }
    if ((uint64_t)rows > UINT32_MAX) {
        PyErr_Format(PyExc_ValueError, "obj: expected a length of at most 2**32-1, got list of %zd", rows);
        return NULL;
    }
    p = fc_head_array(p, (uint64_t)rows);
    for (Py_ssize_t row = 0; row < rows; row++) {
        if ((p = fc_room(w, p, room)) == NULL) {
            return NULL;
        }
        for (const column *c = columns; c < end; c++) {
            p = put_prefix(p, c);
            if (c->kind == REAL) { /* the commonest first; its header is in the prefix */
                LOAD(uint64_t);
                p = fc_be64(p, x);
            } else if (c->kind == I64) {
                LOAD(int64_t);
                p = put_signed(p, x);
            } else if (c->kind == POINTERS) {
                PyObject *obj;
                memcpy(&obj, c->data + row * (Py_ssize_t)sizeof obj, sizeof obj);
                p = obj != NULL && PyUnicode_CheckExact(obj) ? fc_put_str(w, p, obj) : put_any(w, p, obj, nan_as_none);
                if (FC_UNLIKELY(p == NULL) || (p = fc_room(w, p, room)) == NULL) {
                    return NULL;
                }
            } else {
                p = put_value(w, p, c, row, nan_as_none, single);
                if (FC_UNLIKELY(p == NULL) || (c->kind > TIME && (p = fc_room(w, p, room)) == NULL)) {
                    return NULL;
                }
            }
        }
    }
    return p;
}

PyObject *fc_rows(PyObject *names, PyObject *values, PyObject *prefixes, PyObject *array_type,
                  const fc_pack_options *options, int nan_as_none, int framed) {
    const Py_ssize_t n = PyTuple_GET_SIZE(names);
    column *columns = fc_columns_open(names, values, prefixes, array_type, !nan_as_none && !options->single_float);
    PyObject *made = NULL;
    if (columns == NULL) {
        return NULL;
    }
    if (columns[0].rows > 0 && options->max_depth < 2) {
        PyErr_Format(PyExc_ValueError, "max_depth: expected at most %d nested levels, got more", options->max_depth);
    } else {
        fc_writer w;
        fc_writer_init(&w, options);
        char *p = put_rows(&w, w.base + (framed ? FC_FRAME_HEADER : 0), columns, n, columns[0].rows, nan_as_none);
        if (p == NULL) {
            fc_writer_drop(&w);
        } else {
            made = framed ? fc_finish_frame(&w, p, 0x2) : fc_writer_finish(&w, w.base, p);
        }
    }
    fc_columns_close(columns, n);
    return made;
}
