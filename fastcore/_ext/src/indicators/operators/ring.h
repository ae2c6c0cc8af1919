/* Where the next bar of a window goes: at the place of the oldest. A ring of 0 bars stays at place 0. */
#ifndef FASTCORE_INDICATORS_OPERATORS_RING_H
#define FASTCORE_INDICATORS_OPERATORS_RING_H

#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"

typedef struct {
    int64_t width, at, filled; /* bars in the window; the next place; bars since the last gap, up to the width */
} fc_ring;

FC_INLINE void fc_ring_init(fc_ring *ring, double width) {
    ring->width = (int64_t)width;
    ring->at = ring->filled = 0;
}
FC_INLINE int fc_ring_valid(const fc_ring *ring, double width) {
    return ring->width == (int64_t)width && ring->at >= 0 && (ring->at < ring->width || ring->at == 0) &&
           ring->filled >= 0 && ring->filled <= ring->width;
}
FC_INLINE void fc_ring_turn(fc_ring *ring) { ring->at = ring->at + 1 < ring->width ? ring->at + 1 : 0; }
FC_INLINE void fc_ring_next(fc_ring *ring) {
    fc_ring_turn(ring);
    ring->filled += ring->filled < ring->width;
}

/* The state of an operator that keeps nothing but the bars of its window. */
typedef struct {
    fc_ring ring;
    double mem[];
} fc_ring_bars;

FC_INLINE size_t fc_ring_bars_size(const double *par) { return sizeof(fc_ring_bars) + (size_t)par[0] * sizeof(double); }
FC_INLINE void fc_ring_bars_init(const double *par, void *state) {
    fc_ring_init(&((fc_ring_bars *)state)->ring, par[0]);
}
FC_INLINE int fc_ring_bars_valid(const double *par, const void *state) {
    return fc_ring_valid(&((const fc_ring_bars *)state)->ring, par[0]);
}

#endif
