/* Objects to msgpack: the rules of python_fallback/framing/encode.py. */
#include "framing_codec.h"

enum { CONVERTED = 1 };
static const char LIST_CHANGED[] = "obj: expected a list that stays as it is while it is packed";
static const char DICT_CHANGED[] = "obj: expected a dict that stays as it is while it is packed";
static Py_ssize_t last_long; /* what the last long message took: a guess for the next */

void fc_writer_init(fc_writer *w, const fc_pack_options *options)
{
    w->base = w->local;
    w->end = w->local + FC_LOCAL - FC_SLACK;
    w->bytes = NULL;
    w->options = options;
}

void fc_writer_drop(fc_writer *w)
{
    Py_CLEAR(w->bytes);
}

FC_NOINLINE char *fc_writer_grow(fc_writer *w, char *p, Py_ssize_t need)
{
    Py_ssize_t used = p - w->base, size = w->end - w->base;
    if (need > PY_SSIZE_T_MAX / 4 - used) {
        PyErr_NoMemory();
        return NULL;
    }
    size = size * 2 > used + need ? size * 2 : used + need;
    if (w->bytes == NULL) {
        if (size < last_long) {
            size = last_long;
        }
        w->bytes = PyBytes_FromStringAndSize(NULL, size + FC_SLACK);
        if (w->bytes == NULL) {
            return NULL;
        }
        memcpy(PyBytes_AS_STRING(w->bytes), w->base, (size_t)used);
    } else if (_PyBytes_Resize(&w->bytes, size + FC_SLACK) < 0) {
        return NULL;
    }
    w->base = PyBytes_AS_STRING(w->bytes);
    w->end = w->base + size;
    return w->base + used;
}

PyObject *fc_writer_finish(fc_writer *w, char *from, char *to)
{
    PyObject *done = w->bytes;
    if (done != NULL) {
        last_long = to - w->base + (to - w->base) / 16;
        if (last_long > (1 << 20)) {
            last_long = 1 << 20;
        }
        if (from == w->base) {
            w->bytes = NULL;
            _PyBytes_Resize(&done, to - from);
            return done;
        }
    }
    done = PyBytes_FromStringAndSize(from, to - from);
    Py_CLEAR(w->bytes);
    return done;
}

static char *too_long(PyObject *obj, Py_ssize_t n)
{
    PyErr_Format(PyExc_ValueError, "obj: expected a length of at most 2**32-1, got %.200s of %zd",
                 Py_TYPE(obj)->tp_name, n);
    return NULL;
}

static inline int fits_header(Py_ssize_t n)
{
    return (uint64_t)n <= UINT32_MAX;
}

static char *raw_header(char *p, Py_ssize_t n, int bin_type)
{
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

static char *bin_header(char *p, Py_ssize_t n, int bin_type)
{
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

static char *put_raw(fc_writer *w, char *p, PyObject *obj, const char *data, Py_ssize_t n)
{
    if (!fits_header(n)) {
        return too_long(obj, n);
    }
    if ((p = fc_room(w, p, n + 5)) == NULL) {
        return NULL;
    }
    p = raw_header(p, n, w->options->bin_type);
    memcpy(p, data, (size_t)n);
    return p + n;
}

static char *put_bin(fc_writer *w, char *p, PyObject *obj, const char *data, Py_ssize_t n)
{
    if (!fits_header(n)) {
        return too_long(obj, n);
    }
    if ((p = fc_room(w, p, n + 5)) == NULL) {
        return NULL;
    }
    p = bin_header(p, n, w->options->bin_type);
    memcpy(p, data, (size_t)n);
    return p + n;
}

static FC_NOINLINE char *put_str_slow(fc_writer *w, char *p, PyObject *obj)
{
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

char *fc_put_long_str(fc_writer *w, char *p, PyObject *obj)
{
    if (PyUnicode_IS_COMPACT_ASCII(obj)) {
        return put_raw(w, p, obj, (const char *)(((PyASCIIObject *)obj) + 1), PyUnicode_GET_LENGTH(obj));
    }
    return put_str_slow(w, p, obj);
}

/* The value of a short int in *x; 0 for one that is not short. */
FC_INLINE int short_int(PyObject *obj, int64_t *x)
{
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

static FC_NOINLINE char *put_long_int(fc_writer *w, char *p, PyObject *obj, int room, int flags)
{
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

FC_INLINE char *put_float(fc_writer *w, char *p, PyObject *obj)
{
    double x = PyFloat_AS_DOUBLE(obj);
    if (FC_UNLIKELY(w->options->single_float)) {
        *p = (char)0xCA;
        return PyFloat_Pack4(x, p + 1, 0) < 0 ? NULL : p + 5;
    }
    return fc_put_double(p, x);
}

static FC_NOINLINE char *too_deep(fc_writer *w)
{
    PyErr_Format(PyExc_ValueError, "max_depth: expected at most %d nested levels, got more", w->options->max_depth);
    return NULL;
}

/* What cannot run any code of the caller's; NULL in *done says that `obj` is something else. */
FC_INLINE char *put_leaf(fc_writer *w, char *p, PyObject *obj, int *done)
{
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

FC_INLINE char *put_item(fc_writer *w, char *p, PyObject *obj, int room)
{
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

static char *put_dict(fc_writer *w, char *p, PyObject *obj, int room)
{
    if (room == 0) {
        return too_deep(w);
    }
    Py_ssize_t n = PyDict_GET_SIZE(obj), at = 0;
    if (!fits_header(n)) {
        return too_long(obj, n);
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
            if ((p = fc_put_str(w, p, key)) == NULL) {
                return NULL;
            }
            p = put_leaf(w, p, value, &done);
            if (FC_UNLIKELY(!done)) {
                Py_INCREF(value);
                p = fc_put(w, p, value, room - 1, 0);
                Py_DECREF(value);
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

static char *put_list(fc_writer *w, char *p, PyObject *obj, int room)
{
    if (room == 0) {
        return too_deep(w);
    }
    Py_ssize_t n = PyList_GET_SIZE(obj);
    if (!fits_header(n)) {
        return too_long(obj, n);
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

static char *put_tuple(fc_writer *w, char *p, PyObject *obj, int room)
{
    if (room == 0) {
        return too_deep(w);
    }
    Py_ssize_t n = PyTuple_GET_SIZE(obj);
    if (!fits_header(n)) {
        return too_long(obj, n);
    }
    p = fc_head_array(p, (uint64_t)n);
    for (Py_ssize_t i = 0; i < n && p != NULL; i++) {
        p = put_item(w, p, PyTuple_GET_ITEM(obj, i), room - 1);
    }
    return p;
}

/* The pairs in a list that nobody else knows. */
static char *put_pairs(fc_writer *w, char *p, PyObject *pairs, int room)
{
    if (room == 0) {
        return too_deep(w);
    }
    Py_ssize_t n = PyList_GET_SIZE(pairs);
    p = fits_header(n) ? fc_head_map(p, (uint64_t)n) : too_long(pairs, n);
    for (Py_ssize_t i = 0; i < n && p != NULL; i++) {
        PyObject *pair = PyList_GET_ITEM(pairs, i);
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_Format(PyExc_TypeError, "items: expected pairs of key and value, got %.200s", Py_TYPE(pair)->tp_name);
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
static char *put_dict_subclass(fc_writer *w, char *p, PyObject *obj, int room)
{
    if (room == 0) {
        return too_deep(w);
    }
    PyObject *items = PyObject_CallMethod(obj, "items", NULL);
    PyObject *pairs = items == NULL ? NULL : PySequence_List(items);
    Py_XDECREF(items);
    if (pairs == NULL) {
        return NULL;
    }
    p = put_pairs(w, p, pairs, room);
    Py_DECREF(pairs);
    return p;
}

static char *put_buffer(fc_writer *w, char *p, PyObject *obj)
{
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

static char *ext_header(char *p, int code, Py_ssize_t n)
{
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

char *fc_put_timestamp(fc_writer *w, char *p, int64_t seconds, uint32_t nanoseconds)
{
    (void)w;
    if (seconds >= 0 && seconds >> 34 == 0) {
        if (seconds <= UINT32_MAX && nanoseconds == 0) {
            return fc_be32(ext_header(p, -1, 4), (uint32_t)seconds);
        }
        return fc_be64(ext_header(p, -1, 8), (uint64_t)nanoseconds << 34 | (uint64_t)seconds);
    }
    return fc_be64(fc_be32(ext_header(p, -1, 12), nanoseconds), (uint64_t)seconds);
}

static char *put_ext(fc_writer *w, char *p, PyObject *obj)
{
    PyObject *code = PyTuple_GET_SIZE(obj) == 2 ? PyTuple_GET_ITEM(obj, 0) : NULL;
    if (code == NULL) {
        PyErr_Format(PyExc_ValueError, "ExtType: expected a code and data, got %zd items", PyTuple_GET_SIZE(obj));
        return NULL;
    }
    PyObject *data = PyTuple_GET_ITEM(obj, 1);
    int overflow = 0;
    long number = PyLong_CheckExact(code) ? PyLong_AsLongAndOverflow(code, &overflow) : 1000;
    if (overflow || number < -128 || number > 127) {
        PyErr_Format(PyExc_ValueError, "ExtType: expected a code in -128..127, got %R", code);
        return NULL;
    }
    if (!PyBytes_Check(data)) {
        PyErr_Format(PyExc_TypeError, "ExtType: expected data of type bytes, got %.200s", Py_TYPE(data)->tp_name);
        return NULL;
    }
    Py_ssize_t n = PyBytes_GET_SIZE(data);
    if (!fits_header(n)) {
        return too_long(obj, n);
    }
    if ((p = fc_room(w, p, n + 6)) == NULL) {
        return NULL;
    }
    p = ext_header(p, (int)number, n);
    memcpy(p, PyBytes_AS_STRING(data), (size_t)n);
    return p + n;
}

static char *put_timestamp(fc_writer *w, char *p, PyObject *obj)
{
    PyObject *seconds = PyObject_GetAttrString(obj, "seconds");
    PyObject *nanoseconds = seconds == NULL ? NULL : PyObject_GetAttrString(obj, "nanoseconds");
    if (nanoseconds == NULL) {
        p = NULL;
        goto done;
    }
    int overflow = 0;
    int64_t s = PyLong_CheckExact(seconds) ? PyLong_AsLongLongAndOverflow(seconds, &overflow) : 0;
    if (overflow || !PyLong_CheckExact(seconds)) {
        PyErr_Format(PyExc_ValueError, "Timestamp: expected seconds as an int of 64 bits, got %R", seconds);
        p = NULL;
        goto done;
    }
    int64_t ns = PyLong_CheckExact(nanoseconds) ? PyLong_AsLongLongAndOverflow(nanoseconds, &overflow) : -1;
    if (overflow || ns < 0 || ns > 999999999) {
        PyErr_Format(PyExc_ValueError, "Timestamp: expected nanoseconds as an int in 0..999999999, got %R", nanoseconds);
        p = NULL;
        goto done;
    }
    p = fc_put_timestamp(w, p, s, (uint32_t)ns);
done:
    Py_XDECREF(seconds);
    Py_XDECREF(nanoseconds);
    return p;
}

static int is_or_extends(PyTypeObject *type, fc_import *what, int strict)
{
    PyTypeObject *cls = (PyTypeObject *)fc_get(what);
    if (cls == NULL) {
        return -1;
    }
    return type == cls || (!strict && PyType_IsSubtype(type, cls));
}

char *fc_put(fc_writer *w, char *p, PyObject *obj, int room, int flags)
{
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
            return done < 0 ? NULL : put_ext(w, p, obj);
        }
        if (!strict) {
            return put_tuple(w, p, obj, room);
        }
    }
    if ((done = is_or_extends(type, &fc_Timestamp, strict)) != 0) {
        return done < 0 ? NULL : put_timestamp(w, p, obj);
    }
    return put_other(w, p, obj, room, flags);
}

/* What msgpack has no type for: by the options first, then by the caller's `default`, which is asked once. */
static FC_NOINLINE char *put_other(fc_writer *w, char *p, PyObject *obj, int room, int flags)
{
    const fc_pack_options *o = w->options;
    PyObject *flag = o->datetime ? Py_True : Py_False;
    if (o->datetime || o->decimal != NULL || o->numpy) {
        PyObject *convert = fc_get(&fc_convert);
        PyObject *found = convert == NULL ? NULL : PyObject_CallFunctionObjArgs(
            convert, obj, flag, o->decimal != NULL ? o->decimal : Py_None, o->numpy ? Py_True : Py_False, NULL);
        if (found == NULL) {
            return NULL;
        }
        if (found != Py_NotImplemented) {
            if (PyList_CheckExact(found)) {
                p = fc_put(w, p, found, room, 0);
            } else { /* an array without dimensions may hold itself */
                p = room == 0 ? too_deep(w) : fc_put(w, p, found, room - 1, flags);
            }
            Py_DECREF(found);
            return p;
        }
        Py_DECREF(found);
    }
    if (o->fallback != NULL && !(flags & CONVERTED)) {
        if (Py_EnterRecursiveCall(" while packing")) {
            return NULL;
        }
        PyObject *found = PyObject_CallOneArg(o->fallback, obj);
        if (found != NULL) {
            p = fc_put(w, p, found, room, CONVERTED);
            Py_DECREF(found);
        } else {
            p = NULL;
        }
        Py_LeaveRecursiveCall();
        return p;
    }
    PyObject *refusal = fc_get(&fc_refusal);
    PyObject *error = refusal == NULL ? NULL : PyObject_CallFunctionObjArgs(refusal, obj, flag, NULL);
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
    return NULL;
}

PyObject *fc_pack(PyObject *obj, const fc_pack_options *options)
{
    fc_writer w;
    fc_writer_init(&w, options);
    char *p = fc_put(&w, w.base, obj, options->max_depth, 0);
    if (p == NULL) {
        fc_writer_drop(&w);
        return NULL;
    }
    return fc_writer_finish(&w, w.base, p);
}

PyObject *fc_pack_pairs(PyObject *pairs, const fc_pack_options *options)
{
    fc_writer w;
    fc_writer_init(&w, options);
    char *p = put_pairs(&w, w.base, pairs, options->max_depth);
    if (p == NULL) {
        fc_writer_drop(&w);
        return NULL;
    }
    return fc_writer_finish(&w, w.base, p);
}

PyObject *fc_header(int is_map, int64_t n)
{
    char head[8];
    char *end = is_map ? fc_head_map(head, (uint64_t)n) : fc_head_array(head, (uint64_t)n);
    return PyBytes_FromStringAndSize(head, end - head);
}

/* One whole unmasked frame; its header is written last, into the room left before the payload, which ends at p. */
PyObject *fc_finish_frame(fc_writer *w, char *p, int head)
{
    char *payload = w->base + FC_FRAME_HEADER;
    uint64_t n = (uint64_t)(p - payload);
    char *from;
    if (n < 126) {
        from = payload - 2;
        from[1] = (char)n;
    } else if (n <= 0xFFFF) {
        from = payload - 4;
        from[1] = 126;
        fc_be16(from + 2, (uint32_t)n);
    } else {
        from = payload - 10;
        from[1] = 127;
        fc_be64(from + 2, n);
    }
    from[0] = (char)(0x80 | head);
    return fc_writer_finish(w, from, p);
}

PyObject *fc_frame(PyObject *obj, const fc_pack_options *options, int head)
{
    fc_writer w;
    fc_writer_init(&w, options);
    char *p = fc_put(&w, w.base + FC_FRAME_HEADER, obj, options->max_depth, 0);
    if (p == NULL) {
        fc_writer_drop(&w);
        return NULL;
    }
    return fc_finish_frame(&w, p, head);
}
