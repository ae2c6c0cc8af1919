/* The compiled Switch: a callable with its own vectorcall (calls.c). The class is made on top of the public one
 * (fastcore.dispatch.switch), which decides and reports. */
#include "switch/switch.h"

#include <structmember.h>

#include "common/errors.h"
#include "switch/awaitable.h"

/* ---- what the public class uses ---- */

static const char *const WORDS[4] = {"control", "candidate", "ramp", "watched"};

static PyObject *switch_tell_first(PyObject *op, PyObject *Py_UNUSED(ignored)) {
    Switch *self = (Switch *)op;
    if (self->vectorcall == fc_call_unready) {
        return fc_call_unready(op, NULL, 0, NULL);
    }
    self->first = 1;
    fc_set_mode(self, self->mode);
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
    fc_set_mode(self, CONTROL);
    Py_RETURN_NONE;
}

static PyObject *switch_set_mode(PyObject *op, PyObject *args) {
    Switch *self = (Switch *)op;
    const char *word;
    unsigned long long threshold, sample_control = 0, sample_candidate = 0;
    if (!PyArg_ParseTuple(args, "sK|KK:_set_mode", &word, &threshold, &sample_control, &sample_candidate)) {
        return NULL;
    }
    if (self->vectorcall == fc_call_unready) {
        return fc_call_unready(op, NULL, 0, NULL);
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
        fc_set_mode(self, mode);
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
        self->vectorcall = fc_call_unready;
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
    self->vectorcall = fc_call_unready; /* first: dropping the arms may run code that calls it */
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
    {"call_for", FC_METHOD(fc_call_for), FC_KEYWORDS,
     "call_for($self, key, /, *args, **kwargs)\n--\n\nCall the arm that `key` belongs to while the flag ramps."},
    {"_setup", switch_setup, METH_VARARGS, NULL},
    {"_set_mode", switch_set_mode, METH_VARARGS, NULL},
    {"_counts", switch_counts, METH_O, NULL},
    {"_call_arm", FC_METHOD(fc_call_given_arm), FC_KEYWORDS, NULL},
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
