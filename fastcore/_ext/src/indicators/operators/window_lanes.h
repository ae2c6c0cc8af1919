/* Windows of one series for symbols side by side: what the pushes of kernels/stages.h do, to the last bit.
 *
 * A value that is missing is NaN in every sum and extreme that sees it; those of a window without one have seen none.
 */
#ifndef FASTCORE_INDICATORS_OPERATORS_WINDOW_LANES_H
#define FASTCORE_INDICATORS_OPERATORS_WINDOW_LANES_H

#include "indicators/operators/lanes.h"

#define ONE(par) ((par)[0] == 1.0)

FC_INLINE ptrdiff_t halves_places(const double *par) { return 2 * fc_block_of((ptrdiff_t)par[0]); }

/* Runs LANE(&halves, i, x, begins, has_tail) for n symbols; `block` and the like are the caller's. */
#define HALVES(MEM, LANE)                                                                                              \
    ptrdiff_t width = (ptrdiff_t)par[0], places = halves_places(par), pitch = l->pitch;                                \
    const double *restrict x = in[0];                                                                                  \
    if (*l->shared >= 0) {                                                                                             \
        fc_halves h = fc_halves_at(MEM, pitch, width, (ptrdiff_t)*l->shared);                                          \
        FC_EACH_LANE(n, h.folded == NULL, h.tail != NULL, LANE)                                                        \
        *l->shared = fc_next_place(*l->shared, places);                                                                \
    } else {                                                                                                           \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                            \
            fc_halves h = fc_halves_at(MEM, pitch, width, (ptrdiff_t)l->place[i]);                                     \
            LANE(i, h.folded == NULL, h.tail != NULL);                                                                 \
            l->place[i] = fc_next_place(l->place[i], places);                                                          \
        }                                                                                                              \
    }

/* ---- extremes ---- */

FC_INLINE ptrdiff_t extreme_rows(const double *par) { return 2 + halves_places(par); }

FC_INLINE double join_high(double a, double b) { return (a > b) | (a != a) ? a : b; }
FC_INLINE double join_low(double a, double b) { return (a < b) | (a != a) ? a : b; }

FC_INLINE double extreme_lane(const fc_halves *h, double *head, double *whole, ptrdiff_t i, double x, int begins,
                              int has_tail, double (*join)(double, double)) {
    double all = x, result;
    if (begins) {
        whole[i] = head[i];
    } else {
        all = join(head[i], x);
        h->fold[i] = join(h->folded[i], h->fold[i]);
    }
    head[i] = all;
    result = join(whole[i], all);
    if (has_tail) {
        result = join(h->tail[i], result);
    }
    h->now[i] = x;
    return result;
}

#define EXTREME_ACROSS(op)                                                                                             \
    static void op##_across(const double *par, const fc_lanes *l, const double *const *in, double *out, ptrdiff_t n) { \
        double *head = fc_row(l, 0), *whole = fc_row(l, 1);                                                            \
        if (ONE(par)) {                                                                                                \
            for (ptrdiff_t i = 0; i < n; i++)                                                                          \
                out[i] = fc_or_missing(in[0][i]);                                                                      \
            return;                                                                                                    \
        }                                                                                                              \
        HALVES(fc_row(l, 2), op##_LANE)                                                                                \
    }
#define highest_LANE(i, begins, has_tail)                                                                              \
    out[i] = extreme_lane(&h, head, whole, i, fc_or_missing(x[i]), begins, has_tail, join_high)
#define lowest_LANE(i, begins, has_tail)                                                                               \
    out[i] = extreme_lane(&h, head, whole, i, fc_or_missing(x[i]), begins, has_tail, join_low)

/* ---- sums: of the head about its first bar, of the block before it about the same, of the tail about its last ---- */

#define SUMS_ROWS 5
#define SQUARES_ROWS 7

typedef struct {
    double *base, *head, *whole, *tail_base, *fold_base, *head2, *whole2;
} sums_rows_of;

typedef struct {
    double base, sum, squares;
} sums_all;

FC_INLINE ptrdiff_t sums_rows(const double *par) { return SUMS_ROWS + halves_places(par); }
FC_INLINE ptrdiff_t moments_rows(const double *par) { return SQUARES_ROWS + 2 * halves_places(par); }

FC_INLINE sums_rows_of sums_at(const fc_lanes *l, int squared) {
    return (sums_rows_of){fc_row(l, 0),
                          fc_row(l, 1),
                          fc_row(l, 2),
                          fc_row(l, 3),
                          fc_row(l, 4),
                          squared ? fc_row(l, 5) : NULL,
                          squared ? fc_row(l, 6) : NULL};
}

/* `off`: from a bar's row to that of its square. */
FC_INLINE sums_all sums_lane(const fc_halves *h, const sums_rows_of *s, ptrdiff_t i, double x, double block,
                             ptrdiff_t off, int begins, int has_tail, int squared) {
    sums_all all = {x, 0.0, 0.0};
    double tail_base = s->tail_base[i];
    if (begins) {
        double shift = s->base[i] - x, shifted = block * shift, head = s->head[i];
        if (squared) {
            s->whole2[i] = s->head2[i] + shift * (2.0 * head + shifted);
            (h->fold + off)[i] = 0.0;
        }
        s->whole[i] = head + shifted;
        s->base[i] = x;
        s->tail_base[i] = tail_base = s->fold_base[i];
        s->fold_base[i] = h->fold[i];
        h->fold[i] = 0.0;
    } else {
        double d, from_last = h->fold[i] - s->fold_base[i];
        all.base = s->base[i];
        d = x - all.base;
        all.sum = s->head[i] + d;
        h->fold[i] = h->folded[i] + from_last;
        if (squared) {
            all.squares = s->head2[i] + d * d;
            (h->fold + off)[i] = (h->folded + off)[i] + from_last * from_last;
        }
    }
    s->head[i] = all.sum;
    all.sum += s->whole[i];
    if (squared) {
        s->head2[i] = all.squares;
        all.squares += s->whole2[i];
    }
    if (has_tail) {
        double shift = tail_base - all.base, shifted = h->tail_bars * shift, tail = h->tail[i];
        all.sum += tail + shifted;
        if (squared) {
            all.squares += (h->tail + off)[i] + shift * (2.0 * tail + shifted);
        }
    }
    h->now[i] = x;
    return all;
}

FC_INLINE double sums_mean(sums_all all, double w) { return all.base + all.sum / w; }
FC_INLINE double sums_sum(sums_all all, double w) { return all.base * w + all.sum; }
FC_INLINE double sums_variance(sums_all all, double w) {
    double offset = all.sum / w, variance = all.squares / w - offset * offset;
    double whole = variance > 0.0 ? variance : variance <= 0.0 ? 0.0 : INFINITY;
    return all.sum == all.sum ? whole : NAN;
}
FC_INLINE double sums_deviation(sums_all all, double w) { return sqrt(sums_variance(all, w)); }

#define SUMS_ACROSS(op, squared)                                                                                       \
    static void op##_across(const double *par, const fc_lanes *l, const double *const *in, double *out, ptrdiff_t n) { \
        const sums_rows_of s = sums_at(l, squared);                                                                    \
        const double w = par[0], block = (double)fc_block_of((ptrdiff_t)par[0]);                                       \
        const ptrdiff_t off = halves_places(par) * l->pitch;                                                           \
        if (ONE(par)) {                                                                                                \
            for (ptrdiff_t i = 0; i < n; i++)                                                                          \
                out[i] = sums_##op((sums_all){fc_or_missing(in[0][i]), in[0][i] - in[0][i], 0.0}, w);                  \
            return;                                                                                                    \
        }                                                                                                              \
        HALVES(fc_row(l, squared ? SQUARES_ROWS : SUMS_ROWS), op##_LANE)                                               \
    }
#define SUMS_LANE(op, i, begins, has_tail, squared)                                                                    \
    out[i] = sums_##op(sums_lane(&h, &s, i, fc_or_missing(x[i]), block, off, begins, has_tail, squared), w)
#define mean_LANE(i, begins, has_tail) SUMS_LANE(mean, i, begins, has_tail, 0)
#define sum_LANE(i, begins, has_tail) SUMS_LANE(sum, i, begins, has_tail, 0)
#define variance_LANE(i, begins, has_tail) SUMS_LANE(variance, i, begins, has_tail, 1)
#define deviation_LANE(i, begins, has_tail) SUMS_LANE(deviation, i, begins, has_tail, 1)

/* ---- lag ---- */

/* Row 0: how many bars there are since the last gap, up to the lag; then the bars. */
FC_INLINE ptrdiff_t lag_rows(const double *par) { return 1 + (ptrdiff_t)par[0]; }
FC_INLINE ptrdiff_t lag_places(const double *par) { return par[0] > 0.0 ? (ptrdiff_t)par[0] : 1; }
FC_INLINE double lag_fresh(const double *par, ptrdiff_t row) {
    (void)par;
    return row ? NAN : 0.0;
}

FC_INLINE double lag_lane(double *run, double *bar, double x, double bars) {
    double before = *bar, had = *run, more = had < bars ? had + 1.0 : bars;
    int there = x - x == 0.0;
    *bar = x;
    *run = there ? more : 0.0;
    return there & (had >= bars) ? before : NAN;
}

FC_INLINE void lag_across(const double *par, const fc_lanes *l, const double *const *in, double *out, ptrdiff_t n) {
    ptrdiff_t bars = (ptrdiff_t)par[0];
    double *run = fc_row(l, 0);
    if (bars == 0) {
        for (ptrdiff_t i = 0; i < n; i++) {
            out[i] = fc_or_missing(in[0][i]);
        }
    } else if (*l->shared >= 0) {
        double *row = fc_row(l, 1 + (ptrdiff_t)*l->shared);
        FC_INDEPENDENT
        for (ptrdiff_t i = 0; i < n; i++) {
            out[i] = lag_lane(run + i, row + i, in[0][i], par[0]);
        }
        *l->shared = fc_next_place(*l->shared, bars);
    } else {
        for (ptrdiff_t i = 0; i < n; i++) {
            out[i] = lag_lane(run + i, fc_row(l, 1 + (ptrdiff_t)l->place[i]) + i, in[0][i], par[0]);
            l->place[i] = fc_next_place(l->place[i], bars);
        }
    }
}

/* ---- mean_deviation: row 0: the mean's distance from the newest bar, while it is made; then the bars ---- */

FC_INLINE ptrdiff_t ring_rows(const double *par) { return 1 + (ptrdiff_t)par[0]; }
FC_INLINE ptrdiff_t ring_places(const double *par) { return (ptrdiff_t)par[0]; }

/* Of so many symbols at a time the rows are read again from the innermost cache. */
#define DEVIATING 128

/* The bars are added in four sums, by their places, as a step does. Eight rows at a time, so that sums are stored less often. */
FC_INLINE double off_base(double bar, double x, double sum, int apart) {
    return apart ? fabs((bar - x) - sum) : bar - x;
}
FC_INLINE void add_rows(const double *rows, ptrdiff_t pitch, ptrdiff_t bars, const double *restrict x,
                        const double *restrict sum, double (*restrict all)[DEVIATING], ptrdiff_t n, int apart) {
    ptrdiff_t j = 0;
    for (; j + 8 <= bars; j += 8) {
        for (int k = 0; k < 4; k++) {
            const double *restrict bar = rows + (j + k) * pitch, *restrict later = rows + (j + k + 4) * pitch;
            double *restrict to = all[k];
            for (ptrdiff_t i = 0; i < n; i++) {
                to[i] = (to[i] + off_base(bar[i], x[i], sum[i], apart)) + off_base(later[i], x[i], sum[i], apart);
            }
        }
    }
    for (; j < bars; j++) {
        const double *restrict bar = rows + j * pitch;
        double *restrict to = all[j & 3];
        for (ptrdiff_t i = 0; i < n; i++) {
            to[i] += off_base(bar[i], x[i], sum[i], apart);
        }
    }
}

FC_INLINE void mean_deviations(const double *rows, ptrdiff_t pitch, ptrdiff_t bars, const double *restrict x,
                               double *restrict sum, double *restrict off, ptrdiff_t n) {
    const double width = (double)bars;
    double all[4][DEVIATING];
    memset(all, 0, sizeof(all));
    add_rows(rows, pitch, bars, x, x, all, n, 0);
    for (ptrdiff_t i = 0; i < n; i++) {
        sum[i] = ((all[0][i] + all[1][i]) + (all[2][i] + all[3][i])) / width;
    }
    memset(all, 0, sizeof(all));
    add_rows(rows, pitch, bars, x, sum, all, n, 1);
    for (ptrdiff_t i = 0; i < n; i++) {
        off[i] = ((all[0][i] + all[1][i]) + (all[2][i] + all[3][i])) / width;
    }
}

FC_INLINE void mean_deviation_across(const double *par, const fc_lanes *l, const double *const *in, double *out,
                                     ptrdiff_t n) {
    const ptrdiff_t bars = (ptrdiff_t)par[0];
    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t place = (ptrdiff_t)(*l->shared >= 0 ? *l->shared : l->place[i]);
        (fc_row(l, 1 + place))[i] = fc_or_missing(in[0][i]);
        if (*l->shared < 0) {
            l->place[i] = fc_next_place(place, bars);
        }
    }
    for (ptrdiff_t i = 0; i < n; i += DEVIATING) {
        ptrdiff_t some = n - i < DEVIATING ? n - i : DEVIATING;
        mean_deviations(fc_row(l, 1) + i, l->pitch, bars, in[0] + i, fc_row(l, 0) + i, out + i, some);
    }
    if (*l->shared >= 0) {
        *l->shared = fc_next_place(*l->shared, bars);
    }
}

#endif
