/* Columns that rows are packed from, opened: where their values lie and of which kind they are. They are those of
 * python_fallback/shared/framing/columns.py. */
#ifndef FASTCORE_FRAMING_COLUMNS_H
#define FASTCORE_FRAMING_COLUMNS_H

#include "framing/codec.h"

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
enum { PREFIX_ROOM = 32 };

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

int fc_column_error(const char *what); /* -1 with a SystemError */

/* Opens one for each of `names`; NULL with an error. `values` is a list that no other code refers to, and holds what is
 * borrowed; `prefixes` are what goes before the value of each column in every row. */
column *fc_columns_open(PyObject *names, PyObject *values, PyObject *prefixes, PyObject *array_type, int simple_floats);
void fc_columns_close(column *columns, Py_ssize_t n);

#endif
