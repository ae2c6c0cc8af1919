/* One implementation behind a Switch, and what became of its calls. Everything here is guarded by the GIL. */
#ifndef FASTCORE_SWITCH_ARM_H
#define FASTCORE_SWITCH_ARM_H

#include <Python.h>

#include <string.h>

#include "common/clock.h"
#include "common/macros.h"
#include "common/sketch.h"
#include "common/stack.h"
#include "switch/assignment.h"

typedef struct {
    PyObject *target; /* NULL where there is no candidate */
    uint64_t calls, errors;
    uint32_t countdown; /* calls until the next one that is timed, that one included */
    uint32_t every;     /* what it starts from, on average */
    Py_ssize_t offset;  /* of the vectorcall pointer in the target, 0 where it may go away */
    fc_sketch latency;
} fc_arm;

/* PyObject_Vectorcall without its check that a result and an exception exclude each other: the caller of the Switch
 * makes that check. */
static inline PyObject *fc_arm_call(const fc_arm *arm, PyObject *const *args, size_t nargsf, PyObject *names) {
    if (arm->offset > 0) {
        vectorcallfunc call;
        memcpy(&call, (const char *)arm->target + arm->offset, sizeof call);
        if (call != NULL) {
            return call(arm->target, args, nargsf, names);
        }
    }
    return PyObject_Vectorcall(arm->target, args, nargsf, names);
}

/* Drawn, so that the timed calls do not beat with a loop in the caller. */
static inline uint32_t fc_arm_pause(uint32_t every) { return every == 1 ? 1 : fc_random() % (2 * every - 1) + 1; }

/* Takes over a reference to `target`, which may be NULL. */
static inline void fc_arm_init(fc_arm *arm, PyObject *target, uint32_t every) {
    PyTypeObject *type = target == NULL ? NULL : Py_TYPE(target);
    arm->target = target;
    arm->every = every;
    arm->countdown = fc_arm_pause(every);
    if (type != NULL && PyType_HasFeature(type, Py_TPFLAGS_HAVE_VECTORCALL) &&
        PyType_HasFeature(type, Py_TPFLAGS_IMMUTABLETYPE)) {
        arm->offset = type->tp_vectorcall_offset;
    }
}

/* An exception is an error of the arm; a cancellation or an interrupt is not its fault. */
static inline void fc_arm_failed(fc_arm *arm) {
    if (PyErr_ExceptionMatches(PyExc_Exception)) {
        arm->errors++;
    }
}

/* A sample that finds no memory is lost: a measurement never fails its caller. */
static inline void fc_arm_took(fc_arm *arm, uint64_t start) {
    (void)fc_sketch_observe(&arm->latency, (double)(fc_clock_ns() - start) * 1e-9);
}

#endif
