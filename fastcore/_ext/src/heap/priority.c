/* How a priority given by the caller becomes a key. */
#include "heap/core.h"

#include <math.h>

#include "common/errors.h"

#define DEEPEST 100 /* tuples within tuples that are looked into */
#define EXACT (1LL << 53) /* every int up to this is a double */

/* An object whose conversion fails, such as an array of several numbers, is refused as one that has no number is. */
static PyObject *number_of(const char *name, PyObject *given, PyObject *(*convert)(PyObject *)) {
    PyObject *number = FC_GUARDED(convert(given));
    if (!number && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Format(PyExc_TypeError, "%s: expected a number, got %s", name, fc_type_name(given));
    }
    return number;
}

int priority_number(const char *name, PyObject *given, double *out) {
    if (PyFloat_CheckExact(given)) {
        *out = PyFloat_AS_DOUBLE(given);
    } else {
        PyNumberMethods *as = Py_TYPE(given)->tp_as_number;
        if (!as || !(as->nb_index || as->nb_float)) {
            PyErr_Format(PyExc_TypeError, "%s: expected a number, got %s", name, fc_type_name(given));
            return -1;
        }
        PyObject *number = number_of(name, given, as->nb_index ? PyNumber_Index : PyNumber_Float);
        if (!number) {
            return -1;
        }
        *out = PyLong_Check(number) ? PyLong_AsDouble(number) : PyFloat_AsDouble(number);
        Py_DECREF(number);
        if (*out == -1.0 && PyErr_Occurred()) {
            if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
                PyErr_Format(PyExc_ValueError, "%s: expected a number within the range of a float", name);
            }
            return -1;
        }
    }
    if (isnan(*out)) {
        PyErr_Format(PyExc_ValueError, "%s: expected a number, got nan", name);
        return -1;
    }
    *out += 0.0; /* -0.0 ties with 0.0 */
    return 0;
}

/* An exact int: a float where a float can hold it, else itself, with the nearest float for its key. */
static int parse_int(PyObject *given, Priority *out) {
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(given, &overflow);
    if (!overflow && value <= EXACT && value >= -EXACT) {
        out->number = (double)value;
        return 0;
    }
    double nearest = PyLong_AsDouble(given);
    if (nearest == -1.0 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) {
            return -1;
        }
        PyErr_Clear();
        nearest = overflow > 0 ? HUGE_VAL : -HUGE_VAL;
    } else {
        PyObject *back = PyLong_FromDouble(nearest);
        if (!back) {
            return -1;
        }
        int same = PyObject_RichCompareBool(back, given, Py_EQ);
        Py_DECREF(back);
        if (same < 0) {
            return -1;
        }
        if (same) {
            out->number = nearest;
            return 0;
        }
    }
    out->number = nearest;
    out->object = Py_NewRef(given);
    return 0;
}

/* Its float is kept of a number that is no int: refused where it says that it does not equal it. */
static int refuse_rounding(PyObject *given, double value) {
    richcmpfunc compare = Py_TYPE(given)->tp_richcompare;
    PyObject *rounded = compare && !PyFloat_Check(given) ? PyFloat_FromDouble(value) : NULL;
    if (!rounded) {
        return PyErr_Occurred() ? -1 : 0;
    }
    PyObject *equal = FC_GUARDED(compare(given, rounded, Py_EQ));
    Py_DECREF(rounded);
    const int same = !equal ? -1 : equal == Py_NotImplemented ? 1 : PyObject_IsTrue(equal);
    Py_XDECREF(equal);
    if (same == 0) {
        fc_raise(PyExc_ValueError,
                 "priority: expected a number that equals an int or a float, got %R: priorities='any' compares it "
                 "as it is",
                 given);
    }
    return same > 0 ? 0 : -1;
}

/* A subclass with its own comparisons is not treated as a tuple or list. */
static int is_sequence(PyObject *given) {
    return (PyTuple_Check(given) && Py_TYPE(given)->tp_richcompare == PyTuple_Type.tp_richcompare) ||
           (PyList_Check(given) && Py_TYPE(given)->tp_richcompare == PyList_Type.tp_richcompare);
}

static int differs_from_itself(PyObject *given) {
    PyObject *answer = FC_GUARDED(PyObject_RichCompare(given, given, Py_NE));
    const int differs = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return differs;
}

/* NaN has no place in an order, nor has what begins with it. What can be subtracted and has no length is a number,
   or a time: NaN, Decimal's NaN and NaT do not equal themselves. */
static int refuse_nan(PyObject *given) {
    PyObject *first = given;
    for (int depth = 0; depth < DEEPEST && is_sequence(first) && PySequence_Fast_GET_SIZE(first); depth++) {
        first = PySequence_Fast_GET_ITEM(first, 0);
    }
    const PyTypeObject *type = Py_TYPE(first);
    if (PyLong_CheckExact(first) || !type->tp_as_number || !type->tp_as_number->nb_subtract ||
        (type->tp_as_sequence && type->tp_as_sequence->sq_length) ||
        (type->tp_as_mapping && type->tp_as_mapping->mp_length)) {
        return 0;
    }
    Py_INCREF(first); /* a list may lose it */
    const int differs = PyFloat_CheckExact(first) ? isnan(PyFloat_AS_DOUBLE(first)) : differs_from_itself(first);
    Py_DECREF(first);
    if (differs <= 0) {
        return differs;
    }
    if (first == given) {
        PyErr_SetString(PyExc_ValueError, "priority: expected a number, got nan");
    } else {
        PyErr_Format(PyExc_ValueError, "priority: expected a number first in the %s, got nan",
                     PyTuple_Check(given) ? "tuple" : "list");
    }
    return -1;
}

/* A tuple compares by its first elements first: where these are plain numbers that differ, they decide. */
static void parse_tuple(PyObject *given, Priority *out) {
    if (PyTuple_GET_SIZE(given) == 0) {
        return;
    }
    PyObject *first = PyTuple_GET_ITEM(given, 0);
    if (PyFloat_CheckExact(first)) {
        out->number = PyFloat_AS_DOUBLE(first) + 0.0;
    } else if (PyLong_CheckExact(first)) {
        int overflow;
        long long value = PyLong_AsLongLongAndOverflow(first, &overflow);
        if (overflow) {
            out->number = overflow > 0 ? HUGE_VAL : -HUGE_VAL; /* ties with infinity, and is then compared */
        } else {
            out->number = (double)value; /* rounding keeps the order; what it makes equal is then compared */
        }
    } else {
        return;
    }
    out->kind = KIND_TUPLE;
}

int priority_parse(Core *core, PyObject *given, Priority *out) {
    *out = (Priority){NULL, 0.0, KIND_NUMBER};
    if (PyFloat_CheckExact(given)) {
        double value = PyFloat_AS_DOUBLE(given);
        if (!isnan(value)) {
            out->number = value + 0.0;
            return 0;
        }
    } else if (PyLong_CheckExact(given) && core->aging == 0.0) {
        return parse_int(given, out);
    }
    if (!core->any || core->aging != 0.0 || PyFloat_CheckExact(given)) {
        PyNumberMethods *as = Py_TYPE(given)->tp_as_number;
        if (core->aging == 0.0 && as && as->nb_index) {
            PyObject *whole = number_of("priority", given, PyNumber_Index);
            if (!whole) {
                return -1;
            }
            int failed = parse_int(whole, out);
            Py_DECREF(whole);
            return failed;
        }
        if (priority_number("priority", given, &out->number) < 0) {
            return -1;
        }
        return core->aging == 0.0 ? refuse_rounding(given, out->number) : 0;
    }
    if (refuse_nan(given) < 0) {
        return -1;
    }
    out->kind = KIND_OTHER;
    out->object = Py_NewRef(given);
    if (PyTuple_Check(given) && is_sequence(given)) {
        parse_tuple(given, out);
    }
    return 0;
}

uint64_t priority_key(Core *core, const Priority *priority, double born) {
    double number = priority->number;
    if (core->aging != 0.0) {
        /* Waiting makes it more urgent at one rate for all, so p - rate * (now - born) orders as p + rate * born. */
        double credit = core->aging * (born - core->origin);
        number = core->flip ? number - credit : number + credit;
    }
    return priority->kind == KIND_OTHER ? 0 : key_of_double(number) ^ core->flip;
}

PyObject *priority_object(const Priority *priority) {
    return priority->object ? Py_NewRef(priority->object) : PyFloat_FromDouble(priority->number);
}
