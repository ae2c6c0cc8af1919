/* The invariants, checked: for tests, never called otherwise. */
#include "heap/types.h"

#include <string.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            PyErr_SetString(PyExc_AssertionError, "heap: " #condition);                                                \
            goto done;                                                                                                 \
        }                                                                                                              \
    } while (0)

PyObject *heap_check(HeapObject *self, PyObject *Py_UNUSED(unused)) {
    Core *core = &self->core;
    PyObject *result = NULL;
    if (core_enter(core) < 0) {
        return NULL;
    }
    size_t len = core_len(core), live = 0, spare = 0, kinds[KINDS] = {0};
    unsigned char *seen = PyMem_Calloc(core->slots_len + 1, 1);
    if (!seen) {
        return PyErr_NoMemory();
    }
    CHECK(core->ready.len <= core->ready.cap && core->later.len <= core->later.cap);
    CHECK(core->slots_len <= core->slots_cap && core->slots_cap <= SLOT_LIMIT);
    for (size_t i = 0; i < len; i++) {
        const int delayed = i >= core->ready.len;
        const size_t at = delayed ? i - core->ready.len : i;
        const Node node = delayed ? core->later.nodes[at] : core->ready.nodes[at];
        const uint32_t slot = node_slot(node);
        CHECK(slot < core->slots_len && !seen[slot]);
        seen[slot] = 1;
        CHECK(core->slots[slot].item && Py_REFCNT(core->slots[slot].item) > 0);
        CHECK(core->slots[slot].mark > 0 && core->slots[slot].mark < SEQUENCE_LIMIT);
        CHECK(node_sequence(node) < core->sequence);
        CHECK(!core->places || core->places[slot] == ((uint32_t)at | (delayed ? PLACE_LATER : 0)));
        CHECK(!delayed || core->details);
        CHECK(!core->compared || core->details[slot].priority);
        if (core->compared) {
            kinds[core->details[slot].kind]++;
        }
    }
    for (uint32_t slot = 0; slot < core->slots_len; slot++) {
        live += core->slots[slot].item != NULL;
    }
    CHECK(live == len);
    for (uint32_t slot = core->free_slot; slot != NO_SLOT; slot = (uint32_t)core->slots[slot].mark) {
        CHECK(slot < core->slots_len && !core->slots[slot].item && ++spare <= core->slots_len);
        CHECK(!core->details || !core->details[slot].priority);
    }
    CHECK(live + spare == core->slots_len);
    CHECK(!core->compared || memcmp(kinds, core->kinds, sizeof kinds) == 0);
    CHECK(packed_is_heap(&core->later));
    if (core->compared) {
        int ordered = ordered_check(core);
        if (ordered < 0) {
            goto done;
        }
        CHECK(ordered);
    } else {
        CHECK(packed_is_heap(&core->ready));
    }
    result = Py_NewRef(Py_None);
done:
    PyMem_Free(seen);
    return result;
}
