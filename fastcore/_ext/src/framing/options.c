/* Options of packing and unpacking, as keyword arguments; the same errors as python_fallback/framing/options.py. */
#include "framing/codec.h"

#include <stddef.h>

#include "common/arguments.h"
#include "common/errors.h"

const fc_pack_options fc_pack_defaults = {.bin_type = 1, .max_depth = FC_MAX_DEPTH};
const fc_unpack_options fc_unpack_defaults = {
    .use_list = 1,
    .strict_map_key = 1,
    .max_depth = FC_MAX_DEPTH,
    .max_str_len = FC_NO_LIMIT,
    .max_bin_len = FC_NO_LIMIT,
    .max_array_len = FC_NO_LIMIT,
    .max_map_len = FC_NO_LIMIT,
    .max_ext_len = FC_NO_LIMIT,
    .max_memory = FC_NO_LIMIT,
};

fc_import fc_ExtType = {"msgpack", "ExtType", NULL};
fc_import fc_Timestamp = {"msgpack", "Timestamp", NULL};
fc_import fc_FormatError = {"msgpack", "FormatError", NULL};
fc_import fc_StackError = {"msgpack", "StackError", NULL};
fc_import fc_BufferFull = {"msgpack", "BufferFull", NULL};
fc_import fc_Incomplete = {"python_fallback.shared.framing.errors", "Incomplete", NULL};
fc_import fc_ExtraData = {"python_fallback.shared.framing.errors", "ExtraData", NULL};
fc_import fc_convert = {"python_fallback.shared.framing.convert", "convert", NULL};
fc_import fc_convert_rest = {"python_fallback.shared.framing.convert", "convert_rest", NULL};
fc_import fc_frame_packed = {"python_fallback.shared.framing.websocket_frame", "frame_packed", NULL};

fc_import fc_column_of = {"python_fallback.shared.framing.columns", "column_of", NULL};

static int set_flag(void *field, const char *name, PyObject *value) {
    (void)name;
    int *out = field;
    int truth = FC_GUARDED_INT(PyObject_IsTrue(value));
    if (truth < 0) {
        return -1;
    }
    *out = truth;
    return 1;
}

static int set_callable(void *field, const char *name, PyObject *value) {
    PyObject **out = field;
    if (value == Py_None) {
        *out = NULL;
        return 1;
    }
    if (!PyCallable_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s: expected a callable or None, got %s", name, fc_type_name(value));
        return -1;
    }
    *out = value;
    return 1;
}

static int set_errors(void *field, const char *name, PyObject *value) {
    PyObject **out = field;
    if (value == Py_None) {
        *out = NULL;
        return 1;
    }
    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s: expected a str or None, got %s", name, fc_type_name(value));
        return -1;
    }
    *out = fc_is_name(value, "strict") ? NULL : value;
    return 1;
}

int fc_int_option(const char *name, PyObject *value, int64_t low, int64_t high, int64_t *out) {
    if (!PyLong_Check(value) || PyBool_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s: expected an int in %lld..%lld, got %s", name, (long long)low,
                     (long long)high, fc_type_name(value));
        return -1;
    }
    int overflow;
    int64_t x = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow || x < low || x > high) {
        fc_raise(PyExc_ValueError, "%s: expected an int in %lld..%lld, got %S", name, (long long)low, (long long)high,
                 value);
        return -1;
    }
    *out = x;
    return 1;
}

static int set_depth(void *field, const char *name, PyObject *value) {
    int *out = field;
    int64_t depth;
    if (fc_int_option(name, value, 1, FC_DEPTH_LIMIT, &depth) < 0) {
        return -1;
    }
    *out = (int)depth;
    return 1;
}

static int set_limit(void *field, const char *name, PyObject *value) {
    int64_t *out = field;
    int overflow = 0;
    if (value == Py_None ||
        (PyLong_Check(value) && PyLong_AsLongLongAndOverflow(value, &overflow) == -1 && !overflow)) {
        *out = FC_NO_LIMIT;
        return 1;
    }
    return fc_int_option(name, value, 0, FC_NO_LIMIT, out);
}

static int set_decimal(void *field, const char *name, PyObject *value) {
    PyObject **out = field;
    if (value == Py_None) {
        *out = NULL;
        return 1;
    }
    if (PyUnicode_Check(value) && (fc_is_name(value, "str") || fc_is_name(value, "float"))) {
        *out = value;
        return 1;
    }
    fc_raise(PyExc_ValueError, "%s: expected 'str', 'float' or None, got %R", name, value);
    return -1;
}

static int set_timestamp(void *field, const char *name, PyObject *value) {
    int *out = field;
    int64_t form;
    if (fc_int_option(name, value, 0, 3, &form) < 0) {
        return -1;
    }
    *out = (int)form;
    return 1;
}

/* How an option is checked, and where it goes. */
typedef struct {
    const char *name;
    int (*set)(void *field, const char *name, PyObject *value);
    size_t at;
} option;

static const option PACK[] = {
    {"default", set_callable, offsetof(fc_pack_options, fallback)},
    {"use_single_float", set_flag, offsetof(fc_pack_options, single_float)},
    {"use_bin_type", set_flag, offsetof(fc_pack_options, bin_type)},
    {"strict_types", set_flag, offsetof(fc_pack_options, strict_types)},
    {"datetime", set_flag, offsetof(fc_pack_options, datetime)},
    {"unicode_errors", set_errors, offsetof(fc_pack_options, errors)},
    {"numpy", set_flag, offsetof(fc_pack_options, numpy)},
    {"decimal", set_decimal, offsetof(fc_pack_options, decimal)},
    {"max_depth", set_depth, offsetof(fc_pack_options, max_depth)},
    {NULL, NULL, 0},
};
static const option UNPACK[] = {
    {"use_list", set_flag, offsetof(fc_unpack_options, use_list)},
    {"raw", set_flag, offsetof(fc_unpack_options, raw)},
    {"strict_map_key", set_flag, offsetof(fc_unpack_options, strict_map_key)},
    {"object_hook", set_callable, offsetof(fc_unpack_options, object_hook)},
    {"object_pairs_hook", set_callable, offsetof(fc_unpack_options, object_pairs_hook)},
    {"list_hook", set_callable, offsetof(fc_unpack_options, list_hook)},
    {"ext_hook", set_callable, offsetof(fc_unpack_options, ext_hook)},
    {"unicode_errors", set_errors, offsetof(fc_unpack_options, errors)},
    {"max_str_len", set_limit, offsetof(fc_unpack_options, max_str_len)},
    {"max_bin_len", set_limit, offsetof(fc_unpack_options, max_bin_len)},
    {"max_array_len", set_limit, offsetof(fc_unpack_options, max_array_len)},
    {"max_map_len", set_limit, offsetof(fc_unpack_options, max_map_len)},
    {"max_ext_len", set_limit, offsetof(fc_unpack_options, max_ext_len)},
    {"max_memory", set_limit, offsetof(fc_unpack_options, max_memory)},
    {"max_depth", set_depth, offsetof(fc_unpack_options, max_depth)},
    {"timestamp", set_timestamp, offsetof(fc_unpack_options, timestamp)},
    {NULL, NULL, 0},
};

static int set_option(const option *known, void *options, PyObject *name, PyObject *value) {
    for (; known->name != NULL; known++) {
        if (fc_is_name(name, known->name)) {
            return known->set((char *)options + known->at, known->name, value);
        }
    }
    return 0;
}

int fc_pack_option(fc_pack_options *o, PyObject *name, PyObject *value) { return set_option(PACK, o, name, value); }

int fc_unpack_option(fc_unpack_options *o, PyObject *name, PyObject *value) {
    return set_option(UNPACK, o, name, value);
}

int fc_unpack_options_done(fc_unpack_options *o) {
    if (o->object_hook != NULL && o->object_pairs_hook != NULL) {
        PyErr_SetString(PyExc_TypeError, "object_pairs_hook: expected None together with an object_hook, got both");
        return -1;
    }
    o->walk_first = o->object_hook != NULL || o->object_pairs_hook != NULL || o->list_hook != NULL ||
                    o->ext_hook != NULL || o->errors != NULL || o->max_str_len != FC_NO_LIMIT ||
                    o->max_bin_len != FC_NO_LIMIT || o->max_array_len != FC_NO_LIMIT || o->max_map_len != FC_NO_LIMIT ||
                    o->max_ext_len != FC_NO_LIMIT || o->max_memory != FC_NO_LIMIT;
    return 0;
}
