/* DDSketch (Masson, Rim, Lee, VLDB 2019): quantiles of numbers >= 0 within a fixed relative error. Callers hold
 * the GIL: nothing here locks, calls Python or releases it. */
#ifndef FASTCORE_COMMON_SKETCH_H
#define FASTCORE_COMMON_SKETCH_H

#include <stdint.h>

#define FC_SKETCH_ALPHA 0.01
#define FC_SKETCH_MAX_BINS 2048 /* at 1 % they span 17 decades; beyond that the lowest bins are folded together */
#define FC_SKETCH_SMALLEST 1e-12 /* below it a value counts as zero: a picosecond */
#define FC_SKETCH_LOWEST_KEY (-1400) /* what FC_SKETCH_SMALLEST and DBL_MAX fall into, with room to spare */
#define FC_SKETCH_HIGHEST_KEY 36000

typedef struct {
    uint64_t count, zeros;
    double total, low, high;
    uint64_t *bins;    /* bins[i] counts values of key first + i; NULL while there are none */
    int32_t first;
    int32_t room;
    int32_t lowest;    /* keys of the lowest and highest bin in use */
    int32_t highest;
} fc_sketch;

void fc_sketch_init(fc_sketch *sketch);
void fc_sketch_clear(fc_sketch *sketch); /* frees the bins; the sketch is empty and usable afterwards */

/* 0, or -1 when there is no memory; the sketch is unchanged then. `value` must be finite and >= 0. */
int fc_sketch_observe(fc_sketch *sketch, double value);

/* Adds `number` to the bin `key`, which must be within the two limits above; count and the rest are the caller's. */
int fc_sketch_put(fc_sketch *sketch, int32_t key, uint64_t number);

/* A copy with its own bins; 0, or -1 without memory. For reading where Python code may run meanwhile. */
int fc_sketch_copy(fc_sketch *to, const fc_sketch *from);

/* NaN when empty; `q` must be in 0..1. */
double fc_sketch_quantile(const fc_sketch *sketch, double q);

#endif
