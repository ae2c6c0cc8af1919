/* Options of packing and unpacking, as keyword arguments; the same errors as python_fallback/framing/options.py. */
#include "framing/codec.h"

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

static int set_flag(int *out, PyObject *value) {
    int truth = FC_GUARDED_INT(PyObject_IsTrue(value));
    if (truth < 0) {
        return -1;
    }
    *out = truth;
    return 1;
}

static int set_callable(PyObject **out, const char *name, PyObject *value) {
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

static int set_errors(PyObject **out, PyObject *value) {
    if (value == Py_None) {
        *out = NULL;
        return 1;
    }
    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "unicode_errors: expected a str or None, got %s", fc_type_name(value));
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
        FC_RAISE(PyExc_ValueError, "%s: expected an int in %lld..%lld, got %S", name, (long long)low, (long long)high,
                 value);
        return -1;
    }
    *out = x;
    return 1;
}

static int set_depth(int *out, PyObject *value) {
    int64_t depth;
    if (fc_int_option("max_depth", value, 1, FC_DEPTH_LIMIT, &depth) < 0) {
        return -1;
    }
    *out = (int)depth;
    return 1;
}

static int set_limit(int64_t *out, const char *name, PyObject *value) {
    int overflow = 0;
    if (value == Py_None ||
        (PyLong_Check(value) && PyLong_AsLongLongAndOverflow(value, &overflow) == -1 && !overflow)) {
        *out = FC_NO_LIMIT;
        return 1;
    }
    return fc_int_option(name, value, 0, FC_NO_LIMIT, out);
}

static int set_decimal(PyObject **out, PyObject *value) {
    if (value == Py_None) {
        *out = NULL;
        return 1;
    }
    if (PyUnicode_Check(value) && (fc_is_name(value, "str") || fc_is_name(value, "float"))) {
        *out = value;
        return 1;
    }
    FC_RAISE(PyExc_ValueError, "decimal: expected 'str', 'float' or None, got %R", value);
    return -1;
}

#define NAMED(word) fc_is_name(name, word)

int fc_pack_option(fc_pack_options *o, PyObject *name, PyObject *value) {
    if (NAMED("default")) {
        return set_callable(&o->fallback, "default", value);
    }
    if (NAMED("use_single_float")) {
        return set_flag(&o->single_float, value);
    }
    if (NAMED("use_bin_type")) {
        return set_flag(&o->bin_type, value);
    }
    if (NAMED("strict_types")) {
        return set_flag(&o->strict_types, value);
    }
    if (NAMED("datetime")) {
        return set_flag(&o->datetime, value);
    }
    if (NAMED("unicode_errors")) {
        return set_errors(&o->errors, value);
    }
    if (NAMED("numpy")) {
        return set_flag(&o->numpy, value);
    }
    if (NAMED("decimal")) {
        return set_decimal(&o->decimal, value);
    }
    if (NAMED("max_depth")) {
        return set_depth(&o->max_depth, value);
    }
    return 0;
}

int fc_unpack_option(fc_unpack_options *o, PyObject *name, PyObject *value) {
    if (NAMED("use_list")) {
        return set_flag(&o->use_list, value);
    }
    if (NAMED("raw")) {
        return set_flag(&o->raw, value);
    }
    if (NAMED("strict_map_key")) {
        return set_flag(&o->strict_map_key, value);
    }
    if (NAMED("object_hook")) {
        return set_callable(&o->object_hook, "object_hook", value);
    }
    if (NAMED("object_pairs_hook")) {
        return set_callable(&o->object_pairs_hook, "object_pairs_hook", value);
    }
    if (NAMED("list_hook")) {
        return set_callable(&o->list_hook, "list_hook", value);
    }
    if (NAMED("ext_hook")) {
        return set_callable(&o->ext_hook, "ext_hook", value);
    }
    if (NAMED("unicode_errors")) {
        return set_errors(&o->errors, value);
    }
    if (NAMED("max_str_len")) {
        return set_limit(&o->max_str_len, "max_str_len", value);
    }
    if (NAMED("max_bin_len")) {
        return set_limit(&o->max_bin_len, "max_bin_len", value);
    }
    if (NAMED("max_array_len")) {
        return set_limit(&o->max_array_len, "max_array_len", value);
    }
    if (NAMED("max_map_len")) {
        return set_limit(&o->max_map_len, "max_map_len", value);
    }
    if (NAMED("max_ext_len")) {
        return set_limit(&o->max_ext_len, "max_ext_len", value);
    }
    if (NAMED("max_memory")) {
        return set_limit(&o->max_memory, "max_memory", value);
    }
    if (NAMED("max_depth")) {
        return set_depth(&o->max_depth, value);
    }
    if (NAMED("timestamp")) {
        int64_t form;
        if (fc_int_option("timestamp", value, 0, 3, &form) < 0) {
            return -1;
        }
        o->timestamp = (int)form;
        return 1;
    }
    return 0;
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
