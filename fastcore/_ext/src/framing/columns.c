#include "framing/columns.h"

#include "common/errors.h"

int fc_column_error(const char *what) {
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
        return fc_column_error("expected tuples of three");
    }
    PyObject *kind = PyTuple_GET_ITEM(described, 0), *data = PyTuple_GET_ITEM(described, 1);
    PyObject *extra = PyTuple_GET_ITEM(described, 2);
    if (PyUnicode_CompareWithASCIIString(kind, "list") == 0) {
        if (!PyList_CheckExact(data)) {
            return fc_column_error("expected a list");
        }
        c->kind = OBJECTS;
        c->objects = data;
        c->rows = PyList_GET_SIZE(data);
        return 0;
    }
    if (!hold(c, data)) {
        return fc_column_error("expected an array of a known kind");
    }
    if (PyUnicode_CompareWithASCIIString(kind, "array") == 0) {
        return 0;
    }
    if (c->kind != I64) {
        return fc_column_error("expected an array of int64");
    }
    if (PyUnicode_CompareWithASCIIString(kind, "time") == 0) {
        c->kind = TIME;
        c->per_second = PyLong_AsLongLong(extra);
        return c->per_second > 0 ? 0 : fc_column_error("expected a unit of time");
    }
    if (!PyList_CheckExact(extra)) {
        return fc_column_error("expected a list");
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

void fc_columns_close(column *columns, Py_ssize_t n) {
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
            fc_raise(PyExc_ValueError, "columns: expected columns of one length, got %zd in %R and %zd in %R",
                     columns[0].rows, PyTuple_GET_ITEM(names, 0), columns[i].rows, PyTuple_GET_ITEM(names, i));
            return -1;
        }
    }
    return 0;
}

column *fc_columns_open(PyObject *names, PyObject *values, PyObject *prefixes, PyObject *array_type,
                        int simple_floats) {
    Py_ssize_t n = PyTuple_GET_SIZE(names);
    if (PyTuple_GET_SIZE(prefixes) != n || PyList_GET_SIZE(values) != n) {
        fc_column_error("expected a prefix for each");
        return NULL;
    }
    column *columns = PyMem_Calloc((size_t)n, sizeof(column));
    if (columns == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    int failed = 0;
    for (Py_ssize_t i = 0; i < n && !failed; i++) {
        failed = open_column(&columns[i], PyTuple_GET_ITEM(names, i), values, i, array_type) < 0;
        if (!failed) {
            set_prefix(&columns[i], PyTuple_GET_ITEM(prefixes, i), simple_floats);
        }
    }
    if (failed || check_lengths(columns, n, names) < 0) {
        fc_columns_close(columns, n);
        return NULL;
    }
    return columns;
}
