/* A 4-ary heap of packed keys. Nothing here knows of Python: no comparison can fail or call back. */
#include "heap/packed.h"

#include <stdlib.h>
#include <string.h>

#include <Python.h>

#include "common/macros.h"

#define ARITY 4
#define SMALLEST 16
#define LINE 64   /* bytes of a cache line */
#define IN_CACHE 1024 /* nodes above this stay in the first cache */

int packed_reserve(Packed *heap, size_t extra) {
    size_t need = heap->len + extra;
    if (need <= heap->cap) {
        return 0;
    }
    size_t cap = heap->cap ? heap->cap : SMALLEST;
    while (cap < need) {
        cap *= 2;
    }
    if (cap > SIZE_MAX / sizeof(Node) - LINE) {
        return -1;
    }
    void *block = PyMem_Malloc(cap * sizeof(Node) + 2 * LINE);
    if (!block) {
        return -1;
    }
    /* nodes[1], the first child of the root, begins a line; so does every first child then. */
    Node *nodes = (Node *)(((uintptr_t)block + LINE - 1) / LINE * LINE + LINE - sizeof(Node));
    if (heap->len) {
        memcpy(nodes, heap->nodes, heap->len * sizeof(Node));
    }
    PyMem_Free(heap->block);
    heap->block = block;
    heap->nodes = nodes;
    heap->cap = cap;
    return 0;
}

void packed_free(Packed *heap) {
    PyMem_Free(heap->block);
    *heap = (Packed){0};
}

static inline void settle(Packed *heap, size_t at, Node node, Places places) {
    heap->nodes[at] = node;
    if (places.places) {
        places.places[node_slot(node)] = (uint32_t)at | places.tag;
    }
}

static inline void sift_up(Packed *heap, size_t at, size_t top, Node node, Places places) {
    while (at > top) {
        size_t parent = (at - 1) / ARITY;
        if (!node_less(node, heap->nodes[parent])) {
            break;
        }
        settle(heap, at, heap->nodes[parent], places);
        at = parent;
    }
    settle(heap, at, node, places);
}

/* Moves the hole at `at` down to a leaf, then `node` up from there: what replaces a removed node comes from the
   bottom and mostly belongs there. The smallest of four children is found without branches. */
static inline void sift_down(Packed *heap, size_t at, Node node, Places places) {
    const size_t len = heap->len, top = at;
    Node *nodes = heap->nodes;
    size_t child;
    while ((child = ARITY * at + 1) + ARITY <= len) {
        if (child >= IN_CACHE && ARITY * child < len) {
            for (size_t line = 0; line < ARITY; line++) { /* of each child's children: one of them is next */
                FC_PREFETCH(&nodes[ARITY * (child + line) + 1]);
            }
        }
        size_t left = child + (size_t)node_less(nodes[child + 1], nodes[child]);
        size_t right = child + 2 + (size_t)node_less(nodes[child + 3], nodes[child + 2]);
        size_t least = node_less(nodes[right], nodes[left]) ? right : left;
        settle(heap, at, nodes[least], places);
        at = least;
    }
    if (child < len) {
        size_t least = child;
        for (size_t other = child + 1; other < len; other++) {
            least = node_less(nodes[other], nodes[least]) ? other : least;
        }
        settle(heap, at, nodes[least], places);
        at = least;
    }
    sift_up(heap, at, top, node, places);
}

void packed_push(Packed *heap, Node node, Places places) {
    size_t at = heap->len++;
    sift_up(heap, at, 0, node, places);
}

Node packed_pop(Packed *heap, Places places) {
    Node first = heap->nodes[0];
    size_t last = --heap->len;
    if (last) {
        /* Two copies of the loop: the usual one, without places, does not test for them. */
        if (places.places) {
            sift_down(heap, 0, heap->nodes[last], places);
        } else {
            sift_down(heap, 0, heap->nodes[last], (Places){NULL, 0});
        }
    }
    return first;
}

void packed_replace(Packed *heap, size_t at, Node node, Places places) {
    if (at && node_less(node, heap->nodes[(at - 1) / ARITY])) {
        sift_up(heap, at, 0, node, places);
    } else {
        sift_down(heap, at, node, places);
    }
}

void packed_remove(Packed *heap, size_t at, Places places) {
    size_t last = --heap->len;
    if (at != last) {
        packed_replace(heap, at, heap->nodes[last], places);
    }
}

void packed_heapify(Packed *heap, Places places) {
    if (heap->len > 1) {
        for (size_t at = (heap->len - 2) / ARITY + 1; at-- > 0;) {
            sift_down(heap, at, heap->nodes[at], (Places){NULL, 0});
        }
    }
    if (places.places) {
        for (size_t at = 0; at < heap->len; at++) {
            places.places[node_slot(heap->nodes[at])] = (uint32_t)at | places.tag;
        }
    }
}

static int compare_nodes(const void *a, const void *b) {
    Node x = *(const Node *)a, y = *(const Node *)b;
    return node_less(y, x) - node_less(x, y);
}

void packed_sort(Node *nodes, size_t len) {
    if (len > 1) {
        qsort(nodes, len, sizeof(Node), compare_nodes);
    }
}

int packed_is_heap(const Packed *heap) {
    for (size_t at = 1; at < heap->len; at++) {
        if (node_less(heap->nodes[at], heap->nodes[(at - 1) / ARITY])) {
            return 0;
        }
    }
    return 1;
}
