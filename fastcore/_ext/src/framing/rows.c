/* Rows packed from columns, without an object for each value. The columns are those of
 * python_fallback/shared/framing/columns.py. */
#include "framing/codec.h"

#include <math.h>

typedef enum {
    REAL,
    BOOL,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
    TIME,
    TEXT,
    BYTES,
    INDEX,
    OBJECTS,
    POINTERS
} column_kind;
enum { PREFIX_ROOM = 32, VALUE_ROOM = 16 };

typedef struct {
    column_kind kind;
    const char *data; /* the values, without gaps */
    Py_ssize_t rows;
    Py_ssize_t itemsize;
    int64_t per_second;
    PyObject *objects;           /* borrowed: a list, the objects themselves or those that are indexed */
    PyObject **coded;            /* INDEX: each of `objects` as bytes, made when it is first met; owned */
    Py_ssize_t n_coded;
    char prefix[PREFIX_ROOM];    /* what goes before each value: the row's header before the first, the key, ... */
    const char *long_prefix;     /* ... unless it is too long; borrowed */
    Py_ssize_t prefix_size;
    Py_buffer view;
    int held;
} column;

static int bad_column(const char *what) {
    PyErr_Format(PyExc_SystemError, "columns: %s", what);
    return -1;
}

/* The kind of an array by its format; 0 for one that has none here. */
static int kind_of(column *c) {
    const char *format = c->view.format == NULL ? "B" : c->view.format;
    Py_ssize_t size = c->view.itemsize;
    if (*format == '=' || *format == '@') {
        format++;
    }
    if (format[0] == 0) {
        return 0;
    }
    if (format[1] != 0) { /* 4w, 7s: so many characters */
        char last = format[strlen(format) - 1];
        if (*format < '0' || *format > '9' || (last != 'w' && last != 's')) {
            return 0;
        }
        c->kind = last == 'w' ? TEXT : BYTES;
        return 1;
    }
    switch (*format) {
    case '?':
        c->kind = BOOL;
        return size == 1;
    case 'b':
    case 'h':
    case 'i':
    case 'l':
    case 'q':
        c->kind = size == 1 ? I8 : size == 2 ? I16 : size == 4 ? I32 : I64;
        return 1;
    case 'B':
    case 'H':
    case 'I':
    case 'L':
    case 'Q':
        c->kind = size == 1 ? U8 : size == 2 ? U16 : size == 4 ? U32 : U64;
        return 1;
    case 'f':
        c->kind = F32;
        return 1;
    case 'd':
        c->kind = F64;
        return 1;
    case 'O':
        c->kind = POINTERS;
        return 1;
    case 'w':
        c->kind = TEXT;
        return 1;
    case 's':
        c->kind = BYTES;
        return 1;
    }
    return 0;
}

/* 1 if the array can be read without conversion, 0 if not. */
static int hold(column *c, PyObject *array) {
    if (PyObject_GetBuffer(array, &c->view, PyBUF_ND | PyBUF_FORMAT) < 0) { /* gaps, datetime64, ... */
        PyErr_Clear();
        return 0;
    }
    if (c->view.ndim == 1 && kind_of(c)) {
        c->held = 1;
        c->data = c->view.buf;
        c->itemsize = c->view.itemsize;
        c->rows = c->view.shape[0];
        return 1;
    }
    PyBuffer_Release(&c->view);
    return 0;
}

/* A column that column_of() has made. */
static int open_described(column *c, PyObject *described) {
    if (!PyTuple_Check(described) || PyTuple_GET_SIZE(described) != 3) {
        return bad_column("expected tuples of three");
    }
    PyObject *kind = PyTuple_GET_ITEM(described, 0), *data = PyTuple_GET_ITEM(described, 1);
    PyObject *extra = PyTuple_GET_ITEM(described, 2);
    if (PyUnicode_CompareWithASCIIString(kind, "list") == 0) {
        if (!PyList_CheckExact(data)) {
            return bad_column("expected a list");
        }
        c->kind = OBJECTS;
        c->objects = data;
        c->rows = PyList_GET_SIZE(data);
        return 0;
    }
    if (!hold(c, data)) {
        return bad_column("expected an array of a known kind");
    }
    if (PyUnicode_CompareWithASCIIString(kind, "array") == 0) {
        return 0;
    }
    if (c->kind != I64) {
        return bad_column("expected an array of int64");
    }
    if (PyUnicode_CompareWithASCIIString(kind, "time") == 0) {
        c->kind = TIME;
        c->per_second = PyLong_AsLongLong(extra);
        return c->per_second > 0 ? 0 : bad_column("expected a unit of time");
    }
    if (!PyList_CheckExact(extra)) {
        return bad_column("expected a list");
    }
    c->kind = INDEX;
    c->objects = extra;
    c->n_coded = PyList_GET_SIZE(extra);
    c->coded = PyMem_Calloc((size_t)c->n_coded + 1, sizeof(PyObject *));
    if (c->coded == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* `values` is replaced by what column_of() makes of it, unless it is an array that can be read as it is. */
static int open_column(column *c, PyObject *name, PyObject *values, Py_ssize_t i, PyObject *array_type) {
    PyObject *value = PyList_GET_ITEM(values, i);
    if ((PyObject *)Py_TYPE(value) == array_type && hold(c, value)) {
        return 0;
    }
    PyObject *call = fc_get(&fc_column_of);
    PyObject *described = call == NULL ? NULL : FC_GUARDED(PyObject_CallFunctionObjArgs(call, name, value, NULL));
    if (described == NULL || PyList_SetItem(values, i, described) < 0) { /* takes the reference */
        return -1;
    }
    return open_described(c, described);
}

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
        bad_column("expected positions in the list");
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
        bad_column("expected positions in the list");
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
        bad_column("expected a list that stays as it is");
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
        bad_column("expected a known kind");
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

static void set_prefix(column *c, PyObject *prefix, int simple_floats) {
    c->prefix_size = PyBytes_GET_SIZE(prefix);
    c->long_prefix = PyBytes_AS_STRING(prefix);
    if (c->prefix_size < PREFIX_ROOM) {
        memcpy(c->prefix, c->long_prefix, (size_t)c->prefix_size);
        c->long_prefix = c->prefix;
        if (c->kind == F64 && simple_floats) {
            c->kind = REAL;
            c->prefix[c->prefix_size++] = (char)0xCB;
        }
    }
}

static void close_columns(column *columns, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; i++) {
        if (columns[i].held) {
            PyBuffer_Release(&columns[i].view);
        }
        for (Py_ssize_t k = 0; k < columns[i].n_coded && columns[i].coded != NULL; k++) {
            Py_XDECREF(columns[i].coded[k]);
        }
        PyMem_Free(columns[i].coded);
    }
    PyMem_Free(columns);
}

static int check_lengths(const column *columns, Py_ssize_t n, PyObject *names) {
    for (Py_ssize_t i = 1; i < n; i++) {
        if (columns[i].rows != columns[0].rows) {
            FC_RAISE(PyExc_ValueError, "columns: expected columns of one length, got %zd in %R and %zd in %R",
                     columns[0].rows, PyTuple_GET_ITEM(names, 0), columns[i].rows, PyTuple_GET_ITEM(names, i));
            return -1;
        }
    }
    return 0;
}

/* `values` is a list that no other code refers to; `prefixes` are what goes before the value of each column in every row. */
PyObject *fc_rows(PyObject *names, PyObject *values, PyObject *prefixes, PyObject *array_type,
                  const fc_pack_options *options, int nan_as_none, int framed) {
    Py_ssize_t n = PyTuple_GET_SIZE(names);
    PyObject *made = NULL;
    if (PyTuple_GET_SIZE(prefixes) != n || PyList_GET_SIZE(values) != n) {
        bad_column("expected a prefix for each");
        return NULL;
    }
    column *columns = PyMem_Calloc((size_t)n, sizeof(column));
    if (columns == NULL) {
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (open_column(&columns[i], PyTuple_GET_ITEM(names, i), values, i, array_type) < 0) {
            goto done;
        }
        set_prefix(&columns[i], PyTuple_GET_ITEM(prefixes, i), !nan_as_none && !options->single_float);
    }
    if (check_lengths(columns, n, names) < 0) {
        goto done;
    }
    if (columns[0].rows > 0 && options->max_depth < 2) {
        PyErr_Format(PyExc_ValueError, "max_depth: expected at most %d nested levels, got more", options->max_depth);
        goto done;
    }
    fc_writer w;
    fc_writer_init(&w, options);
    char *p = put_rows(&w, w.base + (framed ? FC_FRAME_HEADER : 0), columns, n, columns[0].rows, nan_as_none);
    if (p == NULL) {
        fc_writer_drop(&w);
    } else {
        made = framed ? fc_finish_frame(&w, p, 0x2) : fc_writer_finish(&w, w.base, p);
    }
done:
    close_columns(columns, n);
    return made;
}
