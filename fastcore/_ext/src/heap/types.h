/* The types of the module and what they share. */
#ifndef FASTCORE_HEAP_TYPES_H
#define FASTCORE_HEAP_TYPES_H

#include "common/arguments.h"
#include "heap/core.h"

typedef struct HeapKind HeapKind;

/* Every type begins like this, so that what they have in common is written once. */
typedef struct HeapObject {
    PyObject_HEAD
    PyObject *weakrefs;
    struct HeapObject *next, *previous; /* all of them, for forks */
    HeapKind *kind;
    Core core;
} HeapObject;

/* Both queues begin like this. */
typedef struct {
    HeapObject heap;
    Py_ssize_t unfinished;
} QueueBase;

/* Who waits in a queue. */
enum { GETTERS, PUTTERS, JOINERS };

/* What differs between the types in methods that are written once. */
struct HeapKind {
    fc_signature init, update, priority, remove, shutdown;
    /* Of queues alone. */
    int (*renew)(QueueBase *self, PyObject *left); /* forgets who waits; what is to be dropped goes into the list */
    void (*wake_all)(QueueBase *self, int who);
    void (*taken)(QueueBase *self); /* an item left: wakes those for whom that matters */
};

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

/* What every type, and what both queues, list among their methods and attributes. */
/* clang-format off */
#define COMMON_METHODS \
    {"peek", FC_METHOD(heap_peek), METH_NOARGS, NULL}, \
    {"priority", FC_METHOD(heap_priority), FC_KEYWORDS, NULL}, \
    {"ready", FC_METHOD(heap_ready), METH_NOARGS, NULL}, \
    {"next_due", FC_METHOD(heap_next_due), METH_NOARGS, NULL}, \
    {"update", FC_METHOD(heap_update), FC_KEYWORDS, NULL}, \
    {"_rows", FC_METHOD(heap_rows), METH_FASTCALL, NULL}, \
    {"_load", FC_METHOD(heap_load), METH_VARARGS, NULL}, \
    {"_check", FC_METHOD(heap_check), METH_NOARGS, NULL}
#define COMMON_GETSET \
    {"order", (getter)heap_get_order, NULL, NULL, NULL}, \
    {"aging", (getter)heap_get_aging, NULL, NULL, NULL}, \
    {"clock", (getter)heap_get_clock, NULL, NULL, NULL}, \
    {"_serial", (getter)heap_get_serial, NULL, NULL, NULL}, \
    {"_origin", (getter)heap_get_origin, NULL, NULL, NULL}, \
    {"_slots", (getter)heap_get_slots, NULL, NULL, NULL}
#define QUEUE_METHODS \
    {"qsize", FC_METHOD(queue_qsize), METH_NOARGS, NULL}, \
    {"empty", FC_METHOD(queue_empty), METH_NOARGS, NULL}, \
    {"full", FC_METHOD(queue_full), METH_NOARGS, NULL}, \
    {"remove", FC_METHOD(queue_remove), FC_KEYWORDS, NULL}, \
    {"task_done", FC_METHOD(queue_task_done), METH_NOARGS, NULL}, \
    {"clear", FC_METHOD(queue_clear), METH_NOARGS, NULL}, \
    {"shutdown", FC_METHOD(queue_shutdown), FC_KEYWORDS, NULL}, \
    {"_set_counts", FC_METHOD(queue_set_counts), METH_VARARGS, NULL}, \
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL}
#define QUEUE_GETSET \
    {"maxsize", (getter)queue_get_maxsize, (setter)queue_set_maxsize, NULL, NULL}, \
    {"is_shutdown", (getter)queue_get_is_shutdown, NULL, NULL, NULL}, \
    {"unfinished_tasks", (getter)queue_get_unfinished, NULL, NULL, NULL}
/* clang-format on */

/* base.c: methods of all three types */
void heap_setup(HeapObject *self, HeapKind *kind, int any);
PyObject *heap_after_fork(PyObject *module, PyObject *unused);
PyObject *heap_update(HeapObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
int heap_traverse(HeapObject *self, visitproc visit, void *arg);
int heap_clear_slot(HeapObject *self);
void heap_dealloc(HeapObject *self);
Py_ssize_t heap_length(HeapObject *self);
int heap_contains(HeapObject *self, PyObject *handle);
PyObject *heap_peek(HeapObject *self, PyObject *unused);
PyObject *heap_peek_entry(HeapObject *self, PyObject *unused);
PyObject *heap_priority(HeapObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
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

/* queue.c: methods of both queues */
int queue_init(QueueBase *self, PyObject *args, PyObject *kwargs);
PyObject *queue_task_done(QueueBase *self, PyObject *unused);
PyObject *queue_clear(QueueBase *self, PyObject *unused);
PyObject *queue_shutdown(QueueBase *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *queue_remove(QueueBase *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *queue_set_counts(QueueBase *self, PyObject *args);
PyObject *queue_qsize(QueueBase *self, PyObject *unused);
PyObject *queue_empty(QueueBase *self, PyObject *unused);
PyObject *queue_full(QueueBase *self, PyObject *unused);
PyObject *queue_get_maxsize(QueueBase *self, void *unused);
int queue_set_maxsize(QueueBase *self, PyObject *given, void *unused);
PyObject *queue_get_unfinished(QueueBase *self, void *unused);
PyObject *queue_get_is_shutdown(QueueBase *self, void *unused);

#endif
