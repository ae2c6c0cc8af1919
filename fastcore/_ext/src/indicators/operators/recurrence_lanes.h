/* Recurrences for symbols side by side. A missing bar leaves a symbol's state as it is. */
#ifndef FASTCORE_INDICATORS_OPERATORS_RECURRENCE_LANES_H
#define FASTCORE_INDICATORS_OPERATORS_RECURRENCE_LANES_H

#include "indicators/operators/lanes.h"

static ptrdiff_t one_row(const double *par) {
    (void)par;
    return 1;
}

/* An operator whose state is one double, `FIELD` of STATE. */
#define ONE_ROW(op, inputs, STATE, FIELD, PUSH)                                                                        \
    static void op##_across(const double *par, const fc_lanes *l, const double *const *in, double *out, ptrdiff_t n) { \
        double *values = l->rows;                                                                                      \
        FC_INDEPENDENT                                                                                                 \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                            \
            STATE next = {values[i]};                                                                                  \
            double bar[inputs], check = 0.0, result;                                                                   \
            for (int j = 0; j < (inputs); j++) {                                                                       \
                bar[j] = in[j][i];                                                                                     \
                check += bar[j] - bar[j];                                                                              \
            }                                                                                                          \
            result = PUSH(par, &next, bar, 1);                                                                         \
            values[i] = check == 0.0 ? next.FIELD : values[i];                                                         \
            out[i] = check == 0.0 ? result : NAN;                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    static double op##_fresh(const double *par, ptrdiff_t row) {                                                       \
        STATE fresh;                                                                                                   \
        (void)row;                                                                                                     \
        op##_init(par, &fresh);                                                                                        \
        return fresh.FIELD;                                                                                            \
    }

static double after_fresh(const double *par, ptrdiff_t row) {
    (void)row;
    return par[0];
}
static void after_across(const double *par, const fc_lanes *l, const double *const *in, double *out, ptrdiff_t n) {
    double *left = l->rows;
    (void)par;
    FC_INDEPENDENT
    for (ptrdiff_t i = 0; i < n; i++) {
        double x = fc_or_missing(in[0][i]), less = x == x ? left[i] - 1.0 : left[i], waits = left[i];
        left[i] = waits > 0.0 ? less : 0.0;
        out[i] = waits > 0.0 ? NAN : x;
    }
}

/* ---- smooth, apart: how many bars it has seen up to the period, the latest, how far the average is from it ---- */

static ptrdiff_t smooth_rows(const double *par) {
    (void)par;
    return 3;
}
static double smooth_fresh(const double *par, ptrdiff_t row) {
    (void)par;
    (void)row;
    return 0.0;
}

FC_INLINE void smooth_lanes(const double *par, const fc_lanes *l, const double *in, double *out, ptrdiff_t n,
                            int apart) {
    const double period = par[0], keep = par[1];
    double *seen = fc_row(l, 0), *before = fc_row(l, 1), *distance = fc_row(l, 2);
    if (*l->shared) {
        FC_INDEPENDENT
        for (ptrdiff_t i = 0; i < n; i++) {
            double x = in[i], next = fc_settled(keep * (distance[i] + (before[i] - x)), x);
            int there = next - next == 0.0; /* not if x is missing */
            out[i] = there ? (apart ? next : x + next) : NAN;
            distance[i] = there ? next : distance[i];
            before[i] = there ? x : before[i];
        }
        return;
    }
    int64_t begun = 1;
    for (ptrdiff_t i = 0; i < n; i++) {
        int seeded = seen[i] >= period, last = seen[i] == period - 1.0;
        double x = in[i], from = seen[i] == 0.0 ? x : before[i], sum = distance[i] + (x - from);
        double next = seeded ? fc_settled(keep * (distance[i] + (before[i] - x)), x)
                      : last ? (from - x) + sum / period
                             : sum;
        out[i] = NAN;
        if (fc_finite(next)) {
            distance[i] = next;
            before[i] = seeded || last ? x : from;
            seen[i] += !seeded;
            out[i] = !(seeded || last) ? NAN : apart ? next : x + next;
        }
        begun &= seen[i] >= period;
    }
    *l->shared = begun;
}
static void smooth_across(const double *par, const fc_lanes *l, const double *const *in, double *out, ptrdiff_t n) {
    smooth_lanes(par, l, in[0], out, n, 0);
}
static void apart_across(const double *par, const fc_lanes *l, const double *const *in, double *out, ptrdiff_t n) {
    smooth_lanes(par, l, in[0], out, n, 1);
}

#endif
