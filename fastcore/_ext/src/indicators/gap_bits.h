/* Bars that are there, a bit each: see kernels/gap_passes.h. */
#ifndef FASTCORE_INDICATORS_GAP_BITS_H
#define FASTCORE_INDICATORS_GAP_BITS_H

#include <stddef.h>

#include "indicators/kernels/bits.h"
#include "indicators/kernels/gap_passes.h"

FC_INLINE ptrdiff_t fc_count_bars(const uint64_t *there, ptrdiff_t n) {
    ptrdiff_t found = 0;
    for (ptrdiff_t w = 0; w < FC_WORDS(n); w++) {
        found += fc_bit_count(there[w]);
    }
    return found;
}

/* The first bar from i on that is there, or is not; n if there is none. */
FC_INLINE ptrdiff_t fc_next_bar(const uint64_t *there, ptrdiff_t i, ptrdiff_t n, int present) {
    for (; i < n; i = (i | 63) + 1) {
        uint64_t word = (present ? there[i >> 6] : ~there[i >> 6]) & ~UINT64_C(0) << (i & 63);
        if (word) {
            i = (i & ~(ptrdiff_t)63) + fc_first_bit(word);
            return i < n ? i : n;
        }
    }
    return n;
}

/* The last of n bars that is not there, or -1. */
FC_INLINE ptrdiff_t fc_last_missing(const uint64_t *there, ptrdiff_t n) {
    ptrdiff_t last = -1, left = n & 63;
    for (ptrdiff_t w = FC_WORDS(n) - 1; w >= 0 && last < 0; w--, left = 0) {
        for (uint64_t gaps = left ? ~there[w] & ~(~UINT64_C(0) << left) : ~there[w]; gaps; gaps &= gaps - 1) {
            last = 64 * w + fc_first_bit(gaps);
        }
    }
    return last;
}

/* there[i] &= there[i - bars], which is 1 before the first. */
FC_INLINE void fc_and_earlier(uint64_t *there, ptrdiff_t n, ptrdiff_t bars) {
    ptrdiff_t by = bars >> 6, left = bars & 63;
    for (ptrdiff_t w = FC_WORDS(n) - 1; w >= 0; w--) {
        uint64_t high = w >= by ? there[w - by] : ~UINT64_C(0), low = w > by ? there[w - by - 1] : ~UINT64_C(0);
        there[w] &= left ? high << left | low >> (64 - left) : high;
    }
}

#endif
