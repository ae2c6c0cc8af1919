/* A heap's contents as rows, and back: what pickles, copies and the change of twins are made of. */
#include "heap/core.h"

#include <string.h>

typedef struct {
    PyObject *item, *priority;
    uint64_t handle, sequence;
    double born, due;
    int delayed;
} Row;

static Node *sorted(Core *core, size_t len) {
    Node *nodes = PyMem_Malloc((len + 1) * sizeof(Node));
    if (!nodes) {
        PyErr_NoMemory();
        return NULL;
    }
    const size_t ready = core->ready.len;
    if (ready) {
        memcpy(nodes, core->ready.nodes, ready * sizeof(Node));
    }
    if (core->later.len) {
        memcpy(nodes + ready, core->later.nodes, core->later.len * sizeof(Node));
    }
    packed_sort(nodes + ready, len - ready);
    if (!core->compared) {
        packed_sort(nodes, ready);
    } else if (ordered_sort(core, nodes, ready) < 0) {
        PyMem_Free(nodes);
        return NULL;
    }
    return nodes;
}

/* References first, Python objects later: building a list may run the collector, and that may come back here. */
static Row *snapshot(Core *core, size_t len) {
    Node *nodes = sorted(core, len);
    Row *rows = nodes ? PyMem_Calloc(len + 1, sizeof(Row)) : NULL;
    for (size_t i = 0; rows && i < len; i++) {
        const uint32_t slot = node_slot(nodes[i]);
        const int delayed = i >= core->ready.len;
        const Detail *detail = core->details ? &core->details[slot] : NULL;
        rows[i] = (Row){
            .priority = core_priority_of(core, slot, delayed ? detail->key : node_high(nodes[i])),
            .item = Py_NewRef(core->slots[slot].item),
            .handle = core_handle(core, slot),
            .sequence = node_sequence(nodes[i]),
            .born = detail ? detail->born : 0.0,
            .due = delayed ? double_of_key(node_high(nodes[i])) : 0.0,
            .delayed = delayed,
        };
    }
    if (nodes && !rows) {
        PyErr_NoMemory();
    }
    PyMem_Free(nodes);
    return rows;
}

PyObject *core_rows(Core *core, int take) {
    if (core_enter(core) < 0) {
        return NULL;
    }
    const size_t len = core_len(core);
    Row *rows = snapshot(core, len);
    if (!rows) {
        return NULL;
    }
    int failed = 0;
    for (size_t i = 0; i < len; i++) {
        failed |= !rows[i].priority;
    }
    if (take && !failed) {
        core_clear(core); /* every item is held by its row, so nothing runs */
    }
    PyObject *list = failed ? NULL : PyList_New((Py_ssize_t)len);
    for (size_t i = 0; i < len; i++) {
        Row *row = &rows[i];
        PyObject *due = row->delayed ? PyFloat_FromDouble(row->due) : Py_NewRef(Py_None);
        PyObject *tuple = list && due
                              ? Py_BuildValue("(OOKKdO)", row->item, row->priority, (unsigned long long)row->handle,
                                              (unsigned long long)row->sequence, row->born, due)
                              : NULL;
        Py_XDECREF(due);
        if (tuple) {
            PyList_SET_ITEM(list, (Py_ssize_t)i, tuple);
        } else {
            Py_CLEAR(list);
        }
        Py_DECREF(row->item);
        Py_XDECREF(row->priority);
    }
    PyMem_Free(rows);
    return list;
}

static int bad(const char *expected) {
    if (!PyErr_Occurred() || !PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Format(PyExc_ValueError, "state: expected %s", expected);
    }
    return -1;
}

static int read_row(Core *core, PyObject *given, Row *row, Priority *priority, Py_ssize_t most) {
    PyObject *due;
    unsigned long long handle, sequence;
    if (!PyTuple_Check(given) ||
        !PyArg_ParseTuple(given, "OOKKdO", &row->item, &row->priority, &handle, &sequence, &row->born, &due) ||
        row->born != row->born) {
        return bad("rows of (item, priority, handle, sequence, born, due)");
    }
    row->handle = handle;
    row->sequence = sequence;
    row->delayed = due != Py_None;
    if (row->delayed && priority_number("due", due, &row->due) < 0) {
        return -1;
    }
    if (priority_parse(core, row->priority, priority) < 0) {
        return -1;
    }
    if (sequence >= SEQUENCE_LIMIT || handle >> SLOT_BITS == 0 || (handle & SLOT_MASK) >= SLOT_LIMIT - 1 ||
        (Py_ssize_t)(handle & SLOT_MASK) >= most) {
        return bad("handles and sequence numbers in their range");
    }
    return 0;
}

/* Room for slots up to the highest in use, all free; then those of the rows are taken. */
static int reserve(Core *core, const Row *rows, size_t len) {
    size_t slots = 0;
    int details = core->aging != 0.0, delayed = 0;
    for (size_t i = 0; i < len; i++) {
        const size_t slot = (size_t)(rows[i].handle & SLOT_MASK);
        slots = slot + 1 > slots ? slot + 1 : slots;
        delayed |= rows[i].delayed;
    }
    if (slots_reserve(core, slots) < 0 || ((details || delayed) && slots_details(core) < 0) ||
        (core->compared && slots_details(core) < 0)) {
        return -1;
    }
    if (packed_reserve(&core->ready, len) < 0 || packed_reserve(&core->later, len) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    memset(core->slots, 0, slots * sizeof(Slot));
    core->slots_len = (uint32_t)slots;
    return 0;
}

static int fill(Core *core, const Row *rows, const Priority *priorities, size_t len, double shift) {
    for (size_t i = 0; i < len; i++) {
        const Row *row = &rows[i];
        const uint32_t slot = (uint32_t)(row->handle & SLOT_MASK);
        const double born = row->born + shift;
        if (core->slots[slot].item || (row->handle >> SLOT_BITS) >= core->serial) {
            return bad("a handle of its own for every item, below the serial number");
        }
        PyObject *kept = core->compared || core->aging != 0.0 ? priority_object(&priorities[i]) : NULL;
        if (!kept && PyErr_Occurred()) {
            return -1;
        }
        const uint64_t key = priority_key(core, &priorities[i], born);
        const uint64_t low = row->sequence << SLOT_BITS | slot;
        core->slots[slot] = (Slot){Py_NewRef(row->item), row->handle >> SLOT_BITS};
        if (core->details) {
            core->details[slot] = (Detail){kept, born, key, priorities[i].kind};
        }
        if (core->compared) {
            core->kinds[priorities[i].kind]++;
        }
        Packed *heap = row->delayed ? &core->later : &core->ready;
        heap->nodes[heap->len++] = node_of(row->delayed ? key_of_double(row->due + shift) : key, low);
        core->sequence = row->sequence + 1 > core->sequence ? row->sequence + 1 : core->sequence;
    }
    for (uint32_t slot = core->slots_len; slot-- > 0;) {
        if (!core->slots[slot].item) {
            core->slots[slot].mark = core->free_slot;
            core->free_slot = slot;
        }
    }
    packed_heapify(&core->later, (Places){NULL, 0});
    if (!core->compared) {
        packed_heapify(&core->ready, (Places){NULL, 0}); /* else the rows came in order, which is a heap */
    }
    return 0;
}

int core_load(Core *core, PyObject *given, PyObject *serial, double shift, Py_ssize_t most) {
    PyObject *list = FC_GUARDED(PySequence_Tuple(given));
    if (!list) {
        return -1;
    }
    const size_t len = (size_t)PyTuple_GET_SIZE(list);
    const unsigned long long next = PyLong_Check(serial) ? PyLong_AsUnsignedLongLong(serial) : 0;
    Row *rows = PyMem_Calloc(len + 1, sizeof(Row));
    Priority *priorities = PyMem_Calloc(len + 1, sizeof(Priority));
    int failed = !rows || !priorities, compare = 0;
    if (failed) {
        PyErr_NoMemory();
    } else if (PyErr_Occurred() || next == 0 || next >= SEQUENCE_LIMIT) {
        failed = bad("a serial number in its range");
    }
    for (size_t i = 0; i < len && !failed; i++) {
        failed = read_row(core, PyTuple_GET_ITEM(list, (Py_ssize_t)i), &rows[i], &priorities[i], most) < 0;
        compare |= !failed && priorities[i].object != NULL;
    }
    if (!failed && core_enter(core) == 0) {
        const Dropped dropped = core_detach(core); /* its destructors may push: they run at the end */
        core->serial = next;
        core->compared = compare;
        failed = len && (reserve(core, rows, len) < 0 || fill(core, rows, priorities, len, shift) < 0);
        if (failed) {
            core_clear(core);
        }
        core_drop(dropped);
    }
    for (size_t i = 0; priorities && i < len; i++) {
        Py_XDECREF(priorities[i].object);
    }
    PyMem_Free(rows);
    PyMem_Free(priorities);
    Py_DECREF(list);
    return failed || PyErr_Occurred() ? -1 : 0;
}
