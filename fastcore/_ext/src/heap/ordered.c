/* A binary heap whose comparisons may call Python. It compares first and moves afterwards, so a comparison that raises
   leaves everything as it was; while one runs, `owner` keeps everybody else out. */
#include "heap/core.h"

#include <string.h>

#define DEEPEST 64

/* Does `a` come before `b`? Only `<` is asked for, once; equals keep their order of arrival. */
static int ordered_less(Core *core, Node a, Node b) {
    const uint64_t high_a = node_high(a), high_b = node_high(b);
    const size_t *kinds = core->kinds, total = kinds[KIND_OTHER] + kinds[KIND_NUMBER] + kinds[KIND_TUPLE];
    if (high_a != high_b && (kinds[KIND_TUPLE] == total || kinds[KIND_NUMBER] == total)) {
        return high_a < high_b;
    }
    PyObject *x = core->details[node_slot(a)].priority, *y = core->details[node_slot(b)].priority;
    const int older = node_sequence(a) < node_sequence(b); /* then it comes first unless b is strictly before it */
    core->owner = PyThread_get_thread_ident();
    const int straight = (core->flip != 0) == older;
    int less = FC_GUARDED_INT(PyObject_RichCompareBool(straight ? x : y, straight ? y : x, Py_LT));
    return less < 0 ? -1 : older ? !less : less;
}

static inline void leave(Core *core) {
    if (core->owner) {
        core->owner = 0;
        wake_all(&core->turn);
    }
}

static inline void settle(Packed *heap, size_t at, Node node, Places places) {
    heap->nodes[at] = node;
    if (places.places) {
        places.places[node_slot(node)] = (uint32_t)at | places.tag;
    }
}

/* Where `node` belongs on the way from `at` to the root, or -1. */
static Py_ssize_t find_above(Core *core, const Packed *heap, size_t at, Node node) {
    while (at) {
        size_t parent = (at - 1) / 2;
        int less = ordered_less(core, node, heap->nodes[parent]);
        if (less < 0) {
            return -1;
        }
        if (!less) {
            break;
        }
        at = parent;
    }
    return (Py_ssize_t)at;
}

static void move_up(Packed *heap, size_t from, size_t to, Node node, Places places) {
    while (from != to) {
        size_t parent = (from - 1) / 2;
        settle(heap, from, heap->nodes[parent], places);
        from = parent;
    }
    settle(heap, to, node, places);
}

/* The way of smallest children below `at`, as far as `node` has to go; returns its length, or -1. */
static int find_below(Core *core, const Packed *heap, size_t at, size_t len, Node node, size_t *path) {
    int depth = 0;
    size_t child;
    while ((child = 2 * at + 1) < len) {
        if (child + 1 < len) {
            int less = ordered_less(core, heap->nodes[child + 1], heap->nodes[child]);
            if (less < 0) {
                return -1;
            }
            child += (size_t)less;
        }
        path[depth++] = at = child;
    }
    while (depth) {
        int less = ordered_less(core, node, heap->nodes[path[depth - 1]]);
        if (less < 0) {
            return -1;
        }
        if (!less) {
            break;
        }
        depth--;
    }
    return depth;
}

int ordered_push(Core *core, Packed *heap, Node node, Places places) {
    Py_ssize_t to = find_above(core, heap, heap->len, node);
    leave(core);
    if (to < 0) {
        return -1;
    }
    move_up(heap, heap->len++, (size_t)to, node, places);
    return 0;
}

/* Puts `node` where the node at `at` is, in a heap of `len` nodes. */
static int place(Core *core, Packed *heap, size_t at, size_t len, Node node, Places places) {
    size_t path[DEEPEST];
    int depth = -1;
    Py_ssize_t above = find_above(core, heap, at, node);
    if (above == (Py_ssize_t)at) {
        depth = find_below(core, heap, at, len, node, path);
    }
    leave(core);
    if (above >= 0 && above != (Py_ssize_t)at) {
        heap->len = len;
        move_up(heap, at, (size_t)above, node, places);
        return 0;
    }
    if (depth < 0) {
        return -1;
    }
    heap->len = len;
    for (int step = 0; step < depth; step++) {
        settle(heap, at, heap->nodes[path[step]], places);
        at = path[step];
    }
    settle(heap, at, node, places);
    return 0;
}

int ordered_remove(Core *core, Packed *heap, size_t at, Places places) {
    size_t last = heap->len - 1;
    if (at == last) {
        heap->len = last;
        return 0;
    }
    return place(core, heap, at, last, heap->nodes[last], places);
}

int ordered_replace(Core *core, size_t at, Node node, const Detail *changed) {
    Detail *detail = &core->details[node_slot(node)], before = *detail;
    core->kinds[before.kind]--;
    core->kinds[changed->kind]++;
    *detail = *changed;
    core->undo = before;
    core->undo_slot = node_slot(node);
    const int failed = place(core, &core->ready, at, core->ready.len, node, places_ready(core)) < 0;
    core->undo_slot = NO_SLOT;
    if (failed) {
        *detail = before;
        core->kinds[changed->kind]--;
        core->kinds[before.kind]++;
        return -1;
    }
    return 0;
}

/* Until now the keys alone decided, so sorting by them makes the binary heap. */
int ordered_begin(Core *core) {
    if (slots_details(core) < 0) {
        return -1;
    }
    for (int delayed = 0; delayed < 2; delayed++) {
        const Packed *heap = delayed ? &core->later : &core->ready;
        for (size_t at = 0; at < heap->len; at++) {
            Detail *detail = &core->details[node_slot(heap->nodes[at])];
            if (!detail->priority) {
                uint64_t key = delayed ? detail->key : node_high(heap->nodes[at]);
                detail->priority = PyFloat_FromDouble(double_of_key(key ^ core->flip));
                if (!detail->priority) {
                    return -1;
                }
            }
            detail->kind = KIND_NUMBER;
        }
    }
    core->kinds[KIND_OTHER] = core->kinds[KIND_TUPLE] = 0;
    core->kinds[KIND_NUMBER] = core_len(core);
    packed_sort(core->ready.nodes, core->ready.len);
    PyMem_Free(core->places); /* found again when a handle is next used */
    core->places = NULL;
    core->compared = 1;
    return 0;
}

/* Merges runs of doubling length. */
int ordered_sort(Core *core, Node *nodes, size_t len) {
    Node *spare = PyMem_Malloc((len ? len : 1) * sizeof(Node)), *from = nodes, *to = spare;
    int less = 0;
    if (!spare) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t run = 1; run < len && less >= 0; run *= 2) {
        for (size_t start = 0; start < len && less >= 0; start += 2 * run) {
            const size_t middle = start + run < len ? start + run : len;
            const size_t end = middle + run < len ? middle + run : len;
            size_t left = start, right = middle, at = start;
            while (left < middle && right < end && (less = ordered_less(core, from[right], from[left])) >= 0) {
                to[at++] = less ? from[right++] : from[left++];
            }
            while (left < middle) {
                to[at++] = from[left++];
            }
            while (right < end) {
                to[at++] = from[right++];
            }
        }
        Node *swap = from;
        from = to;
        to = swap;
    }
    leave(core);
    if (less >= 0 && from != nodes) {
        memcpy(nodes, from, len * sizeof(Node));
    }
    PyMem_Free(spare);
    return less < 0 ? -1 : 0;
}

int ordered_check(Core *core) {
    int fine = 1;
    for (size_t at = 1; fine > 0 && at < core->ready.len; at++) {
        int less = ordered_less(core, core->ready.nodes[at], core->ready.nodes[(at - 1) / 2]);
        fine = less < 0 ? -1 : !less;
    }
    leave(core);
    return fine;
}
