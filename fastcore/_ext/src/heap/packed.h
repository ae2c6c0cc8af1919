/* Packed keys: 16 bytes that order by priority, then by arrival, and say which slot they belong to. */
#ifndef FASTCORE_HEAP_PACKED_H
#define FASTCORE_HEAP_PACKED_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SLOT_BITS 28
#define SLOT_LIMIT ((uint32_t)1 << SLOT_BITS)
#define SLOT_MASK (SLOT_LIMIT - 1)
#define SEQUENCE_LIMIT ((uint64_t)1 << (64 - SLOT_BITS))
#define PLACE_LATER ((uint32_t)1 << 31) /* a place in the heap of delayed items */

/* high: the priority as an unsigned integer of the same order; low: sequence and slot. The sequence is unique, so the
   slot below it never decides. */
#if defined(__SIZEOF_INT128__)
__extension__ typedef unsigned __int128 Node;
static inline Node node_of(uint64_t high, uint64_t low) { return (Node)high << 64 | low; }
static inline uint64_t node_high(Node node) { return (uint64_t)(node >> 64); }
static inline uint64_t node_low(Node node) { return (uint64_t)node; }
static inline int node_less(Node a, Node b) { return a < b; }
#else
typedef struct {
    uint64_t low, high;
} Node;
static inline Node node_of(uint64_t high, uint64_t low) { return (Node){low, high}; }
static inline uint64_t node_high(Node node) { return node.high; }
static inline uint64_t node_low(Node node) { return node.low; }
static inline int node_less(Node a, Node b) {
    return (a.high < b.high) | ((a.high == b.high) & (a.low < b.low)); /* without a branch */
}
#endif

static inline uint32_t node_slot(Node node) { return (uint32_t)(node_low(node) & SLOT_MASK); }
static inline uint64_t node_sequence(Node node) { return node_low(node) >> SLOT_BITS; }

/* The four children of a node share a cache line. */
typedef struct {
    Node *nodes; /* within `block` */
    void *block;
    size_t len, cap;
} Packed;

/* Where each slot's node lies; NULL until a place is requested. Entries carry `tag` in their high bits. */
typedef struct {
    uint32_t *places;
    uint32_t tag;
} Places;

int packed_reserve(Packed *heap, size_t extra);
void packed_free(Packed *heap);
void packed_push(Packed *heap, Node node, Places places); /* room is reserved */
Node packed_pop(Packed *heap, Places places);             /* not empty */
void packed_remove(Packed *heap, size_t at, Places places);
void packed_replace(Packed *heap, size_t at, Node node, Places places);
void packed_heapify(Packed *heap, Places places);
void packed_sort(Node *nodes, size_t len);
int packed_is_heap(const Packed *heap);

/* An unsigned integer of the same order, and back. */
static inline uint64_t key_of_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits ^ ((uint64_t)-(int64_t)(bits >> 63) | (uint64_t)1 << 63);
}

static inline double double_of_key(uint64_t key) {
    const uint64_t bits = key ^ ((key >> 63) ? (uint64_t)1 << 63 : ~(uint64_t)0);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
