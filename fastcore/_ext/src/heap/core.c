/* One heap: push, pop, remove and update over the parts. Steps that may run Python come first, changes after them. */
#include "heap/core.h"

#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "common/errors.h"
#include "common/imports.h"

#define FARTHEST (10 * 365 * 86400) /* seconds: a due time beyond was read from another clock */

static int choose(const char *name, PyObject *given, const char *first, const char *second) {
    if (!given) {
        return 0;
    }
    if (!PyUnicode_Check(given)) {
        PyErr_Format(PyExc_TypeError, "%s: expected '%s' or '%s', got %s", name, first, second, fc_type_name(given));
        return -1;
    }
    if (PyUnicode_CompareWithASCIIString(given, first) == 0) {
        return 0;
    }
    if (PyUnicode_CompareWithASCIIString(given, second) == 0) {
        return 1;
    }
    fc_raise(PyExc_ValueError, "%s: expected '%s' or '%s', got %R", name, first, second, given);
    return -1;
}

int core_init(Core *core, PyObject *order, PyObject *priorities, PyObject *aging, PyObject *clock) {
    int max = choose("order", order, "min", "max");
    int any = max < 0 ? -1 : choose("priorities", priorities, "number", "any");
    double rate = 0.0;
    if (any < 0 || (aging && priority_number("aging", aging, &rate) < 0)) {
        return -1;
    }
    if (rate < 0 || isinf(rate)) {
        fc_raise(PyExc_ValueError, "aging: expected a finite rate of 0 or more a second, got %R", aging);
        return -1;
    }
    if (clock && clock != Py_None && !PyCallable_Check(clock)) {
        PyErr_Format(PyExc_TypeError, "clock: expected a callable or None, got %s", fc_type_name(clock));
        return -1;
    }
    core->flip = max ? ~(uint64_t)0 : 0;
    core->any = any;
    core->aging = rate;
    Py_XSETREF(core->clock, clock && clock != Py_None ? Py_NewRef(clock) : NULL);
    return rate != 0.0 ? core_now(core, &core->origin) : 0;
}

int core_traverse(Core *core, visitproc visit, void *arg) {
    for (uint32_t slot = 0; slot < core->slots_len; slot++) {
        Py_VISIT(core->slots[slot].item);
    }
    if (core->details) {
        for (uint32_t slot = 0; slot < core->slots_len; slot++) {
            Py_VISIT(core->details[slot].priority);
        }
    }
    Py_VISIT(core->clock);
    return 0;
}

Dropped core_detach(Core *core) {
    const Dropped dropped = {core->slots, core->details, core->slots_len};
    core->slots = NULL;
    core->details = NULL;
    core->ready.len = core->later.len = 0;
    slots_settle(core);
    slots_forget(core);
    return dropped;
}

void core_drop(Dropped dropped) {
    PyObject *pending = fc_take_exception();
    for (uint32_t slot = 0; slot < dropped.len; slot++) {
        Py_XDECREF(dropped.slots[slot].item);
        if (dropped.details) {
            Py_XDECREF(dropped.details[slot].priority);
        }
    }
    fc_raise_exception(pending);
    PyMem_Free(dropped.slots);
    PyMem_Free(dropped.details);
}

/* While another thread compares, wait for it; a comparison of our own that came back here is an error. */
int core_enter(Core *core) {
    if (fc_stack_guard() < 0) { /* what is let go of may have a finalizer */
        return -1;
    }
    while (core->owner) {
        if (core->owner == PyThread_get_thread_ident()) {
            PyErr_SetString(PyExc_RuntimeError, "heap: a comparison may not use the heap that it orders");
            return -1;
        }
        if (wait_on(&core->turn, -1) == WAIT_ERROR) {
            return -1;
        }
    }
    return 0;
}

int core_now(Core *core, double *now) {
#if defined(__linux__)
    if (!core->clock) { /* what time.monotonic reads here */
        *now = fc_clock(1);
        return 0;
    }
#endif
    static PyObject *monotonic;
    if (!core->clock && !monotonic) {
        monotonic = fc_import_attribute("time", "monotonic");
        if (!monotonic) {
            return -1;
        }
    }
    PyObject *clock = Py_NewRef(core->clock ? core->clock : monotonic); /* it may replace itself */
    PyObject *result = FC_GUARDED(PyObject_CallNoArgs(clock));
    Py_DECREF(clock);
    if (!result) {
        return -1;
    }
    int failed = priority_number("clock", result, now);
    Py_DECREF(result);
    if (!failed && isinf(*now)) {
        PyErr_SetString(PyExc_ValueError, "clock: expected a finite number, got inf");
        failed = -1;
    }
    return failed;
}

/* Renumber the sequences from 0 in the same order: once in 2**36 pushes onto a heap that is never empty. */
int core_renumber(Core *core) {
    const size_t len = core_len(core);
    Node *order = PyMem_Malloc((len ? len : 1) * sizeof(Node));
    uint64_t *fresh = PyMem_Malloc((core->slots_len ? core->slots_len : 1) * sizeof(uint64_t));
    if (!order || !fresh) {
        PyMem_Free(order);
        PyMem_Free(fresh);
        PyErr_NoMemory();
        return -1;
    }
    for (size_t at = 0; at < len; at++) {
        Node node = at < core->ready.len ? core->ready.nodes[at] : core->later.nodes[at - core->ready.len];
        order[at] = node_of(0, node_low(node));
    }
    packed_sort(order, len);
    for (size_t at = 0; at < len; at++) {
        fresh[node_slot(order[at])] = at;
    }
    for (size_t at = 0; at < len; at++) {
        Node *node = at < core->ready.len ? &core->ready.nodes[at] : &core->later.nodes[at - core->ready.len];
        *node = node_of(node_high(*node), fresh[node_slot(*node)] << SLOT_BITS | node_slot(*node));
    }
    core->sequence = len;
    PyMem_Free(order);
    PyMem_Free(fresh);
    return 0;
}

/* The rest of a push once nothing can call back any more. Takes over `priority->object`. */
static int insert(Core *core, PyObject *item, Priority *priority, double born, const double *due, uint64_t *handle) {
    Packed *heap = due ? &core->later : &core->ready;
    if (core->closed) {
        return PUSH_CLOSED;
    }
    if (core->limit && core_len(core) >= core->limit) {
        return PUSH_FULL;
    }
    if ((priority->object && !core->compared && ordered_begin(core) < 0) || slots_reserve(core, 1) < 0) {
        return -1;
    }
    if (packed_reserve(heap, 1) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    const int detailed = core->compared || core->aging != 0.0 || due || priority->object;
    if ((detailed && slots_details(core) < 0) || (core->sequence == SEQUENCE_LIMIT && core_renumber(core) < 0)) {
        return -1;
    }
    PyObject *kept = core->compared || core->aging != 0.0 ? priority_object(priority) : NULL;
    if (!kept && PyErr_Occurred()) {
        return -1;
    }
    const uint64_t key = priority_key(core, priority, born);
    const uint32_t slot = slot_take(core, item);
    const uint64_t low = core->sequence++ << SLOT_BITS | slot;
    *handle = core_handle(core, slot);
    if (core->details) {
        core->details[slot] = (Detail){kept, born, key, priority->kind};
        if (core->compared) {
            core->kinds[priority->kind]++;
        }
    }
    if (due) {
        packed_push(heap, node_of(key_of_double(*due), low), places_later(core));
    } else if (!core->compared) {
        packed_push(heap, node_of(key, low), places_ready(core));
    } else if (ordered_push(core, heap, node_of(key, low), places_ready(core)) < 0) {
        slot_untake(core, slot);
        slots_settle(core);
        return -1;
    }
    return PUSH_DONE;
}

int core_when(Core *core, PyObject **due, PyObject *delay, PyObject **owned) {
    double seconds, now;
    *owned = NULL;
    if (!delay || delay == Py_None) {
        return 0;
    }
    if (*due && *due != Py_None) {
        PyErr_SetString(PyExc_ValueError, "delay: expected either due= or delay=, got both");
        return -1;
    }
    if (priority_number("delay", delay, &seconds) < 0) {
        return -1;
    }
    if (!(seconds >= 0 && seconds <= FARTHEST)) {
        PyObject *given = PyFloat_FromDouble(seconds);
        fc_raise(PyExc_ValueError, "delay: expected 0 to %d seconds, got %R", FARTHEST, given);
        Py_XDECREF(given);
        return -1;
    }
    if (core_now(core, &now) < 0 || !(*owned = PyFloat_FromDouble(now + seconds))) {
        return -1;
    }
    *due = *owned;
    return 0;
}

static int too_far(const Core *core, double when, double now) {
    PyObject *name = core->clock ? FC_GUARDED(PyObject_Repr(core->clock)) : PyUnicode_FromString("time.monotonic");
    PyObject *shown = PyFloat_FromDouble(now), *given = PyFloat_FromDouble(when);
    if (name && shown && given) {
        fc_raise(PyExc_ValueError,
                 "due: expected a time within ten years on the heap's clock, %U, which shows %R, got %R", name, shown,
                 given);
    }
    Py_XDECREF(name);
    Py_XDECREF(shown);
    Py_XDECREF(given);
    return -1;
}

int core_due(Core *core, PyObject *due, double *when, double *now) {
    const int delayed = due && due != Py_None;
    if ((delayed && priority_number("due", due, when) < 0) ||
        ((delayed || core->aging != 0.0) && core_now(core, now) < 0)) {
        return -1;
    }
    if (!delayed || !(*when > *now)) {
        return 0;
    }
    return *when - *now > FARTHEST ? too_far(core, *when, *now) : 1;
}

/* Nothing but keys to think of: a float onto a heap without limit, ages, delays or comparisons, and room for it. */
static inline int is_plain(const Core *core, PyObject *given, PyObject *due) {
    return given && PyFloat_CheckExact(given) && !due && !core->compared && !core->details && !core->limit &&
           !core->closed && core->aging == 0.0 && core->free_slot != NO_SLOT && core->ready.len < core->ready.cap &&
           core->sequence != SEQUENCE_LIMIT;
}

int core_push(Core *core, PyObject *item, PyObject *given, PyObject *due, uint64_t *handle) {
    if (is_plain(core, given, due)) {
        const double number = PyFloat_AS_DOUBLE(given) + 0.0;
        if (!isnan(number)) {
            const uint32_t slot = slot_take(core, item);
            *handle = core_handle(core, slot);
            packed_push(&core->ready, node_of(key_of_double(number) ^ core->flip, core->sequence++ << SLOT_BITS | slot),
                        places_ready(core));
            return PUSH_DONE;
        }
    }
    Priority priority = {NULL, 0.0, KIND_NUMBER};
    double when = 0.0, now = 0.0;
    if (given && priority_parse(core, given, &priority) < 0) {
        return PUSH_ERROR;
    }
    const int later = core_due(core, due, &when, &now);
    const int failed = later < 0 || (core->owner && core_enter(core) < 0);
    int done = failed ? PUSH_ERROR : insert(core, item, &priority, later ? when : now, later ? &when : NULL, handle);
    Py_XDECREF(priority.object); /* a heap that took the item holds it too, so nothing runs here then */
    return done;
}

int core_promote(Core *core) {
    double now;
    if (core->later.len == 0) {
        return 0;
    }
    if (core_now(core, &now) < 0 || core_enter(core) < 0) {
        return -1;
    }
    while (core->later.len) {
        Node node = core->later.nodes[0];
        if (double_of_key(node_high(node)) > now) {
            break;
        }
        if (packed_reserve(&core->ready, 1) < 0) {
            PyErr_NoMemory();
            return -1;
        }
        Node ready = node_of(core->details[node_slot(node)].key, node_low(node));
        if (!core->compared) {
            packed_push(&core->ready, ready, places_ready(core));
        } else if (ordered_push(core, &core->ready, ready, places_ready(core)) < 0) {
            return -1; /* still delayed */
        }
        packed_pop(&core->later, places_later(core));
    }
    return 0;
}

int core_first(Core *core, uint32_t *slot, uint64_t *key) {
    if (core_promote(core) < 0 || core_enter(core) < 0) {
        return -1;
    }
    if (core->ready.len == 0) {
        return 0;
    }
    *slot = node_slot(core->ready.nodes[0]);
    *key = node_high(core->ready.nodes[0]);
    return 1;
}

/* The item of a slot whose node was removed. The priority is released last: that may call back. */
static PyObject *release(Core *core, uint32_t slot) {
    PyObject *priority, *item = slot_release(core, slot, &priority);
    if (core_len(core) == 0) {
        slots_settle(core);
    }
    Py_XDECREF(priority);
    return item;
}

PyObject *core_pop(Core *core) {
    if ((core->later.len && core_promote(core) < 0) || (core->owner && core_enter(core) < 0) || core->ready.len == 0) {
        return NULL;
    }
    return core_take_first(core);
}

PyObject *core_take_first(Core *core) {
    const uint32_t slot = node_slot(core->ready.nodes[0]);
    if (!core->compared) {
        packed_pop(&core->ready, places_ready(core));
    } else if (ordered_remove(core, &core->ready, 0, places_ready(core)) < 0) {
        return NULL;
    }
    return release(core, slot);
}

int core_find(Core *core, PyObject *handle, uint32_t *slot) {
    if (!PyLong_Check(handle)) {
        PyErr_Format(PyExc_TypeError, "handle: expected an int, got %s", fc_type_name(handle));
        return -1;
    }
    const unsigned long long value = PyLong_AsUnsignedLongLong(handle);
    if (value == (unsigned long long)-1 && PyErr_Occurred()) {
        PyErr_Clear(); /* negative or huge: not a handle of this heap */
        return 0;
    }
    *slot = (uint32_t)(value & SLOT_MASK);
    return *slot < core->slots_len && core->slots[*slot].item && core_handle(core, *slot) == value;
}

static int require(Core *core, PyObject *handle, uint32_t *slot) {
    int found = core_enter(core) < 0 ? -1 : core_find(core, handle, slot);
    if (found == 0) {
        fc_raise(PyExc_KeyError, "handle: expected that of an item in this heap, got %S", handle);
    }
    return found > 0 ? 0 : -1;
}

PyObject *core_priority_of(Core *core, uint32_t slot, uint64_t key) {
    if (core->details && core->details[slot].priority) {
        return Py_NewRef(core->details[slot].priority);
    }
    return PyFloat_FromDouble(double_of_key(key ^ core->flip));
}

PyObject *core_priority(Core *core, PyObject *handle) {
    uint32_t slot;
    if (require(core, handle, &slot) < 0 || slots_track(core) < 0) {
        return NULL;
    }
    const uint32_t place = core->places[slot];
    return core_priority_of(core, slot,
                            place & PLACE_LATER ? core->details[slot].key : node_high(core->ready.nodes[place]));
}

PyObject *core_remove(Core *core, PyObject *handle) {
    uint32_t slot;
    if (require(core, handle, &slot) < 0 || slots_track(core) < 0) {
        return NULL;
    }
    const uint32_t place = core->places[slot];
    if (place & PLACE_LATER) {
        packed_remove(&core->later, place & ~PLACE_LATER, places_later(core));
    } else if (!core->compared) {
        packed_remove(&core->ready, place, places_ready(core));
    } else if (ordered_remove(core, &core->ready, place, places_ready(core)) < 0) {
        return NULL;
    }
    return release(core, slot);
}

int core_update(Core *core, PyObject *handle, PyObject *given) {
    Priority priority;
    uint32_t slot;
    if (priority_parse(core, given, &priority) < 0) {
        return -1;
    }
    PyObject *old = NULL, *kept = NULL;
    int failed = require(core, handle, &slot) < 0 || (priority.object && !core->compared && ordered_begin(core) < 0) ||
                 slots_track(core) < 0;
    const int keep = !failed && (core->compared || core->aging != 0.0);
    if (keep) {
        failed = !(kept = priority_object(&priority));
    }
    if (!failed) {
        const uint32_t place = core->places[slot];
        const double born = core->details ? core->details[slot].born : 0.0;
        const Detail detail = {kept, born, priority_key(core, &priority, born), priority.kind};
        if (core->details) {
            old = core->details[slot].priority;
        }
        if (place & PLACE_LATER) {
            if (core->compared) {
                core->kinds[core->details[slot].kind]--;
                core->kinds[priority.kind]++;
            }
            core->details[slot] = detail;
        } else {
            const Node node = node_of(detail.key, node_low(core->ready.nodes[place]));
            if (!core->compared) {
                packed_replace(&core->ready, place, node, places_ready(core));
                if (core->details) {
                    core->details[slot] = detail;
                }
            } else if (ordered_replace(core, place, node, &detail) < 0) {
                failed = 1;
                old = kept;
            }
        }
    }
    Py_XDECREF(priority.object);
    Py_XDECREF(old);
    return failed ? -1 : 0;
}

int core_next_due(Core *core, double *due) {
    if (core->later.len == 0) {
        return 0;
    }
    *due = double_of_key(node_high(core->later.nodes[0]));
    return 1;
}
