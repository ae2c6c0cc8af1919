/* Which bars are there, a bit for each, and the passes over series in which some are missing. */
#ifndef FASTCORE_INDICATORS_KERNELS_GAP_PASSES_H
#define FASTCORE_INDICATORS_KERNELS_GAP_PASSES_H

#include <stddef.h>
#include <stdint.h>

/* Words of bits for n bars: bit i & 63 of word i >> 6 is bar i's. The last word's other bits are 0. */
#define FC_WORDS(n) (((n) + 63) / 64)

/* Windows let NaN through where no value is further from 0 than that: nothing overflows before a result. */
#define FC_MODERATE 0x1p100

typedef struct {
    /* Finds the bars at which all inputs are finite; returns how many. */
    ptrdiff_t (*find)(const double *const *in, int n_in, ptrdiff_t n, uint64_t *there);
    /* out[i] is x[i], or where that is missing the last one before; `last` before the first. out may be x. */
    void (*fill)(const double *x, const uint64_t *there, ptrdiff_t n, double last, double *out);
    /* The values that are there, one after the other; out has room for eight more. */
    void (*pack)(const double *x, const uint64_t *there, ptrdiff_t n, double *out);
    /* Puts those values at their bars; at the others the last one before, beginning with `last`, if `fills`, else NaN.
     * `packed` has eight values more. */
    void (*unpack)(const double *packed, const uint64_t *there, ptrdiff_t n, int fills, double last, double *out);

    /* Moves the m bars that are there, in place, to where they belong, and puts NaN at the others. */
    void (*spread)(double *x, ptrdiff_t m, const uint64_t *there, ptrdiff_t n);
    /* Puts NaN at each missing bar and at the `after` bars that follow it. */
    void (*blank)(double *x, const uint64_t *there, ptrdiff_t n, ptrdiff_t after);
    /* Whether any value is further from 0 than `most`; NaN is not. */
    int (*any_beyond)(const double *x, ptrdiff_t n, double most);
} fc_gap_passes;

#endif
