#include "cache/object.h"
#include "common/errors.h"

static const char *const CAUSES[FC_CAUSES] = {"expired", "size", "replaced", "explicit"};

void fc_victims_init(fc_victims *victims) {
    victims->list = victims->few;
    victims->count = 0;
    victims->capacity = sizeof victims->few / sizeof *victims->few;
}

int fc_victims_reserve(fc_victims *victims, Py_ssize_t more) {
    const Py_ssize_t needed = victims->count + more;
    if (FC_LIKELY(needed <= victims->capacity)) {
        return 0;
    }
    const Py_ssize_t capacity = needed > 2 * victims->capacity ? needed : 2 * victims->capacity;
    fc_victim *few = victims->list == victims->few ? NULL : victims->list;
    fc_victim *list = PyMem_RawRealloc(few, (size_t)capacity * sizeof *list);
    if (list == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (few == NULL) {
        for (Py_ssize_t i = 0; i < victims->count; i++) {
            list[i] = victims->few[i];
        }
    }
    victims->list = list;
    victims->capacity = capacity;
    return 0;
}

/* Steals both references; fc_victims_reserve came first. */
void fc_victims_add(fc_victims *victims, PyObject *key, PyObject *value, int cause) {
    fc_victim *victim = &victims->list[victims->count++];
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

/* One error is raised itself, several as a group: none is swallowed. */
static void raise_all(PyObject *errors) {
    if (PyList_GET_SIZE(errors) == 1) {
        fc_raise_exception(Py_NewRef(PyList_GET_ITEM(errors, 0)));
        return;
    }
    PyObject *group =
        PyObject_CallFunction(PyExc_BaseExceptionGroup, "sO", "on_evict raised for several entries", errors);
    if (group != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(group), group);
        Py_DECREF(group);
    }
}

/* Report every victim to on_evict (may be NULL), then release it. Runs Python code. An exception that was pending
 * stays, joined by what on_evict raised; -1 if on_evict raised. */
int fc_victims_release(fc_victims *victims, PyObject *on_evict) {
    if (FC_LIKELY(on_evict == NULL)) {
        for (Py_ssize_t i = 0; i < victims->count; i++) {
            Py_DECREF(victims->list[i].key);
            Py_DECREF(victims->list[i].value);
        }
    } else if (victims->count > 0) {
        PyObject *pending = fc_take_exception();
        PyObject *errors = NULL;
        Py_INCREF(on_evict);
        for (Py_ssize_t i = 0; i < victims->count; i++) {
            fc_victim *victim = &victims->list[i];
            if (report(on_evict, victim) < 0) {
                PyObject *error = fc_take_exception();
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
            fc_raise_exception(pending);
        }
        if (errors != NULL) {
            victims->count = 0;
            if (victims->list != victims->few) {
                PyMem_RawFree(victims->list);
            }
            return -1;
        }
    }
    if (victims->list != victims->few) {
        PyMem_RawFree(victims->list);
    }
    victims->count = 0;
    return 0;
}
