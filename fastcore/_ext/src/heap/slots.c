/* The table of slots: where items live, so that keys can be small and handles can be checked. */
#include "heap/core.h"

#include <string.h>

#define SMALLEST 16
#define KEEP 1024 /* an empty heap keeps a table up to this size */

static int resize(void **array, size_t count, size_t size) {
    void *grown = PyMem_Realloc(*array, count * size);
    if (!grown) {
        return -1;
    }
    *array = grown;
    return 0;
}

int slots_reserve(Core *core, size_t extra) {
    if (extra == 1 && core->free_slot != NO_SLOT) {
        return 0;
    }
    const size_t need = core->slots_len + extra; /* free ones are taken first; this is at most a little too much */
    if (need <= core->slots_cap) {
        return 0;
    }
    if (need > SLOT_LIMIT) {
        PyErr_Format(PyExc_OverflowError, "heap: expected at most %u items", (unsigned)SLOT_LIMIT);
        return -1;
    }
    size_t cap = core->slots_cap ? core->slots_cap : SMALLEST;
    while (cap < need) {
        cap *= 2;
    }
    if (resize((void **)&core->slots, cap, sizeof(Slot)) < 0 ||
        (core->details && resize((void **)&core->details, cap, sizeof(Detail)) < 0) ||
        (core->places && resize((void **)&core->places, cap, sizeof(uint32_t)) < 0)) {
        PyErr_NoMemory(); /* an array that grew already stays valid */
        return -1;
    }
    core->slots_cap = (uint32_t)cap;
    return 0;
}

/* The slot of a push that failed: its handle was never given out. The caller still holds what was in it. */
void slot_untake(Core *core, uint32_t slot) {
    PyObject *priority, *item;
    core->serial = core->slots[slot].mark;
    item = slot_release(core, slot, &priority);
    Py_XDECREF(priority);
    Py_DECREF(item);
}

int slots_details(Core *core) {
    if (core->details || !core->slots_cap) {
        return 0;
    }
    core->details = PyMem_Calloc(core->slots_cap, sizeof(Detail));
    if (!core->details) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* Places are kept only from the first use of a handle on: most heaps never pay for them. */
int slots_track(Core *core) {
    if (core->places || !core->slots_cap) {
        return 0;
    }
    core->places = PyMem_Malloc(core->slots_cap * sizeof(uint32_t));
    if (!core->places) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t at = 0; at < core->ready.len; at++) {
        core->places[node_slot(core->ready.nodes[at])] = (uint32_t)at;
    }
    for (size_t at = 0; at < core->later.len; at++) {
        core->places[node_slot(core->later.nodes[at])] = (uint32_t)at | PLACE_LATER;
    }
    return 0;
}

/* An empty heap starts afresh, and gives back what a burst made it allocate. */
void slots_settle(Core *core) {
    if (core_len(core)) {
        return;
    }
    core->sequence = 0;
    core->compared = 0;
    memset(core->kinds, 0, sizeof core->kinds);
    if (core->slots_len <= KEEP) {
        return;
    }
    PyMem_Free(core->slots);
    slots_forget(core);
}

/* In a forked process: another thread was comparing, and will not go on. What it had begun is taken back; the items of
   pushes that never ended go into the list `left`, which is to be dropped when nothing depends on the heap. */
int slots_recover(Core *core, PyObject *left) {
    unsigned char *placed = PyMem_Calloc(core->slots_len + 1, 1);
    if (!placed) {
        PyErr_NoMemory();
        return -1;
    }
    if (core->undo_slot != NO_SLOT) {
        core->details[core->undo_slot] = core->undo;
    }
    core->undo_slot = NO_SLOT;
    memset(core->kinds, 0, sizeof core->kinds);
    for (size_t at = 0; at < core_len(core); at++) {
        const Node node = at < core->ready.len ? core->ready.nodes[at] : core->later.nodes[at - core->ready.len];
        placed[node_slot(node)] = 1;
        core->kinds[core->details[node_slot(node)].kind]++;
    }
    int failed = 0;
    for (uint32_t slot = 0; slot < core->slots_len; slot++) {
        PyObject *priority, *item = core->slots[slot].item;
        if (!item || placed[slot]) {
            continue;
        }
        core->kinds[core->details[slot].kind]++; /* slot_release counts it down */
        item = slot_release(core, slot, &priority);
        failed |= PyList_Append(left, item) < 0 || (priority && PyList_Append(left, priority) < 0);
        Py_DECREF(item);
        Py_XDECREF(priority);
    }
    PyMem_Free(placed);
    return failed ? -1 : 0;
}

/* Drops the tables without looking into them. */
void slots_forget(Core *core) {
    PyMem_Free(core->details);
    PyMem_Free(core->places);
    core->slots = NULL;
    core->details = NULL;
    core->places = NULL;
    core->slots_len = core->slots_cap = 0;
    core->free_slot = NO_SLOT;
    packed_free(&core->ready);
    packed_free(&core->later);
}
