/* Quantiles and ranks over many bars: all values that their windows hold are sorted once; then a window is a set of places
 * in that order, of which a bar changes two.
 */
#ifndef FASTCORE_INDICATORS_OPERATORS_ORDER_SERIES_H
#define FASTCORE_INDICATORS_OPERATORS_ORDER_SERIES_H

#include "indicators/operators/past.h"
#include "indicators/present.h"
#include "indicators/sorted.h"

typedef struct {
    double *values, *sorted; /* those of the windows, as they came and in order */
    int32_t *place, *first,
        *end; /* of each value; of each place: that of the first equal one, and after the last one */
    fc_present present;
} order_series;

FC_INLINE ptrdiff_t series_scratch(double width) {
    ptrdiff_t m = (ptrdiff_t)width + fc_sorted_bars((ptrdiff_t)width);
    return 2 * m + (m + 1) / 2 + fc_sorted_room(m) + 8;
}

/* Sorts `past` values and n more; the first of them are taken. */
static FC_NOINLINE void series_sort(order_series *s, ptrdiff_t past, ptrdiff_t n, int ranks) {
    ptrdiff_t m = past + n;
    double *room = s->sorted + m + (m + 1) / 2;
    s->place = (int32_t *)(void *)(s->sorted + m);
    int32_t there = fc_sort(s->values, m, s->place, s->sorted, room);
    s->first = (int32_t *)(void *)room;
    s->end = s->first + m;
    if (ranks) {
        fc_sorted_ties(s->sorted, there, s->first, s->end);
    }
    fc_present_init(&s->present, m, room + m);
    for (ptrdiff_t i = 0; i < past; i++) {
        if (s->place[i] >= 0) {
            fc_present_set(&s->present, s->place[i]);
        }
    }
    fc_present_begin(&s->present);
}

/* Of the newest value, which is there. */
FC_INLINE double series_rank(const double *par, const order_series *s, const fc_present *p, int32_t place) {
    double below = fc_present_before(p, s->first[place]);
    return par[2] != 0.0 ? below : middle(below, fc_present_before(p, s->end[place]));
}
FC_INLINE double series_quantile(const double *par, const order_series *s, const fc_present *p) {
    double apart;
    int64_t at = fc_present_at(p, (int32_t)place_of(par, p->there, &apart));
    double value = s->sorted[at];
    return apart != 0.0 ? between(value, s->sorted[fc_present_next(p, at)], apart) : value;
}

/* n bars, with so many of the window's bars before them. */
FC_INLINE void series_bars_of(const double *par, order_series *s, ptrdiff_t past, double *restrict out, ptrdiff_t n,
                              int ranks) {
    ptrdiff_t width = (ptrdiff_t)par[0];
    int32_t least = (int32_t)(par[1] > 1.0 ? par[1] : 1.0);
    series_sort(s, past, n, ranks);
    fc_present p = s->present; /* whose address is not known elsewhere: it stays in registers */
    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t leaves = past + i - width;
        int32_t old = leaves >= 0 ? s->place[leaves] : -1, new = s->place[past + i];
        if (old >= 0) {
            fc_present_change(&p, old, -1);
        }
        if (new >= 0) {
            fc_present_change(&p, new, 1);
        }
        if (p.there < least || (ranks && new < 0)) {
            out[i] = NAN;
        } else {
            out[i] = ranks ? series_rank(par, s, &p, new) : series_quantile(par, s, &p);
        }
    }
}

static FC_NOINLINE void order_series_block(const double *par, fc_past *carry, const double *x, double *out, ptrdiff_t n,
                                           double *scratch, int ranks) {
    ptrdiff_t parts = fc_sorted_parts(n, (ptrdiff_t)par[0]);
    for (ptrdiff_t k = 0; k < parts; k++) {
        ptrdiff_t from = n * k / parts, bars = n * (k + 1) / parts - from, past;
        order_series s = {.values = scratch};
        past = fc_past_copy(carry, scratch);
        memcpy(scratch + past, x + from, (size_t)bars * sizeof(double));
        s.sorted = scratch + past + bars;
        if (ranks) {
            series_bars_of(par, &s, past, out + from, bars, 1);
        } else {
            series_bars_of(par, &s, past, out + from, bars, 0);
        }
        fc_past_add(carry, x + from, bars);
    }
}

#endif
