/* Many items at once: all of them or none. */
#include "heap/core.h"

#include <string.h>

#include "common/errors.h"

typedef struct {
    Priority *list;
    Py_ssize_t len;
} Parsed;

static void parsed_free(Parsed *parsed) {
    for (Py_ssize_t i = 0; i < parsed->len; i++) {
        Py_XDECREF(parsed->list[i].object);
    }
    PyMem_Free(parsed->list);
}

/* A buffer of doubles (a NumPy column) is read as it lies. 1: read, 0: it is something else, -1: error. */
static int parse_buffer(PyObject *given, Parsed *parsed, Py_ssize_t count) {
    Py_buffer view;
    if (!PyObject_CheckBuffer(given) || PyBytes_Check(given) || PyByteArray_Check(given)) {
        return 0;
    }
    if (PyObject_GetBuffer(given, &view, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) < 0) {
        PyErr_Clear(); /* strided or of an odd type: taken element by element */
        return 0;
    }
    const int doubles = view.ndim == 1 && view.itemsize == 8 && view.format && strcmp(view.format, "d") == 0;
    int done = doubles && view.shape[0] == count;
    for (Py_ssize_t i = 0; done > 0 && i < count; i++) {
        const double value = ((const double *)view.buf)[i];
        parsed->list[i] = (Priority){NULL, value + 0.0, KIND_NUMBER};
        if (value != value) {
            PyErr_SetString(PyExc_ValueError, "priority: expected a number, got nan");
            done = -1;
        }
    }
    PyBuffer_Release(&view);
    return done;
}

static int parse_all(Core *core, PyObject *items, PyObject *given, Parsed *parsed) {
    const Py_ssize_t count = PyTuple_GET_SIZE(items);
    PyObject *several = NULL;
    parsed->len = 0;
    parsed->list = PyMem_Calloc((size_t)(count ? count : 1), sizeof(Priority));
    if (!parsed->list) {
        PyErr_NoMemory();
        return -1;
    }
    if (given == Py_None) {
        given = NULL;
    }
    if (given) {
        int done = core->any && core->aging == 0.0 ? 0 : parse_buffer(given, parsed, count);
        if (done) {
            parsed->len = done > 0 ? count : 0;
            return done > 0 ? 0 : -1;
        }
        several = FC_GUARDED(PySequence_Tuple(given));
        if (!several) {
            return -1;
        }
        if (PyTuple_GET_SIZE(several) != count) {
            PyErr_Format(PyExc_ValueError, "priorities: expected %zd of them, one for each item, got %zd", count,
                         PyTuple_GET_SIZE(several));
            Py_DECREF(several);
            return -1;
        }
    }
    int failed = 0;
    for (Py_ssize_t i = 0; i < count && !failed; i++) {
        PyObject *one = several ? PyTuple_GET_ITEM(several, i) : core->any ? PyTuple_GET_ITEM(items, i) : NULL;
        parsed->list[i] = (Priority){NULL, 0.0, KIND_NUMBER};
        failed = one && priority_parse(core, one, &parsed->list[i]) < 0;
        parsed->len = i + !failed;
    }
    Py_XDECREF(several);
    return failed ? -1 : 0;
}

/* Into a copy of the ready nodes, which takes their place when every comparison went well. */
static int push_compared(Core *core, const Node *nodes, Py_ssize_t count) {
    Packed copy = {0};
    if (packed_reserve(&copy, core->ready.len + (size_t)count) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    if (core->ready.len) {
        memcpy(copy.nodes, core->ready.nodes, core->ready.len * sizeof(Node));
    }
    copy.len = core->ready.len;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (ordered_push(core, &copy, nodes[i], (Places){NULL, 0}) < 0) {
            packed_free(&copy);
            return -1;
        }
    }
    packed_free(&core->ready);
    core->ready = copy;
    PyMem_Free(core->places); /* found again when a handle is next used */
    core->places = NULL;
    return 0;
}

static int insert_nodes(Core *core, const Node *nodes, Py_ssize_t count, const double *due) {
    if (due) {
        for (Py_ssize_t i = 0; i < count; i++) {
            packed_push(&core->later, node_of(key_of_double(*due), node_low(nodes[i])), places_later(core));
        }
        return 0;
    }
    if (core->compared) {
        return push_compared(core, nodes, count);
    }
    if ((size_t)count > core->ready.len / 4) {
        memcpy(core->ready.nodes + core->ready.len, nodes, (size_t)count * sizeof(Node));
        core->ready.len += (size_t)count;
        packed_heapify(&core->ready, places_ready(core));
    } else {
        for (Py_ssize_t i = 0; i < count; i++) {
            packed_push(&core->ready, nodes[i], places_ready(core));
        }
    }
    return 0;
}

/* The part that runs no Python but comparisons; `handles` is filled. */
static int insert_all(Core *core, PyObject *items, const Parsed *parsed, double born, const double *due,
                      uint64_t *handles) {
    const Py_ssize_t count = parsed->len;
    int compare = core->compared;
    for (Py_ssize_t i = 0; i < count; i++) {
        compare |= parsed->list[i].object != NULL;
    }
    if ((compare && !core->compared && ordered_begin(core) < 0) || slots_reserve(core, (size_t)count) < 0) {
        return -1;
    }
    const int details = compare || core->aging != 0.0 || due;
    Node *nodes = PyMem_Malloc((size_t)count * sizeof(Node));
    if (!nodes || packed_reserve(due ? &core->later : &core->ready, (size_t)count) < 0) {
        PyMem_Free(nodes);
        PyErr_NoMemory();
        return -1;
    }
    int failed = (details && slots_details(core) < 0) ||
                 (core->sequence + (uint64_t)count > SEQUENCE_LIMIT && core_renumber(core) < 0);
    Py_ssize_t taken = 0;
    for (; taken < count && !failed; taken++) {
        const Priority *priority = &parsed->list[taken];
        PyObject *kept = compare || core->aging != 0.0 ? priority_object(priority) : NULL;
        if (!kept && PyErr_Occurred()) {
            failed = 1;
            break;
        }
        const uint32_t slot = slot_take(core, PyTuple_GET_ITEM(items, taken));
        const uint64_t key = priority_key(core, priority, born);
        nodes[taken] = node_of(key, core->sequence++ << SLOT_BITS | slot);
        handles[taken] = core_handle(core, slot);
        if (core->details) {
            core->details[slot] = (Detail){kept, born, key, priority->kind};
        }
        if (core->compared) {
            core->kinds[priority->kind]++;
        }
    }
    if (!failed) {
        failed = insert_nodes(core, nodes, count, due) < 0;
    }
    while (failed && taken--) {
        slot_untake(core, node_slot(nodes[taken]));
    }
    slots_settle(core);
    PyMem_Free(nodes);
    return failed ? -1 : 0;
}

PyObject *core_push_many(Core *core, PyObject *given, PyObject *priorities, PyObject *due) {
    Parsed parsed = {0};
    double when = 0.0, now = 0.0;
    PyObject *items = FC_GUARDED(PySequence_Tuple(given)), *result = NULL; /* a tuple: a list could change under us */
    if (!items) {
        return NULL;
    }
    const Py_ssize_t count = PyTuple_GET_SIZE(items);
    uint64_t *handles = PyMem_Malloc((size_t)(count ? count : 1) * sizeof(uint64_t));
    int later;
    if (!handles) {
        PyErr_NoMemory();
    } else if (parse_all(core, items, priorities, &parsed) == 0 && (later = core_due(core, due, &when, &now)) >= 0 &&
               core_enter(core) == 0) {
        if (!count || insert_all(core, items, &parsed, later ? when : now, later ? &when : NULL, handles) == 0) {
            result = PyList_New(count);
        }
    }
    for (Py_ssize_t i = 0; result && i < count; i++) {
        PyObject *handle = PyLong_FromUnsignedLongLong(handles[i]);
        if (!handle) {
            Py_CLEAR(result);
        } else {
            PyList_SET_ITEM(result, i, handle);
        }
    }
    parsed_free(&parsed);
    PyMem_Free(handles);
    Py_DECREF(items);
    return result;
}

/* Takes the first `count` ready nodes off; in comparing mode off a copy, so that a comparison that raises loses none. */
static int take_nodes(Core *core, Node *nodes, size_t count) {
    if (!core->compared && count > core->ready.len / 2) {
        packed_sort(core->ready.nodes, core->ready.len);
        memcpy(nodes, core->ready.nodes, count * sizeof(Node));
        core->ready.len -= count;
        memmove(core->ready.nodes, core->ready.nodes + count, core->ready.len * sizeof(Node));
        packed_heapify(&core->ready, places_ready(core)); /* in order already: this sets the places */
        return 0;
    }
    if (!core->compared) {
        for (size_t i = 0; i < count; i++) {
            nodes[i] = packed_pop(&core->ready, places_ready(core));
        }
        return 0;
    }
    Packed copy = {0};
    if (packed_reserve(&copy, core->ready.len) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(copy.nodes, core->ready.nodes, core->ready.len * sizeof(Node));
    copy.len = core->ready.len;
    for (size_t i = 0; i < count; i++) {
        nodes[i] = copy.nodes[0];
        if (ordered_remove(core, &copy, 0, (Places){NULL, 0}) < 0) {
            packed_free(&copy);
            return -1;
        }
    }
    packed_free(&core->ready);
    core->ready = copy;
    PyMem_Free(core->places);
    core->places = NULL;
    return 0;
}

PyObject *core_pop_many(Core *core, PyObject *limit) {
    if (!PyIndex_Check(limit)) {
        return PyErr_Format(PyExc_TypeError, "n: expected an int, got %s", fc_type_name(limit));
    }
    const Py_ssize_t most = FC_GUARDED_INT(PyNumber_AsSsize_t(limit, NULL));
    if (most == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (most < 0) {
        return PyErr_Format(PyExc_ValueError, "n: expected an int of 0 or more, got %zd", most);
    }
    if (core_promote(core) < 0 || core_enter(core) < 0) {
        return NULL;
    }
    const size_t count = (size_t)most < core->ready.len ? (size_t)most : core->ready.len;
    Node *nodes = PyMem_Malloc((count ? count : 1) * sizeof(Node));
    PyObject **items = PyMem_Malloc((2 * count + 1) * sizeof(PyObject *));
    PyObject *result = NULL;
    if (!nodes || !items) {
        PyErr_NoMemory();
    } else if (count == 0 || take_nodes(core, nodes, count) == 0) {
        for (size_t i = 0; i < count; i++) {
            items[i] = slot_release(core, node_slot(nodes[i]), &items[count + i]);
        }
        slots_settle(core);
        for (size_t i = 0; i < count; i++) {
            Py_XDECREF(items[count + i]); /* the priorities, only now: it may call back */
        }
        result = PyList_New((Py_ssize_t)count);
        for (size_t i = 0; i < count; i++) {
            if (result) {
                PyList_SET_ITEM(result, (Py_ssize_t)i, items[i]);
            } else {
                Py_DECREF(items[i]);
            }
        }
    }
    PyMem_Free(nodes);
    PyMem_Free(items);
    return result;
}
