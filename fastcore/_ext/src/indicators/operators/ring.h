/* Where the next bar of a window goes: at the place of the oldest. */
#ifndef FASTCORE_INDICATORS_OPERATORS_RING_H
#define FASTCORE_INDICATORS_OPERATORS_RING_H

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
    return ring->width == (int64_t)width && ring->at >= 0 && ring->at < ring->width && ring->filled >= 0 &&
           ring->filled <= ring->width;
}

#endif
