/* What PriorityHeap and both queues are made of: items in slots, packed keys in two heaps, handles with serials. */
#ifndef FASTCORE_HEAP_CORE_H
#define FASTCORE_HEAP_CORE_H

#include <Python.h>

#include "common/stack.h"
#include "heap/packed.h"
#include "heap/wait.h"

typedef struct {
    PyObject *item; /* owned; NULL while the slot is free */
    uint64_t mark;  /* the serial number of the item in it, or the next free slot */
} Slot;

#define NO_SLOT UINT32_MAX

/* What a comparison may decide by its packed key alone. */
enum { KIND_OTHER, KIND_NUMBER, KIND_TUPLE, KINDS };

typedef struct {
    PyObject *priority; /* owned */
    double born;        /* when its age began to count */
    uint64_t key;       /* its key in `ready`, kept while it is delayed */
    int kind;
} Detail;

typedef struct {
    Packed ready; /* by priority: 4-ary while keys decide alone, binary while `compared` */
    Packed later; /* by due time, 4-ary */
    Slot *slots;
    Detail *details;  /* as many as slots; NULL until an item needs one */
    uint32_t *places; /* likewise, until a handle is used */
    uint32_t slots_len, slots_cap, free_slot;
    uint64_t serial;   /* of the next push: half of its handle */
    uint64_t sequence; /* of the next push: breaks ties; starts afresh when the heap is empty */
    uint64_t flip;       /* all ones for the order "max": flipped keys sort the other way */
    int any;             /* priorities="any": whatever has `<` */
    int compared;        /* some key does not decide alone: order by `<` where keys tie */
    size_t kinds[KINDS]; /* how many items of each kind, while compared */
    size_t limit;        /* of a queue; 0: none. Held at the very moment of insertion, whatever ran before */
    int closed;          /* a queue that was shut down */
    double aging;
    double origin;
    PyObject *clock; /* NULL: the monotonic clock */
    Detail undo;         /* of `undo_slot`, which is being given another priority */
    uint32_t undo_slot;  /* NO_SLOT: none is */
    unsigned long owner; /* the thread that runs a comparison now; no other thread may change the heap */
    WaitList turn;
} Core;

/* A priority as it was understood. */
typedef struct {
    PyObject *object; /* owned; NULL where `number` says all */
    double number;
    int kind;
} Priority;

/* core.c */
int core_init(Core *core, PyObject *order, PyObject *priorities, PyObject *aging, PyObject *clock);
int core_traverse(Core *core, visitproc visit, void *arg);
/* All items, taken out of a heap that is empty then; their destructors run when they are dropped. */
typedef struct {
    Slot *slots;
    Detail *details;
    uint32_t len;
} Dropped;
Dropped core_detach(Core *core);
void core_drop(Dropped dropped);
static inline void core_clear(Core *core) { core_drop(core_detach(core)); }
int core_enter(Core *core);
int core_now(Core *core, double *now);
enum { PUSH_ERROR = -1, PUSH_DONE, PUSH_FULL, PUSH_CLOSED };
/* What `due` or `delay` says: `due` as it came, borrowed, or a new float in `owned`. 0: it is in `*due`, -1: error. */
int core_when(Core *core, PyObject **due, PyObject *delay, PyObject **owned);
/* Reads a due time; 1: it lies ahead, in `when`; 0: now; -1: error. */
int core_due(Core *core, PyObject *due, double *when, double *now);
int core_push(Core *core, PyObject *item, PyObject *priority, PyObject *due, uint64_t *handle);
PyObject *core_pop(Core *core);                             /* NULL without an error: nothing is ready */
PyObject *core_take_first(Core *core);                      /* of `ready`, which is not empty */
int core_first(Core *core, uint32_t *slot, uint64_t *key); /* 0: nothing is ready */
PyObject *core_remove(Core *core, PyObject *handle);
int core_update(Core *core, PyObject *handle, PyObject *priority);
int core_find(Core *core, PyObject *handle, uint32_t *slot); /* 1 found, 0 not, -1 error */
PyObject *core_priority(Core *core, PyObject *handle);
PyObject *core_priority_of(Core *core, uint32_t slot, uint64_t key);
int core_promote(Core *core);               /* delayed items that are due become ready */
int core_next_due(Core *core, double *due); /* 0: nothing is delayed */
int core_renumber(Core *core);
static inline uint64_t core_handle(const Core *core, uint32_t slot) {
    return core->slots[slot].mark << SLOT_BITS | slot;
}
static inline PyObject *core_handle_object(const Core *core, uint32_t slot) {
    return PyLong_FromUnsignedLongLong(core_handle(core, slot));
}
static inline size_t core_len(const Core *core) { return core->ready.len + core->later.len; }

/* slots.c */
int slots_reserve(Core *core, size_t extra);
void slot_untake(Core *core, uint32_t slot);
int slots_details(Core *core);
int slots_track(Core *core);
void slots_settle(Core *core);
void slots_forget(Core *core);
int slots_recover(Core *core, PyObject *left);
static inline Places places_ready(Core *core) { return (Places){core->places, 0}; }
static inline Places places_later(Core *core) { return (Places){core->places, PLACE_LATER}; }

/* Room is reserved; takes a new reference. */
static inline uint32_t slot_take(Core *core, PyObject *item) {
    uint32_t slot = core->free_slot;
    if (slot != NO_SLOT) {
        core->free_slot = (uint32_t)core->slots[slot].mark;
    } else {
        slot = core->slots_len++;
    }
    core->slots[slot].item = Py_NewRef(item);
    core->slots[slot].mark = core->serial;
    if (++core->serial == SEQUENCE_LIMIT) {
        core->serial = 1;
    }
    if (core->details) {
        core->details[slot] = (Detail){0};
    }
    return slot;
}

/* Hands the item and its priority over to the caller. Its node is out of the heaps already; `slots_settle` follows. */
static inline PyObject *slot_release(Core *core, uint32_t slot, PyObject **priority) {
    PyObject *item = core->slots[slot].item;
    *priority = NULL;
    core->slots[slot].item = NULL;
    core->slots[slot].mark = core->free_slot;
    core->free_slot = slot;
    if (core->details) {
        *priority = core->details[slot].priority;
        core->details[slot].priority = NULL;
        if (core->compared) {
            core->kinds[core->details[slot].kind]--;
        }
    }
    return item;
}

/* priority.c */
int priority_parse(Core *core, PyObject *given, Priority *out);
int priority_number(const char *name, PyObject *given, double *out);
uint64_t priority_key(Core *core, const Priority *priority, double born);
PyObject *priority_object(const Priority *priority);

/* ordered.c: the same operations where comparisons may call Python and fail. They change nothing when they do. */
int ordered_begin(Core *core); /* switch to it; the keys there decide alone and need no comparison */
int ordered_push(Core *core, Packed *heap, Node node, Places places);
int ordered_remove(Core *core, Packed *heap, size_t at, Places places);
int ordered_replace(Core *core, size_t at, Node node, const Detail *changed);
int ordered_sort(Core *core, Node *nodes, size_t len);
int ordered_check(Core *core);

/* bulk.c */
PyObject *core_push_many(Core *core, PyObject *items, PyObject *priorities, PyObject *due);
PyObject *core_pop_many(Core *core, PyObject *limit);

/* state.c */
PyObject *core_rows(Core *core, int take); /* [(item, priority, handle, sequence, born, due)] in order */
int core_load(Core *core, PyObject *rows, PyObject *serial, double shift, Py_ssize_t most);

#endif
