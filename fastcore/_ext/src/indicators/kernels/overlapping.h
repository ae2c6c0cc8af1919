/* Segments of a long series side by side, a lane each, of what waits from bar to bar but soon forgets how it began.
 *
 * All segments but the first begin some bars early. Those bars are the last ones of the segment before, so that both can
 * be compared where one ends; where they differ the later segment is taken again.
 */
#ifndef FASTCORE_INDICATORS_KERNELS_OVERLAPPING_H
#define FASTCORE_INDICATORS_KERNELS_OVERLAPPING_H

#include <stddef.h>

#include "indicators/kernels/vec.h"

#define FC_OVERLAPPING 8    /* segments at a time, in two vectors */
#define FC_OVERLAPPED 16384 /* bars that are best taken at a time */
#define FC_STOP_LEAST 32    /* bars of a segment of a trailing stop, at least */

/* How many bars each segment has, an even number, if n bars begin with `warm` early ones; 0 for fewer than `least`. */
FC_INLINE ptrdiff_t fc_overlapping_bars(ptrdiff_t n, ptrdiff_t warm, ptrdiff_t least) {
    ptrdiff_t bars = (n - warm) / FC_OVERLAPPING & ~(ptrdiff_t)1;
    return bars < least ? 0 : bars;
}

/* How many bars early the segments of a trailing stop begin, if there are n bars in all. */
FC_INLINE ptrdiff_t fc_stop_warm(ptrdiff_t n) { return n < 2048 ? 64 : 128; }

/* Stores two bars of the four segments of vector `half`, 0 or 1, which begin `apart` from each other, the first segment
 * of all at `out`; while `warm` those of that one only. */
FC_INLINE void fc_overlapping_keep(double *out, ptrdiff_t apart, int half, const v4 *bars, int warm) {
    if (!warm) {
        v4_store_bars(out + 4 * half * apart, apart, bars[0], bars[1]);
    } else if (half == 0) {
        out[0] = v4_one(bars[0]);
        out[1] = v4_one(bars[1]);
    }
}

#endif
