/* The calls of a Switch: a C function for each mode. Flipping a flag stores another one into the object, so that a
 * fixed mode has no branch on the flag. The arms are fixed for the life of the object, so a call that is under way never
 * loses what it runs. */
#include "switch/switch.h"

#include "common/errors.h"
#include "switch/awaitable.h"

/* What Python is handed a watched call for: both arms, with the control's or the candidate's answer asked for; the
 * candidate alone, awaited; or the control after the candidate has failed. `_watched` of the public class knows them. */
enum { PAIR_CONTROL, PAIR_CANDIDATE, AWAIT_CANDIDATE, RESCUE };

static PyObject *awaited(Switch *self, fc_arm *arm, PyObject *result, int timed) {
    State *state = PyType_GetModuleState(Py_TYPE(self));
    if (state == NULL) {
        Py_DECREF(result);
        return NULL;
    }
    return fc_await_new(state->await_type, (PyObject *)self, arm, result, timed);
}

FC_COLD static PyObject *call_timed(Switch *self, fc_arm *arm, PyObject *const *args, size_t nargsf, PyObject *names,
                                    int is_async) {
    arm->countdown = fc_arm_pause(arm->every);
    uint64_t start = fc_clock_ns();
    PyObject *result = fc_arm_call(arm, args, nargsf, names);
    if (result == NULL) {
        fc_arm_failed(arm);
        return NULL;
    }
    if (is_async) {
        return awaited(self, arm, result, 1);
    }
    fc_arm_took(arm, start);
    return result;
}

static inline PyObject *call_arm(Switch *self, fc_arm *arm, PyObject *const *args, size_t nargsf, PyObject *names,
                                 int is_async) {
    PyObject *result;
    if (FC_UNLIKELY(fc_stack_guard() < 0)) {
        return NULL;
    }
    Py_INCREF(self); /* the arm is inside it, and some callers lend the callable they call */
    arm->calls++;
    if (FC_UNLIKELY(--arm->countdown == 0)) {
        result = call_timed(self, arm, args, nargsf, names, is_async);
    } else {
        result = fc_arm_call(arm, args, nargsf, names);
        if (FC_UNLIKELY(result == NULL)) {
            fc_arm_failed(arm);
        } else if (is_async) {
            result = awaited(self, arm, result, 0);
        }
    }
    Py_DECREF(self);
    return result;
}

/* The arm of `key`, or of a draw when it is None; NULL with an exception when it cannot be a key. */
static inline fc_arm *draw(Switch *self, PyObject *key) {
    uint32_t place;
    if (key == Py_None) {
        place = fc_random();
    } else if (fc_place(&self->salt, key, &place) < 0) {
        return NULL;
    }
    return &self->arms[place < self->threshold];
}

static inline fc_arm *draw_from_context(Switch *self) {
    PyObject *key;
    if (PyContextVar_Get(self->key, Py_None, &key) < 0) {
        return NULL;
    }
    fc_arm *arm = draw(self, key);
    Py_DECREF(key);
    return arm;
}

#define MODE(name, choice, is_async)                                                                                   \
    static PyObject *name(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *names) {                       \
        Switch *self = (Switch *)op;                                                                                   \
        fc_arm *arm = (choice);                                                                                        \
        return FC_UNLIKELY(arm == NULL) ? NULL : call_arm(self, arm, args, nargsf, names, is_async);                   \
    }

static PyObject *keywords_of(PyObject *const *values, PyObject *names) {
    if (names == NULL) {
        return PyDict_New();
    }
    PyObject *keywords = PyDict_New();
    for (Py_ssize_t i = 0; keywords != NULL && i < PyTuple_GET_SIZE(names); i++) {
        if (PyDict_SetItem(keywords, PyTuple_GET_ITEM(names, i), values[i]) < 0) {
            Py_CLEAR(keywords);
        }
    }
    return keywords;
}

static PyObject *positional_of(PyObject *const *args, Py_ssize_t nargs) {
    PyObject *given = PyTuple_New(nargs);
    for (Py_ssize_t i = 0; given != NULL && i < nargs; i++) {
        PyTuple_SET_ITEM(given, i, Py_NewRef(args[i]));
    }
    return given;
}

FC_COLD static PyObject *hand_over(Switch *self, int how, PyObject *error, PyObject *const *args, size_t nargsf,
                                   PyObject *names) {
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    PyObject *given = positional_of(args, nargs);
    PyObject *keywords = given == NULL ? NULL : keywords_of(args + nargs, names);
    PyObject *result = NULL;
    if (keywords != NULL) {
        result = FC_GUARDED(PyObject_CallMethod((PyObject *)self, "_watched", "iOOO", how, error, given, keywords));
    }
    Py_XDECREF(given);
    Py_XDECREF(keywords);
    return result;
}

/* Under watch: a sample of the calls runs both arms, and a candidate that raises is made good by the control. */
static PyObject *call_watched_arm(Switch *self, fc_arm *arm, PyObject *const *args, size_t nargsf, PyObject *names) {
    int chosen = arm == &self->arms[CANDIDATE];
    uint64_t sample = self->sample[chosen];
    PyObject *result;
    Py_INCREF(self);
    nargsf = (size_t)PyVectorcall_NARGS(nargsf); /* the arguments may be used twice: no arm borrows the slot before */
    if (sample != 0 && fc_random() < sample) {
        result = hand_over(self, chosen ? PAIR_CANDIDATE : PAIR_CONTROL, Py_None, args, nargsf, names);
    } else if (!chosen) {
        result = call_arm(self, arm, args, nargsf, names, self->is_async);
    } else if (self->is_async) {
        result = hand_over(self, AWAIT_CANDIDATE, Py_None, args, nargsf, names);
    } else {
        result = call_arm(self, arm, args, nargsf, names, 0);
        if (result == NULL &&
            !PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) { /* _watched asks what else is its own */
            PyObject *error = fc_take_exception();
            result = hand_over(self, RESCUE, error, args, nargsf, names);
            Py_XDECREF(error);
        }
    }
    Py_DECREF(self);
    return result;
}

static PyObject *call_watched(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *names) {
    Switch *self = (Switch *)op;
    fc_arm *arm = draw_from_context(self);
    return arm == NULL ? NULL : call_watched_arm(self, arm, args, nargsf, names);
}

MODE(call_control, &self->arms[CONTROL], 0)
MODE(call_candidate, &self->arms[CANDIDATE], 0)
MODE(call_ramp, draw_from_context(self), 0)
MODE(call_control_async, &self->arms[CONTROL], 1)
MODE(call_candidate_async, &self->arms[CANDIDATE], 1)
MODE(call_ramp_async, draw_from_context(self), 1)

static const vectorcallfunc MODES[2][4] = {
    {call_control, call_candidate, call_ramp, call_watched},
    {call_control_async, call_candidate_async, call_ramp_async, call_watched},
};

/* The first call says so, once: what needs a thread starts it then, not in a process that is about to fork. */
static void begin_calls(Switch *self) {
    self->first = 0;
    self->vectorcall = MODES[(int)self->is_async][self->mode];
    PyObject *done = FC_GUARDED(PyObject_CallMethod((PyObject *)self, "_calls_begin", NULL));
    if (done == NULL) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    Py_XDECREF(done);
}

static PyObject *call_first(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *names) {
    Switch *self = (Switch *)op;
    Py_INCREF(self);
    begin_calls(self);
    PyObject *result = self->vectorcall(op, args, nargsf, names);
    Py_DECREF(self);
    return result;
}

/* Before _setup, and again once the garbage collector has cleared it. */
PyObject *fc_call_unready(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *names) {
    (void)op, (void)args, (void)nargsf, (void)names;
    PyErr_SetString(PyExc_RuntimeError, "this Switch has not been set up");
    return NULL;
}

PyObject *fc_call_for(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *names) {
    Switch *self = (Switch *)op;
    if (nargs < 1) {
        PyErr_SetString(PyExc_TypeError, "Switch.call_for() missing 1 required positional argument: 'key'");
        return NULL;
    }
    if (self->vectorcall == fc_call_unready) {
        return fc_call_unready(op, NULL, 0, NULL);
    }
    if (self->first) {
        begin_calls(self);
    }
    if (self->mode < RAMP && fc_check_key(args[0]) < 0) { /* refused at once, not when the flag begins to ramp */
        return NULL;
    }
    fc_arm *arm = self->mode >= RAMP ? draw(self, args[0]) : &self->arms[self->mode];
    if (arm == NULL) {
        return NULL;
    }
    size_t rest = (size_t)nargs - 1; /* without the offset flag: args[0] may be an item of somebody's tuple */
    if (self->mode == WATCHED) {
        return call_watched_arm(self, arm, args + 1, rest, names);
    }
    if (self->is_async) {
        return call_arm(self, arm, args + 1, rest, names, 1);
    }
    return call_arm(self, arm, args + 1, rest, names, 0);
}

/* _call_arm(index, *args, **kwargs): that arm, counted, whatever the mode. */
PyObject *fc_call_given_arm(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *names) {
    Switch *self = (Switch *)op;
    if (self->vectorcall == fc_call_unready) {
        return fc_call_unready(op, NULL, 0, NULL);
    }
    long index = nargs < 1 ? 2 : PyLong_AsLong(args[0]);
    if (index == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (index < 0 || index > 1 || self->arms[index].target == NULL) {
        PyErr_SetString(PyExc_IndexError, "_call_arm: expected the index of an arm");
        return NULL;
    }
    return call_arm(self, &self->arms[index], args + 1, (size_t)nargs - 1, names, self->is_async);
}

/* Calls under way end as they began. */
void fc_set_mode(Switch *self, int mode) {
    self->mode = mode;
    self->vectorcall = self->first ? call_first : MODES[(int)self->is_async][mode];
}
