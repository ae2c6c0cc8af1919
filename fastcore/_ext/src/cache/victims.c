#include "cache/object.h"

static const char *const CAUSES[FC_CAUSES] = {"expired", "size", "replaced", "explicit"};

void fc_grave_init(fc_grave *grave) {
    grave->victims = grave->few;
    grave->count = 0;
    grave->capacity = sizeof grave->few / sizeof *grave->few;
}

int fc_grave_reserve(fc_grave *grave, Py_ssize_t more) {
    const Py_ssize_t needed = grave->count + more;
    if (FC_LIKELY(needed <= grave->capacity)) {
        return 0;
    }
    const Py_ssize_t capacity = needed > 2 * grave->capacity ? needed : 2 * grave->capacity;
    fc_victim *few = grave->victims == grave->few ? NULL : grave->victims;
    fc_victim *victims = PyMem_RawRealloc(few, (size_t)capacity * sizeof *victims);
    if (victims == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (few == NULL) {
        for (Py_ssize_t i = 0; i < grave->count; i++) {
            victims[i] = grave->few[i];
        }
    }
    grave->victims = victims;
    grave->capacity = capacity;
    return 0;
}

/* Steals both references; fc_grave_reserve came first. */
void fc_grave_add(fc_grave *grave, PyObject *key, PyObject *value, int cause) {
    fc_victim *victim = &grave->victims[grave->count++];
    victim->key = key;
    victim->value = value;
    victim->cause = cause;
}

static int report(PyObject *on_evict, const fc_victim *victim) {
    PyObject *cause = PyUnicode_InternFromString(CAUSES[victim->cause]);
    if (cause == NULL) {
        return -1;
    }
    PyObject *args[3] = {victim->key, victim->value, cause};
    PyObject *answer = FC_GUARDED(PyObject_Vectorcall(on_evict, args, 3, NULL));
    Py_DECREF(cause);
    Py_XDECREF(answer);
    return answer == NULL ? -1 : 0;
}

static PyObject *take_exception(void) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

static void raise_exception(PyObject *error) {
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
}

/* One error is raised itself, several as a group: none is swallowed. */
static void raise_all(PyObject *errors) {
    if (PyList_GET_SIZE(errors) == 1) {
        raise_exception(Py_NewRef(PyList_GET_ITEM(errors, 0)));
        return;
    }
    PyObject *group = PyObject_CallFunction(PyExc_BaseExceptionGroup, "sO", "on_evict raised for several entries", errors);
    if (group != NULL) {
        raise_exception(group);
    }
}

/* Report every victim to on_evict (may be NULL), then release it. Runs Python code. An exception that was pending
 * stays, joined by what on_evict raised; -1 if on_evict raised. */
int fc_grave_release(fc_grave *grave, PyObject *on_evict) {
    if (FC_LIKELY(on_evict == NULL)) {
        for (Py_ssize_t i = 0; i < grave->count; i++) {
            Py_DECREF(grave->victims[i].key);
            Py_DECREF(grave->victims[i].value);
        }
    } else if (grave->count > 0) {
        PyObject *pending = PyErr_Occurred() ? take_exception() : NULL;
        PyObject *errors = NULL;
        Py_INCREF(on_evict);
        for (Py_ssize_t i = 0; i < grave->count; i++) {
            fc_victim *victim = &grave->victims[i];
            if (report(on_evict, victim) < 0) {
                PyObject *error = take_exception();
                if (errors == NULL) {
                    errors = pending == NULL ? PyList_New(0) : Py_BuildValue("[O]", pending);
                }
                if (errors == NULL || PyList_Append(errors, error) < 0) {
                    PyErr_WriteUnraisable(on_evict);
                }
                Py_DECREF(error);
            }
            Py_DECREF(victim->key);
            Py_DECREF(victim->value);
        }
        Py_DECREF(on_evict);
        if (errors != NULL) {
            raise_all(errors);
            Py_DECREF(errors);
            Py_XDECREF(pending);
        } else if (pending != NULL) {
            raise_exception(pending);
        }
        if (errors != NULL) {
            grave->count = 0;
            if (grave->victims != grave->few) {
                PyMem_RawFree(grave->victims);
            }
            return -1;
        }
    }
    if (grave->victims != grave->few) {
        PyMem_RawFree(grave->victims);
    }
    grave->count = 0;
    return 0;
}
