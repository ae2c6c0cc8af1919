/* Sums of powers of the distances from a base near the mean.
 *
 * Sums run on. At least once in a window they are computed again from its values, with the mean as the base; and also
 * when they are less than LOST of what they were, or the mean is far from the base. So a spike leaves nothing behind, and
 * equal values have no distance. */
#ifndef FASTCORE_INDICATORS_OPERATORS_POWERS_H
#define FASTCORE_INDICATORS_OPERATORS_POWERS_H

#include "indicators/operators/counting.h"

#define LOST 0x1p-6
#define AWAY 16.0
#define OLD 256 /* bars for which sums may run on, if the window is not longer */

typedef struct {
    double base, sum[5], worst; /* sum[p] of the p-th powers; worst: the largest sum[2] since they were made */
} powers;

FC_INLINE void add_powers(powers *p, double x, double sign, int top) {
    double d = x - p->base, power = sign;
    for (int k = 1; k <= top; k++) {
        power *= d;
        p->sum[k] += power;
    }
}
FC_INLINE double sum_of(v4 x) { return v4_one(v4_last(v4_scan(x))); }
/* Adds the values of `mem` that are there, `count` of them, by fours where all are. */
FC_INLINE void add_all(powers *p, const double *mem, int64_t bars, int64_t count, int top) {
    int64_t i = 0;
    if (count == bars) {
        v4 base = v4_all(p->base), sums[5] = {v4_zero(), v4_zero(), v4_zero(), v4_zero(), v4_zero()};
        for (; i + 4 <= bars; i += 4) {
            v4 d = v4_sub(v4_load(mem + i), base), power = d;
            for (int k = 1; k <= top; k++) {
                sums[k] = v4_add(sums[k], power);
                power = v4_mul(power, d);
            }
        }
        for (int k = 1; k <= top; k++) {
            p->sum[k] += sum_of(sums[k]);
        }
    }
    for (; i < bars; i++) {
        if (fc_there(mem[i])) {
            add_powers(p, mem[i], 1.0, top);
        }
    }
}
/* Sums about the mean, which is near `origin`. */
FC_INLINE powers made_powers(const double *mem, int64_t bars, int64_t count, double origin, int top) {
    powers p = {.base = origin};
    add_all(&p, mem, bars, count, 1);
    p.base += count ? p.sum[1] / (double)count : 0.0;
    p.sum[1] = 0.0;
    add_all(&p, mem, bars, count, top);
    p.worst = p.sum[2];
    return p;
}
/* Whether the sums of `count` values, of which one has left, should be computed again. */
FC_INLINE int are_worn(powers *p, double count) {
    double square = p->sum[1] * p->sum[1];
    p->worst = p->sum[2] > p->worst ? p->sum[2] : p->worst;
    return !(p->sum[2] >= p->worst * LOST) || square > AWAY * (p->sum[2] * count - square);
}

#endif
