/* Loops over symbols side by side: what `across` of several operators has in common. */
#ifndef FASTCORE_INDICATORS_OPERATORS_LANES_H
#define FASTCORE_INDICATORS_OPERATORS_LANES_H

#include "common/macros.h"
#include "indicators/operators/operator.h"

FC_INLINE double *fc_row(const fc_lanes *lanes, ptrdiff_t row) { return lanes->rows + row * lanes->pitch; }

/* What is missing, as NaN: it then stays in sums and extremes for as long as these see it. */

FC_INLINE int64_t fc_next_place(int64_t place, ptrdiff_t places) { return place + 1 == places ? 0 : place + 1; }

/* The two halves of a window's memory, as kernels/stages.h describes them: the rows that one bar touches. */
typedef struct {
    double *now;           /* where the bar goes */
    double *tail;          /* the tail of the half before the last, if the window has one */
    double *fold, *folded; /* the bar that joins the tails being made, and the tail before it, if there is one */
    double tail_bars;
} fc_halves;

FC_INLINE ptrdiff_t fc_block_of(ptrdiff_t width) { return width > 1 ? width / 2 : 1; }

FC_INLINE fc_halves fc_halves_at(double *rows, ptrdiff_t pitch, ptrdiff_t width, ptrdiff_t place) {
    ptrdiff_t block = fc_block_of(width), second = place >= block, at = second ? place - block : place;
    ptrdiff_t tail = 2 * block - width + at + 1;
    double *half = rows + (second ? block * pitch : 0), *other = rows + (second ? 0 : block * pitch);
    fc_halves h;
    h.now = half + at * pitch;
    h.tail = tail < block ? half + tail * pitch : NULL;
    h.tail_bars = (double)(block - tail);
    h.fold = other + (block - 1 - at) * pitch;
    h.folded = at ? other + (block - at) * pitch : NULL;
    return h;
}

/* `lane(..., i, begins, has_tail)` for each symbol, with constants where all are at one place. */
#define FC_EACH_LANE(n, begins, has_tail, LANE)                                                                        \
    if (begins) {                                                                                                      \
        if (has_tail) {                                                                                                \
            FC_INDEPENDENT                                                                                             \
            for (ptrdiff_t i = 0; i < (n); i++)                                                                        \
                LANE(i, 1, 1);                                                                                         \
        } else {                                                                                                       \
            FC_INDEPENDENT                                                                                             \
            for (ptrdiff_t i = 0; i < (n); i++)                                                                        \
                LANE(i, 1, 0);                                                                                         \
        }                                                                                                              \
    } else {                                                                                                           \
        if (has_tail) {                                                                                                \
            FC_INDEPENDENT                                                                                             \
            for (ptrdiff_t i = 0; i < (n); i++)                                                                        \
                LANE(i, 0, 1);                                                                                         \
        } else {                                                                                                       \
            FC_INDEPENDENT                                                                                             \
            for (ptrdiff_t i = 0; i < (n); i++)                                                                        \
                LANE(i, 0, 0);                                                                                         \
        }                                                                                                              \
    }

#endif
