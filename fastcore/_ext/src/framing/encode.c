/* Objects to msgpack: the rules of python_fallback/framing/encode.py. */
#include "framing/codec.h"

#include "common/errors.h"

enum { CONVERTED = 1 };
static const char LIST_CHANGED[] = "obj: expected a list that stays as it is while it is packed";
static const char DICT_CHANGED[] = "obj: expected a dict that stays as it is while it is packed";
char *fc_too_long(PyObject *obj, Py_ssize_t n) {
    PyErr_Format(PyExc_ValueError, "obj: expected a length of at most 2**32-1, got %s of %zd", fc_type_name(obj), n);
    return NULL;
}

static char *raw_header(char *p, Py_ssize_t n, int bin_type) {
    if (n <= 0x1F) {
        *p = (char)(0xA0 | n);
        return p + 1;
    }
    if (n <= 0xFF && bin_type) {
        p[0] = (char)0xD9, p[1] = (char)n;
        return p + 2;
    }
    if (n <= 0xFFFF) {
        *p = (char)0xDA;
        return fc_be16(p + 1, (uint32_t)n);
    }
    *p = (char)0xDB;
    return fc_be32(p + 1, (uint32_t)n);
}

static char *bin_header(char *p, Py_ssize_t n, int bin_type) {
    if (!bin_type) {
        return raw_header(p, n, 0);
    }
    if (n <= 0xFF) {
        p[0] = (char)0xC4, p[1] = (char)n;
        return p + 2;
    }
    if (n <= 0xFFFF) {
        *p = (char)0xC5;
        return fc_be16(p + 1, (uint32_t)n);
    }
    *p = (char)0xC6;
    return fc_be32(p + 1, (uint32_t)n);
}

static char *put_raw(fc_writer *w, char *p, PyObject *obj, const char *data, Py_ssize_t n) {
    if (!fc_fits_header(n)) {
        return fc_too_long(obj, n);
    }
    if ((p = fc_room(w, p, n + 5)) == NULL) {
        return NULL;
    }
    p = raw_header(p, n, w->options->bin_type);
    memcpy(p, data, (size_t)n);
    return p + n;
}

static char *put_bin(fc_writer *w, char *p, PyObject *obj, const char *data, Py_ssize_t n) {
    if (!fc_fits_header(n)) {
        return fc_too_long(obj, n);
    }
    if ((p = fc_room(w, p, n + 5)) == NULL) {
        return NULL;
    }
    p = bin_header(p, n, w->options->bin_type);
    memcpy(p, data, (size_t)n);
    return p + n;
}

static FC_NOINLINE char *put_str_slow(fc_writer *w, char *p, PyObject *obj) {
    Py_ssize_t n;
    if (w->options->errors != NULL) {
        const char *errors = PyUnicode_AsUTF8(w->options->errors);
        PyObject *data = errors == NULL ? NULL : PyUnicode_AsEncodedString(obj, "utf-8", errors);
        if (data == NULL) {
            return NULL;
        }
        p = put_raw(w, p, obj, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data));
        Py_DECREF(data);
        return p;
    }
    const char *data = PyUnicode_AsUTF8AndSize(obj, &n);
    return data == NULL ? NULL : put_raw(w, p, obj, data, n);
}

char *fc_put_long_str(fc_writer *w, char *p, PyObject *obj) {
    if (PyUnicode_IS_COMPACT_ASCII(obj)) {
        return put_raw(w, p, obj, (const char *)(((PyASCIIObject *)obj) + 1), PyUnicode_GET_LENGTH(obj));
    }
    return put_str_slow(w, p, obj);
}

/* The value of a short int in *x; 0 for one that is not short. */
FC_INLINE int short_int(PyObject *obj, int64_t *x) {
#if PY_VERSION_HEX >= 0x030C0000
    if (PyUnstable_Long_IsCompact((PyLongObject *)obj)) {
        *x = PyUnstable_Long_CompactValue((PyLongObject *)obj);
        return 1;
    }
#else
    Py_ssize_t digits = Py_SIZE(obj);
    if (digits >= -1 && digits <= 1) {
        *x = digits * (int64_t)((PyLongObject *)obj)->ob_digit[0];
        return 1;
    }
#if PyLong_SHIFT == 30
    if (digits == 2) {
        const digit *d = ((PyLongObject *)obj)->ob_digit;
        *x = (int64_t)d[1] << PyLong_SHIFT | d[0];
        return 1;
    }
#endif
#endif
    return 0;
}

static FC_NOINLINE char *put_other(fc_writer *w, char *p, PyObject *obj, int room, int flags);

static FC_NOINLINE char *put_long_int(fc_writer *w, char *p, PyObject *obj, int room, int flags) {
    int overflow;
    int64_t x = PyLong_AsLongLongAndOverflow(obj, &overflow);
    if (!overflow) {
        return fc_put_int(p, x);
    }
    if (overflow > 0) {
        uint64_t u = PyLong_AsUnsignedLongLong(obj);
        if (u != (uint64_t)-1 || !PyErr_Occurred()) {
            return fc_put_uint(p, u);
        }
        PyErr_Clear();
    }
    return put_other(w, p, obj, room, flags);
}

FC_INLINE char *put_float(fc_writer *w, char *p, PyObject *obj) {
    double x = PyFloat_AS_DOUBLE(obj);
    if (FC_UNLIKELY(w->options->single_float)) {
        *p = (char)0xCA;
        return PyFloat_Pack4(x, p + 1, 0) < 0 ? NULL : p + 5;
    }
    return fc_put_double(p, x);
}

/* A RecursionError is set where there is room left. */
static FC_NOINLINE char *too_deep(fc_writer *w, int room) {
    if (room > 0) {
        return NULL;
    }
    PyErr_Format(PyExc_ValueError, "max_depth: expected at most %d nested levels, got more", w->options->max_depth);
    return NULL;
}

/* What cannot run any code of the caller's; 0 in *done says that `obj` is something else. */
FC_INLINE char *put_leaf(fc_writer *w, char *p, PyObject *obj, int *done) {
    PyTypeObject *type = Py_TYPE(obj);
    *done = 1;
    if (type == &PyUnicode_Type) {
        return fc_put_str(w, p, obj);
    }
    if (type == &PyFloat_Type) {
        if ((p = fc_room(w, p, 0)) == NULL) {
            return NULL;
        }
        return put_float(w, p, obj);
    }
    if (type == &PyLong_Type) {
        int64_t x;
        if (FC_LIKELY(short_int(obj, &x))) {
            if ((p = fc_room(w, p, 0)) == NULL) {
                return NULL;
            }
            return fc_put_int(p, x);
        }
    } else if (obj == Py_None || obj == Py_True || obj == Py_False) {
        if ((p = fc_room(w, p, 0)) == NULL) {
            return NULL;
        }
        *p = (char)(obj == Py_None ? 0xC0 : obj == Py_True ? 0xC3 : 0xC2);
        return p + 1;
    }
    *done = 0;
    return p;
}

FC_INLINE char *put_item(fc_writer *w, char *p, PyObject *obj, int room) {
    int done;
    p = put_leaf(w, p, obj, &done);
    if (FC_LIKELY(done)) {
        return p;
    }
    Py_INCREF(obj); /* what is called below may take it out of its container */
    p = fc_put(w, p, obj, room, 0);
    Py_DECREF(obj);
    return p;
}

static char *put_dict(fc_writer *w, char *p, PyObject *obj, int room) {
    if (FC_UNLIKELY(!fc_level_fits(room))) {
        return too_deep(w, room);
    }
    Py_ssize_t n = PyDict_GET_SIZE(obj), at = 0;
    if (!fc_fits_header(n)) {
        return fc_too_long(obj, n);
    }
    p = fc_head_map(p, (uint64_t)n);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *key, *value;
        int done;
        if (FC_UNLIKELY(PyDict_GET_SIZE(obj) != n || !PyDict_Next(obj, &at, &key, &value))) {
            PyErr_SetString(PyExc_RuntimeError, DICT_CHANGED);
            return NULL;
        }
        if (FC_LIKELY(PyUnicode_CheckExact(key))) {
            if (FC_UNLIKELY(w->options->errors != NULL)) { /* its handler may take the item out */
                Py_INCREF(key);
                Py_INCREF(value);
                p = fc_put_str(w, p, key);
                if (p != NULL) {
                    p = fc_put(w, p, value, room - 1, 0);
                }
                Py_DECREF(key);
                Py_DECREF(value);
            } else {
                if ((p = fc_put_str(w, p, key)) == NULL) {
                    return NULL;
                }
                p = put_leaf(w, p, value, &done);
                if (FC_UNLIKELY(!done)) {
                    Py_INCREF(value);
                    p = fc_put(w, p, value, room - 1, 0);
                    Py_DECREF(value);
                }
            }
        } else {
            Py_INCREF(key);
            Py_INCREF(value);
            p = fc_put(w, p, key, room - 1, 0);
            if (p != NULL) {
                p = fc_put(w, p, value, room - 1, 0);
            }
            Py_DECREF(key);
            Py_DECREF(value);
        }
        if (FC_UNLIKELY(p == NULL)) {
            return NULL;
        }
    }
    if (PyDict_GET_SIZE(obj) != n) {
        PyErr_SetString(PyExc_RuntimeError, DICT_CHANGED);
        return NULL;
    }
    return p;
}

static char *put_list(fc_writer *w, char *p, PyObject *obj, int room) {
    if (FC_UNLIKELY(!fc_level_fits(room))) {
        return too_deep(w, room);
    }
    Py_ssize_t n = PyList_GET_SIZE(obj);
    if (!fc_fits_header(n)) {
        return fc_too_long(obj, n);
    }
    p = fc_head_array(p, (uint64_t)n);
    for (Py_ssize_t i = 0; i < n; i++) {
        if (FC_UNLIKELY(PyList_GET_SIZE(obj) != n)) {
            break;
        }
        if ((p = put_item(w, p, PyList_GET_ITEM(obj, i), room - 1)) == NULL) {
            return NULL;
        }
    }
    if (PyList_GET_SIZE(obj) != n) {
        PyErr_SetString(PyExc_RuntimeError, LIST_CHANGED);
        return NULL;
    }
    return p;
}

static char *put_tuple(fc_writer *w, char *p, PyObject *obj, int room) {
    if (FC_UNLIKELY(!fc_level_fits(room))) {
        return too_deep(w, room);
    }
    Py_ssize_t n = PyTuple_GET_SIZE(obj);
    if (!fc_fits_header(n)) {
        return fc_too_long(obj, n);
    }
    p = fc_head_array(p, (uint64_t)n);
    for (Py_ssize_t i = 0; i < n && p != NULL; i++) {
        p = put_item(w, p, PyTuple_GET_ITEM(obj, i), room - 1);
    }
    return p;
}

/* The pairs, in a list that no other code refers to. */
char *fc_put_pairs(fc_writer *w, char *p, PyObject *pairs, int room) {
    if (FC_UNLIKELY(!fc_level_fits(room))) {
        return too_deep(w, room);
    }
    Py_ssize_t n = PyList_GET_SIZE(pairs);
    p = fc_fits_header(n) ? fc_head_map(p, (uint64_t)n) : fc_too_long(pairs, n);
    for (Py_ssize_t i = 0; i < n && p != NULL; i++) {
        PyObject *pair = PyList_GET_ITEM(pairs, i);
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_Format(PyExc_TypeError, "items: expected pairs of key and value, got %s", fc_type_name(pair));
            return NULL;
        }
        p = put_item(w, p, PyTuple_GET_ITEM(pair, 0), room - 1);
        if (p != NULL) {
            p = put_item(w, p, PyTuple_GET_ITEM(pair, 1), room - 1);
        }
    }
    return p;
}

/* A subclass of dict says itself what its items are, and in which order. */
static char *put_dict_subclass(fc_writer *w, char *p, PyObject *obj, int room) {
    if (FC_UNLIKELY(!fc_level_fits(room))) {
        return too_deep(w, room);
    }
    PyObject *items = FC_GUARDED(PyObject_CallMethod(obj, "items", NULL));
    PyObject *pairs = items == NULL ? NULL : FC_GUARDED(PySequence_List(items));
    Py_XDECREF(items);
    if (pairs == NULL) {
        return NULL;
    }
    p = fc_put_pairs(w, p, pairs, room);
    Py_DECREF(pairs);
    return p;
}

static char *put_buffer(fc_writer *w, char *p, PyObject *obj) {
    Py_buffer view;
    if (PyObject_GetBuffer(obj, &view, PyBUF_FULL_RO) < 0) {
        return NULL;
    }
    if (PyBuffer_IsContiguous(&view, 'C')) {
        p = put_bin(w, p, obj, view.buf, view.len);
    } else {
        PyObject *copy = PyBytes_FromStringAndSize(NULL, view.len);
        if (copy == NULL || PyBuffer_ToContiguous(PyBytes_AS_STRING(copy), &view, view.len, 'C') < 0) {
            p = NULL;
        } else {
            p = put_bin(w, p, obj, PyBytes_AS_STRING(copy), view.len);
        }
        Py_XDECREF(copy);
    }
    PyBuffer_Release(&view);
    return p;
}

static int is_or_extends(PyTypeObject *type, fc_import *what, int strict) {
    PyTypeObject *cls = (PyTypeObject *)fc_get(what);
    if (cls == NULL) {
        return -1;
    }
    return type == cls || (!strict && PyType_IsSubtype(type, cls));
}

char *fc_put(fc_writer *w, char *p, PyObject *obj, int room, int flags) {
    PyTypeObject *type = Py_TYPE(obj);
    int done;
    p = put_leaf(w, p, obj, &done);
    if (done) {
        return p;
    }
    if ((p = fc_room(w, p, 0)) == NULL) {
        return NULL;
    }
    if (type == &PyDict_Type) {
        return put_dict(w, p, obj, room);
    }
    if (type == &PyList_Type) {
        return put_list(w, p, obj, room);
    }
    int strict = w->options->strict_types;
    if (type == &PyTuple_Type && !strict) {
        return put_tuple(w, p, obj, room);
    }
    if (type == &PyLong_Type || (!strict && PyLong_Check(obj))) {
        return put_long_int(w, p, obj, room, flags);
    }
    if (type == &PyBytes_Type || (!strict && PyBytes_Check(obj))) {
        return put_bin(w, p, obj, PyBytes_AS_STRING(obj), PyBytes_GET_SIZE(obj));
    }
    if (!strict) {
        if (PyFloat_Check(obj)) {
            return put_float(w, p, obj);
        }
        if (PyUnicode_Check(obj)) {
            return put_str_slow(w, p, obj);
        }
        if (PyDict_Check(obj)) {
            return put_dict_subclass(w, p, obj, room);
        }
        if (PyList_Check(obj)) {
            return put_list(w, p, obj, room);
        }
        if (PyByteArray_Check(obj)) {
            return put_buffer(w, p, obj);
        }
    } else if (type == &PyByteArray_Type) {
        return put_buffer(w, p, obj);
    }
    if (type == &PyMemoryView_Type) {
        return put_buffer(w, p, obj);
    }
    if (PyTuple_Check(obj)) {
        if ((done = is_or_extends(type, &fc_ExtType, strict)) != 0) {
            return done < 0 ? NULL : fc_put_ext(w, p, obj);
        }
        if (!strict) {
            return put_tuple(w, p, obj, room);
        }
    }
    if ((done = is_or_extends(type, &fc_Timestamp, strict)) != 0) {
        return done < 0 ? NULL : fc_put_stamp(w, p, obj);
    }
    return put_other(w, p, obj, room, flags);
}

/* What msgpack has no type for: by the options first, then by the caller's `default`, which is asked once. */
static FC_NOINLINE char *put_other(fc_writer *w, char *p, PyObject *obj, int room, int flags) {
    const fc_pack_options *o = w->options;
    PyObject *flag = o->datetime ? Py_True : Py_False;
    if (o->datetime || o->decimal != NULL || o->numpy) {
        PyObject *convert = fc_get(&fc_convert);
        PyObject *found =
            convert == NULL
                ? NULL
                : FC_GUARDED(PyObject_CallFunctionObjArgs(convert, obj, flag, o->decimal != NULL ? o->decimal : Py_None,
                                                          o->numpy ? Py_True : Py_False, NULL));
        if (found == NULL) {
            return NULL;
        }
        if (found != Py_NotImplemented) {
            if (PyList_CheckExact(found)) {
                p = fc_put(w, p, found, room, 0);
            } else { /* an array without dimensions may hold itself */
                p = room == 0 ? too_deep(w, room) : fc_put(w, p, found, room - 1, flags);
            }
            Py_DECREF(found);
            return p;
        }
        Py_DECREF(found);
    }
    if (o->fallback != NULL && !(flags & CONVERTED)) {
        PyObject *found = FC_GUARDED(PyObject_CallOneArg(o->fallback, obj));
        if (found != NULL) {
            p = fc_put(w, p, found, room, CONVERTED);
            Py_DECREF(found);
        } else {
            p = NULL;
        }
        return p;
    }
    PyObject *rest = fc_get(&fc_convert_rest);
    PyObject *found =
        rest == NULL ? NULL
                     : FC_GUARDED(PyObject_CallFunctionObjArgs(rest, obj, flag, o->numpy ? Py_True : Py_False, NULL));
    p = found == NULL ? NULL : fc_put(w, p, found, room, CONVERTED);
    Py_XDECREF(found);
    return p;
}
