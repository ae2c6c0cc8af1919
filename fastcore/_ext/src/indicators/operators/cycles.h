/* What the operators of the dominant cycle have in common.
 *
 * A block copies what it looks back to and up to CHUNK bars next to each other, so that no bar asks where it is. Bars
 * before the first count as zeros.
 */
#ifndef FASTCORE_INDICATORS_OPERATORS_CYCLES_H
#define FASTCORE_INDICATORS_OPERATORS_CYCLES_H

#include "indicators/operators/scan.h"

#define INNER 0.0962 /* what the Hilbert transform weighs its bars with */
#define OUTER 0.5769
#define CHUNK 64

FC_INLINE double above(double a, double b) { return a > b ? a : b; }
FC_INLINE double below(double a, double b) { return a < b ? a : b; }

/* The transform at x[0], with six bars before it. */
FC_INLINE double transform(const double *x) {
    return ((-(INNER * x[-6]) + INNER * x[0]) - OUTER * x[-4]) + OUTER * x[-2];
}
/* The same without x[0]. */
FC_INLINE double earlier(const double *x) { return (-(INNER * x[-6]) - OUTER * x[-4]) + OUTER * x[-2]; }

/* ---- operators by chunks: RUN(state, bars) takes so many bars at in[...] + i and puts results at out + i ---- */

#define CHUNK_STEP(op, inputs, STATE, RUN)                                                                             \
    FIXED(op, STATE)                                                                                                   \
    static double op##_step(const double *par, void *state, const double *bar, int commit) {                           \
        STATE copy;                                                                                                    \
        const double *in[] = {bar, bar + (inputs) - 1};                                                                \
        double result[1], *out = result;                                                                               \
        ptrdiff_t i = 0;                                                                                               \
        (void)par;                                                                                                     \
        if (!commit) {                                                                                                 \
            copy = *(STATE *)state;                                                                                    \
            state = &copy;                                                                                             \
        }                                                                                                              \
        RUN((STATE *)state, 1);                                                                                        \
        return result[0];                                                                                              \
    }

#define CHUNKS(op, kinds, inputs, STATE, RUN, LAG)                                                                     \
    CHUNK_STEP(op, inputs, STATE, RUN)                                                                                 \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        (void)par;                                                                                                     \
        (void)scratch;                                                                                                 \
        for (ptrdiff_t i = 0, bars; i < n; i += bars) {                                                                \
            bars = n - i < CHUNK ? n - i : CHUNK;                                                                      \
            RUN((STATE *)carry, bars);                                                                                 \
        }                                                                                                              \
        return 0;                                                                                                      \
    }                                                                                                                  \
    REMEMBERED(op, kinds, inputs, STATE, LAG, .declines = 0)

#endif
