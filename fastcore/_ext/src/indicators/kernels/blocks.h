/* Windows cut into blocks, of which several are taken side by side: vectors have a lane for each. */
#ifndef FASTCORE_INDICATORS_KERNELS_BLOCKS_H
#define FASTCORE_INDICATORS_KERNELS_BLOCKS_H

#include <stddef.h>

#include "common/macros.h"

#define FC_BLOCKS 8 /* at a time, in two vectors; the tails at bar t of all of them lie from FC_BLOCKS * t on */

/* How many bars each of the next `blocks` blocks has, from *b on: up to w; 0 where those left, up to n, are too few. The
 * last blocks share what is left: they may begin with bars that are done already, none of them before `first`. */
FC_INLINE ptrdiff_t fc_block_bars(ptrdiff_t *b, ptrdiff_t n, ptrdiff_t w, ptrdiff_t first, ptrdiff_t blocks) {
    ptrdiff_t left = n - *b, bars = (left + blocks - 1) / blocks, again = blocks * bars - left;
    if (left < w || left < 2 * blocks) {
        return 0;
    }
    if (bars > w) {
        return w;
    }
    if (*b - again < first) {
        return left < 2 * w ? 0 : left / blocks;
    }
    *b -= again;
    return bars;
}

#endif
