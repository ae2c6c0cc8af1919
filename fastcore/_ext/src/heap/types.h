/* The types of the module and what they share. */
#ifndef FASTCORE_HEAP_TYPES_H
#define FASTCORE_HEAP_TYPES_H

#include "common/arguments.h"
#include "heap/core.h"

/* Every type begins like this, so that what they have in common is written once. */
typedef struct HeapObject {
    PyObject_HEAD
    PyObject *weakrefs;
    struct HeapObject *next, *previous; /* all of them, for forks */
    /* Forgets who waits; what is to be dropped goes into the list. */
    int (*renew)(struct HeapObject *self, PyObject *left);
    Core core;
} HeapObject;

extern PyType_Spec priority_heap_spec, priority_queue_spec, async_queue_spec;
int async_queue_ready(PyObject *module);

/* module.c: names from python_fallback.shared.heap and the standard library, held for the module's life */
typedef struct {
    PyObject *empty, *full, *shutdown;                   /* queue.Empty, queue.Full, ShutDown */
    PyObject *queue_empty, *queue_full, *queue_shutdown; /* asyncio's, loaded with the first AsyncPriorityQueue */
    PyObject *entry;                                     /* the named tuple Entry */
} Shared;
extern Shared shared;
int shared_load_asyncio(void);

/* What every type lists among its methods and attributes. */
#define COMMON_METHODS \
    {"peek", FC_METHOD(heap_peek), METH_NOARGS, NULL}, {"priority", FC_METHOD(priority), FC_KEYWORDS, NULL}, \
        {"ready", FC_METHOD(heap_ready), METH_NOARGS, NULL}, {"next_due", FC_METHOD(heap_next_due), METH_NOARGS, NULL}, \
        {"_rows", FC_METHOD(heap_rows), METH_FASTCALL, NULL}, {"_load", FC_METHOD(heap_load), METH_VARARGS, NULL}, \
        {"_check", FC_METHOD(heap_check), METH_NOARGS, NULL}
#define COMMON_GETSET \
    {"order", (getter)heap_get_order, NULL, NULL, NULL}, {"aging", (getter)heap_get_aging, NULL, NULL, NULL}, \
        {"clock", (getter)heap_get_clock, NULL, NULL, NULL}, {"_serial", (getter)heap_get_serial, NULL, NULL, NULL}, \
        {"_origin", (getter)heap_get_origin, NULL, NULL, NULL}, {"_slots", (getter)heap_get_slots, NULL, NULL, NULL}

#define QUEUE_METHODS \
    {"qsize", FC_METHOD(queue_qsize), METH_NOARGS, NULL}, {"empty", FC_METHOD(queue_empty), METH_NOARGS, NULL}, \
        {"full", FC_METHOD(queue_full), METH_NOARGS, NULL}, {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL}
#define QUEUE_GETSET \
    {"maxsize", (getter)queue_get_maxsize, (setter)set_maxsize, NULL, NULL}, \
        {"is_shutdown", (getter)queue_get_is_shutdown, NULL, NULL, NULL}

/* base.c: methods of all three types */
void heap_setup(HeapObject *self, int any, int (*renew)(HeapObject *self, PyObject *left));
PyObject *heap_after_fork(PyObject *module, PyObject *unused);
PyObject *heap_update(HeapObject *self, fc_signature *signature, PyObject *const *args, Py_ssize_t nargs,
                      PyObject *kwnames);
int queue_init(HeapObject *self, fc_signature *signature, PyObject *args, PyObject *kwargs);
int queue_set_limit(HeapObject *self, PyObject *given);
PyObject *queue_set_counts(HeapObject *self, Py_ssize_t *unfinished, PyObject *args);
PyObject *queue_qsize(HeapObject *self, PyObject *unused);
PyObject *queue_empty(HeapObject *self, PyObject *unused);
PyObject *queue_full(HeapObject *self, PyObject *unused);
PyObject *queue_get_maxsize(HeapObject *self, void *unused);
PyObject *queue_get_is_shutdown(HeapObject *self, void *unused);
int heap_traverse(HeapObject *self, visitproc visit, void *arg);
int heap_clear_slot(HeapObject *self);
void heap_dealloc(HeapObject *self);
Py_ssize_t heap_length(HeapObject *self);
int heap_contains(HeapObject *self, PyObject *handle);
PyObject *heap_peek(HeapObject *self, PyObject *unused);
PyObject *heap_peek_entry(HeapObject *self, PyObject *unused);
PyObject *heap_priority(HeapObject *self, fc_signature *signature, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames);
PyObject *heap_next_due(HeapObject *self, PyObject *unused);
PyObject *heap_ready(HeapObject *self, PyObject *unused);
PyObject *heap_entry(Core *core, uint32_t slot, uint64_t key);
PyObject *heap_check(HeapObject *self, PyObject *unused);
PyObject *heap_get_order(HeapObject *self, void *unused);
PyObject *heap_get_priorities(HeapObject *self, void *unused);
PyObject *heap_get_aging(HeapObject *self, void *unused);
PyObject *heap_get_clock(HeapObject *self, void *unused);
PyObject *heap_get_serial(HeapObject *self, void *unused);
PyObject *heap_get_origin(HeapObject *self, void *unused);
PyObject *heap_get_slots(HeapObject *self, void *unused);
PyObject *heap_rows(HeapObject *self, PyObject *const *args, Py_ssize_t nargs);
PyObject *heap_load(HeapObject *self, PyObject *args);
PyObject *heap_nothing_ready(const HeapObject *self, const char *method);

#endif
