/* The compiled Switch: a callable with its own vectorcall.
 *
 * Every mode is a C function; flipping a flag stores another one into the object, so that a fixed mode has no branch
 * on the flag. The arms are fixed for the life of the object, so a call that is under way never loses what it runs.
 * The class is made on top of the public one (fastcore.dispatch.switch), which decides and reports. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include "common/errors.h"
#include "switch/arm.h"
#include "switch/assignment.h"
#include "switch/awaitable.h"

enum { CONTROL, CANDIDATE, RAMP, WATCHED };

/* What Python is handed a watched call for: both arms, with the control's or the candidate's answer asked for; the
 * candidate alone, awaited; or the control after the candidate has failed. `_watched` of the public class knows them. */
enum { PAIR_CONTROL, PAIR_CANDIDATE, AWAIT_CANDIDATE, RESCUE };

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    fc_arm arms[2];
    uint64_t threshold; /* places below it are the candidate's */
    uint64_t sample[2]; /* under watch: of 2**32 calls of each arm, those that run both */
    fc_salt salt;
    PyObject *key; /* the context variable of the assignment key */
    PyObject *dict;
    PyObject *weakrefs;
    int mode;
    char ready;
    char is_async;
    char first; /* the next call tells Python that calls have begun */
} Switch;

typedef struct {
    PyTypeObject *await_type;
} State;

/* ---- calls ---- */

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

static const char *const WORDS[4] = {"control", "candidate", "ramp", "watched"};

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
static PyObject *call_unready(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *names) {
    (void)op, (void)args, (void)nargsf, (void)names;
    PyErr_SetString(PyExc_RuntimeError, "this Switch has not been set up");
    return NULL;
}

static PyObject *switch_call_for(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *names) {
    Switch *self = (Switch *)op;
    if (nargs < 1) {
        PyErr_SetString(PyExc_TypeError, "Switch.call_for() missing 1 required positional argument: 'key'");
        return NULL;
    }
    if (self->vectorcall == call_unready) {
        return call_unready(op, NULL, 0, NULL);
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

/* ---- what the public class uses ---- */

/* _call_arm(index, *args, **kwargs): that arm, counted, whatever the mode. */
static PyObject *switch_call_arm(PyObject *op, PyObject *const *args, Py_ssize_t nargs, PyObject *names) {
    Switch *self = (Switch *)op;
    if (self->vectorcall == call_unready) {
        return call_unready(op, NULL, 0, NULL);
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

static PyObject *switch_tell_first(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    Switch *self = (Switch *)op;
    if (self->vectorcall == call_unready) {
        return call_unready(op, NULL, 0, NULL);
    }
    self->first = 1;
    self->vectorcall = call_first;
    Py_RETURN_NONE;
}

/* (calls, errors) of both arms. */
static PyObject *switch_calls(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    fc_arm *arms = ((Switch *)op)->arms;
    return Py_BuildValue("(KK)(KK)", (unsigned long long)arms[0].calls, (unsigned long long)arms[0].errors,
                         (unsigned long long)arms[1].calls, (unsigned long long)arms[1].errors);
}

static PyObject *switch_setup(PyObject *op, PyObject *args) {
    Switch *self = (Switch *)op;
    PyObject *control, *candidate, *salt, *key;
    int is_async;
    unsigned int every;
    if (!PyArg_ParseTuple(args, "OOpIUO:_setup", &control, &candidate, &is_async, &every, &salt, &key)) {
        return NULL;
    }
    if (self->ready) {
        PyErr_SetString(PyExc_RuntimeError, "a Switch is set up once");
        return NULL;
    }
    if (!PyCallable_Check(control) || (candidate != Py_None && !PyCallable_Check(candidate))) {
        PyErr_SetString(PyExc_TypeError, "_setup: expected callables");
        return NULL;
    }
    if (every < 1 || every > 1000000 || !PyContextVar_CheckExact(key)) {
        PyErr_SetString(PyExc_ValueError, "_setup: expected every in 1..1000000 and a ContextVar");
        return NULL;
    }
    if (fc_salt_init(&self->salt, salt) < 0) {
        return NULL;
    }
    self->ready = 1;
    self->is_async = is_async != 0;
    self->key = Py_NewRef(key);
    fc_arm_init(&self->arms[CONTROL], Py_NewRef(control), every);
    fc_arm_init(&self->arms[CANDIDATE], candidate == Py_None ? NULL : Py_NewRef(candidate), every);
    self->mode = CONTROL;
    self->vectorcall = MODES[is_async != 0][CONTROL];
    Py_RETURN_NONE;
}

static PyObject *switch_set_mode(PyObject *op, PyObject *args) {
    Switch *self = (Switch *)op;
    const char *word;
    unsigned long long threshold, sample_control = 0, sample_candidate = 0;
    if (!PyArg_ParseTuple(args, "sK|KK:_set_mode", &word, &threshold, &sample_control, &sample_candidate)) {
        return NULL;
    }
    if (self->vectorcall == call_unready) {
        return call_unready(op, NULL, 0, NULL);
    }
    for (int mode = CONTROL; mode <= WATCHED; mode++) {
        if (strcmp(word, WORDS[mode]) != 0) {
            continue;
        }
        if (mode != CONTROL && self->arms[CANDIDATE].target == NULL) {
            PyErr_SetString(PyExc_ValueError, "_set_mode: there is no candidate");
            return NULL;
        }
        self->threshold = threshold;
        self->sample[CONTROL] = sample_control;
        self->sample[CANDIDATE] = sample_candidate;
        self->mode = mode;
        self->vectorcall = self->first ? call_first : MODES[(int)self->is_async][mode];
        Py_RETURN_NONE;
    }
    PyErr_Format(PyExc_ValueError, "_set_mode: expected control, candidate, ramp or watched, got '%s'", word);
    return NULL;
}

/* _time_every(n): one call in n is timed from now on. */
static PyObject *switch_time_every(PyObject *op, PyObject *args) {
    Switch *self = (Switch *)op;
    unsigned int every;
    if (!PyArg_ParseTuple(args, "I:_time_every", &every)) {
        return NULL;
    }
    if (every < 1 || every > 1000000) {
        PyErr_SetString(PyExc_ValueError, "_time_every: expected an int in 1..1000000");
        return NULL;
    }
    for (int i = CONTROL; i <= CANDIDATE; i++) {
        self->arms[i].every = every;
        self->arms[i].countdown = fc_arm_pause(every);
    }
    Py_RETURN_NONE;
}

static PyObject *bins_of(const fc_sketch *sketch) {
    PyObject *bins = PyDict_New();
    for (int32_t key = sketch->lowest; bins != NULL && sketch->bins != NULL && key <= sketch->highest; key++) {
        uint64_t here = sketch->bins[key - sketch->first];
        if (here == 0) {
            continue;
        }
        PyObject *number = PyLong_FromUnsignedLongLong(here);
        PyObject *name = PyLong_FromLong(key);
        if (number == NULL || name == NULL || PyDict_SetItem(bins, name, number) < 0) {
            Py_CLEAR(bins);
        }
        Py_XDECREF(number);
        Py_XDECREF(name);
    }
    return bins;
}

static PyObject *switch_counts(PyObject *op, PyObject *arg) {
    long index = PyLong_AsLong(arg);
    if (index == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (index < 0 || index > 1) {
        PyErr_SetString(PyExc_IndexError, "_counts: expected 0 or 1");
        return NULL;
    }
    fc_arm arm = ((Switch *)op)->arms[index];
    fc_sketch s; /* a copy: making the objects may run a collection, and with it code that calls the Switch */
    if (fc_sketch_copy(&s, &arm.latency) < 0) {
        return PyErr_NoMemory();
    }
    PyObject *bins = bins_of(&s);
    fc_sketch_clear(&s);
    if (bins == NULL) {
        return NULL;
    }
    return Py_BuildValue("KK(KKdddN)", (unsigned long long)arm.calls, (unsigned long long)arm.errors,
                         (unsigned long long)arm.latency.count, (unsigned long long)arm.latency.zeros,
                         arm.latency.total, arm.latency.low, arm.latency.high, bins);
}

static PyObject *switch_arm(PyObject *op, void *index) {
    PyObject *target = ((Switch *)op)->arms[(intptr_t)index].target;
    return Py_NewRef(target == NULL ? Py_None : target);
}

/* ---- the type ---- */

static PyObject *switch_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs)) {
    Switch *self = (Switch *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->vectorcall = call_unready;
        fc_sketch_init(&self->arms[0].latency);
        fc_sketch_init(&self->arms[1].latency);
    }
    return (PyObject *)self;
}

static PyObject *switch_descr_get(PyObject *op, PyObject *obj, PyObject *Py_UNUSED(owner)) {
    return obj == NULL || obj == Py_None ? Py_NewRef(op) : PyMethod_New(op, obj);
}

static int switch_traverse(PyObject *op, visitproc visit, void *arg) {
    Switch *self = (Switch *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->arms[0].target);
    Py_VISIT(self->arms[1].target);
    Py_VISIT(self->key);
    Py_VISIT(self->dict);
    return 0;
}

static int switch_clear(PyObject *op) {
    Switch *self = (Switch *)op;
    self->vectorcall = call_unready; /* first: dropping the arms may run code that calls it */
    Py_CLEAR(self->arms[0].target);
    Py_CLEAR(self->arms[1].target);
    Py_CLEAR(self->key);
    Py_CLEAR(self->dict);
    return 0;
}

static void switch_dealloc(PyObject *op) {
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_TRASHCAN_BEGIN(op, switch_dealloc) /* Switches around Switches come down one by one */
    Switch *self = (Switch *)op;
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(op);
    }
    switch_clear(op);
    fc_sketch_clear(&self->arms[0].latency);
    fc_sketch_clear(&self->arms[1].latency);
    type->tp_free(op);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyMethodDef switch_methods[] = {
    {"_time_every", switch_time_every, METH_VARARGS, NULL},
    {"call_for", FC_METHOD(switch_call_for), FC_KEYWORDS,
     "call_for($self, key, /, *args, **kwargs)\n--\n\nCall the arm that `key` belongs to while the flag ramps."},
    {"_setup", switch_setup, METH_VARARGS, NULL},
    {"_set_mode", switch_set_mode, METH_VARARGS, NULL},
    {"_counts", switch_counts, METH_O, NULL},
    {"_call_arm", FC_METHOD(switch_call_arm), FC_KEYWORDS, NULL},
    {"_calls", switch_calls, METH_NOARGS, NULL},
    {"_tell_first", switch_tell_first, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef switch_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Switch, vectorcall), READONLY, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(Switch, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Switch, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef switch_getset[] = {
    {"control", switch_arm, NULL, "Today's implementation.", (void *)0},
    {"candidate", switch_arm, NULL, "The implementation to try.", (void *)1},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot switch_slots[] = {
    {Py_tp_new, switch_new},           {Py_tp_dealloc, switch_dealloc},
    {Py_tp_traverse, switch_traverse}, {Py_tp_clear, switch_clear},
    {Py_tp_call, PyVectorcall_Call},   {Py_tp_descr_get, switch_descr_get},
    {Py_tp_methods, switch_methods},   {Py_tp_members, switch_members},
    {Py_tp_getset, switch_getset},     {0, NULL},
};

static PyType_Spec switch_spec = {
    .name = "fastcore._ext.switch.Switch",
    .basicsize = sizeof(Switch),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .slots = switch_slots,
};

/* ---- the module ---- */

static PyObject *module_switch_type(PyObject *module, PyObject *base) {
    if (!PyType_Check(base)) {
        PyErr_Format(PyExc_TypeError, "base: expected a class, got %s", fc_type_name(base));
        return NULL;
    }
    PyObject *type = PyType_FromModuleAndSpec(module, &switch_spec, base);
    if (type == NULL) {
        return NULL;
    }
    PyObject *doc = PyObject_GetAttrString(base, "__doc__");
    if (doc == NULL || PyObject_SetAttrString(type, "__doc__", doc) < 0) {
        Py_CLEAR(type);
    }
    Py_XDECREF(doc);
    return type;
}

static int module_exec(PyObject *module) {
    State *state = PyModule_GetState(module);
    state->await_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &fc_await_spec, NULL);
    return state->await_type == NULL ? -1 : fc_assign_exec(module);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    State *state = PyModule_GetState(module);
    if (state != NULL) {
        Py_VISIT(state->await_type);
    }
    return 0;
}

static int module_clear(PyObject *module) {
    State *state = PyModule_GetState(module);
    if (state != NULL) {
        Py_CLEAR(state->await_type);
    }
    return 0;
}

static PyMethodDef module_methods[] = {
    {"switch_type", module_switch_type, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "switch",
    .m_doc = "The compiled Switch; fastcore.dispatch.switch documents it.",
    .m_size = sizeof(State),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit_switch(void) { return PyModuleDef_Init(&module_def); }
