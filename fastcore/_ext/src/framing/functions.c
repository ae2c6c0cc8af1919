/* packb, unpackb and frame as Python calls them. */
#include "framing/codec.h"

#include "common/arguments.h"
#include "common/errors.h"

/* Whether the positional arguments are one, or up to `most`. */
static int check_positional(const char *function, Py_ssize_t nargs, Py_ssize_t most, const char *first) {
    if (nargs == 0) {
        return fc_missing_argument(function, first);
    }
    return nargs > most ? fc_too_many_arguments(function, 1, most, nargs, 0) : 0;
}

static PyObject *packb(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names) {
    (void)self;
    if (FC_LIKELY(nargs == 1 && names == NULL)) {
        return fc_pack(args[0], &fc_pack_defaults);
    }
    if (check_positional("packb", nargs, 1, "obj") < 0) {
        return NULL;
    }
    fc_pack_options options = fc_pack_defaults;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        int known = fc_pack_option(&options, name, args[nargs + i]);
        if (known <= 0) {
            return known < 0 || fc_unexpected_keyword("packb", name) ? NULL : NULL;
        }
    }
    return fc_pack(args[0], &options);
}

static PyObject *extra_data(PyObject *found, const uint8_t *at, const uint8_t *end) {
    PyObject *type = fc_get(&fc_ExtraData);
    PyObject *error =
        type == NULL ? NULL : PyObject_CallFunction(type, "Oy#", found, (const char *)at, (Py_ssize_t)(end - at));
    Py_DECREF(found);
    if (error != NULL) {
        PyErr_SetObject(type, error);
        Py_DECREF(error);
    }
    return NULL;
}

static PyObject *builder_failed(void) {
    PyErr_SetString(PyExc_SystemError, "data: a walk found it good and the builder did not");
    return NULL;
}

static PyObject *unpack_bytes(const uint8_t *data, Py_ssize_t size, const fc_unpack_options *options) {
    const uint8_t *at = data, *end = data + size;
    if (options->walk_first) {
        fc_walk walk;
        fc_walk_init(&walk, -1);
        if (fc_walk_on(&walk, options, data, size) != FC_WALK_DONE) {
            return NULL;
        }
    }
    PyObject *found = fc_build(&at, end, options);
    if (FC_UNLIKELY(found == NULL)) {
        if (!options->walk_first) { /* what the walk has to say goes before what the builder met */
            PyObject *error = fc_take_exception();
            fc_walk walk;
            fc_walk_init(&walk, -1);
            if (fc_walk_on(&walk, options, data, size) == FC_WALK_DONE) {
                fc_raise_exception(error);
            } else {
                Py_XDECREF(error);
            }
        }
        return PyErr_Occurred() ? NULL : builder_failed();
    }
    return FC_LIKELY(at == end) ? found : extra_data(found, at, end);
}

PyObject *fc_build_whole(const uint8_t *data, const uint8_t *end, const fc_unpack_options *options) {
    const uint8_t *at = data;
    PyObject *found = fc_build(&at, end, options);
    return found != NULL || PyErr_Occurred() ? found : builder_failed();
}

PyObject *fc_unpack(PyObject *data, const fc_unpack_options *options) {
    if (FC_LIKELY(PyBytes_CheckExact(data))) {
        return unpack_bytes((const uint8_t *)PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), options);
    }
    Py_buffer view;
    if (!PyObject_CheckBuffer(data)) {
        return PyErr_Format(PyExc_TypeError, "data: expected a bytes-like object, got %s", fc_type_name(data));
    }
    if (PyObject_GetBuffer(data, &view, PyBUF_FULL_RO) < 0) {
        return NULL;
    }
    PyObject *found = NULL;
    if (view.itemsize != 1) {
        PyErr_Format(PyExc_ValueError, "data: expected items of one byte, got items of %zd", view.itemsize);
    } else { /* a copy: hooks may change what they can reach */
        PyObject *copy = PyBytes_FromStringAndSize(NULL, view.len);
        if (copy != NULL && PyBuffer_ToContiguous(PyBytes_AS_STRING(copy), &view, view.len, 'C') == 0) {
            PyBuffer_Release(&view);
            found = unpack_bytes((const uint8_t *)PyBytes_AS_STRING(copy), PyBytes_GET_SIZE(copy), options);
            Py_DECREF(copy);
            return found;
        }
        Py_XDECREF(copy);
    }
    PyBuffer_Release(&view);
    return found;
}

static PyObject *unpackb(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names) {
    (void)self;
    if (FC_LIKELY(nargs == 1 && names == NULL)) {
        return fc_unpack(args[0], &fc_unpack_defaults);
    }
    if (check_positional("unpackb", nargs, 1, "data") < 0) {
        return NULL;
    }
    fc_unpack_options options = fc_unpack_defaults;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        int known = fc_unpack_option(&options, name, args[nargs + i]);
        if (known <= 0) {
            return known < 0 || fc_unexpected_keyword("unpackb", name) ? NULL : NULL;
        }
    }
    return fc_unpack_options_done(&options) < 0 ? NULL : fc_unpack(args[0], &options);
}

/* frame(obj, compress=False, *, level, wbits, threshold, and what packb takes) */
static PyObject *frame(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names) {
    (void)self;
    if (FC_LIKELY(nargs == 1 && names == NULL)) {
        return fc_frame(args[0], &fc_pack_defaults, 0x2);
    }
    if (check_positional("frame", nargs, 2, "obj") < 0) {
        return NULL;
    }
    fc_pack_options options = fc_pack_defaults;
    PyObject *compress = nargs > 1 ? args[1] : Py_False, *deflate = NULL, *result = NULL;
    for (Py_ssize_t i = 0; names != NULL && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i), *value = args[nargs + i];
        if (fc_is_name(name, "compress")) {
            if (nargs > 1) {
                fc_multiple_values("frame", name);
                goto done;
            }
            compress = value;
        } else if (fc_is_name(name, "level") || fc_is_name(name, "wbits") || fc_is_name(name, "threshold")) {
            if ((deflate == NULL && (deflate = PyDict_New()) == NULL) || PyDict_SetItem(deflate, name, value) < 0) {
                goto done;
            }
        } else {
            int known = fc_pack_option(&options, name, value);
            if (known < 0 || (known == 0 && fc_unexpected_keyword("frame", name) < 0)) {
                goto done;
            }
        }
    }
    int wanted = FC_GUARDED_INT(PyObject_IsTrue(compress));
    if (wanted == 0) {
        result = fc_frame(args[0], &options, 0x2);
    } else if (wanted > 0) {
        PyObject *call = fc_get(&fc_frame_packed), *payload = call == NULL ? NULL : fc_pack(args[0], &options);
        PyObject *positional = payload == NULL ? NULL : PyTuple_Pack(2, payload, Py_True);
        if (positional != NULL) {
            result = FC_GUARDED(PyObject_Call(call, positional, deflate));
        }
        Py_XDECREF(payload);
        Py_XDECREF(positional);
    }
done:
    Py_XDECREF(deflate);
    return result;
}

static PyMethodDef functions[] = {
    {"packb", FC_METHOD(packb), FC_KEYWORDS, NULL},
    {"unpackb", FC_METHOD(unpackb), FC_KEYWORDS, NULL},
    {"frame", FC_METHOD(frame), FC_KEYWORDS, NULL},
};

PyObject *fc_function(int which, PyObject *module_name) {
    return PyCFunction_NewEx(&functions[which], NULL, module_name);
}
