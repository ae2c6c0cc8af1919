/* Whole numbers for values, and the means of windows. */
#include "indicators/sums_of.h"

#include <math.h>
#include <string.h>

#include "indicators/sorted.h"

#define APART 256.0 /* times the distance of the quartiles, beyond which a number needs two parts */

static ptrdiff_t sums_room(ptrdiff_t places) { return places + places / 15 + FC_BRANCHES * (FC_LEVELS + 1); }
static ptrdiff_t padded(ptrdiff_t values) {
    ptrdiff_t m = 1;
    while (m <= values) {
        m *= 2;
    }
    return m;
}
ptrdiff_t fc_sums_room(ptrdiff_t w, ptrdiff_t n) {
    ptrdiff_t m = w + n, after = 3 * n + 2 * sums_room(m) + fc_present_room(m), room = fc_sorted_room(m);
    return 3 * padded(m) + (m + 1) / 2 + (after > room ? after : room) + 8;
}

static double *numbers_at(int64_t **numbers, ptrdiff_t n, double *room) {
    *numbers = (int64_t *)(void *)room;
    return room + n;
}

static int sort_sums(fc_sums_of *s, const double *x, int n_parts, double *scratch) {
    ptrdiff_t m = s->values, all = padded(m), n = s->bars;
    s->sorted = scratch;
    double *room = numbers_at(s->number + 1, all, numbers_at(s->number, all, scratch + all));
    s->place = (int32_t *)(void *)room;
    room += (m + 1) / 2;
    int32_t there = fc_sort(x, m, s->place, s->sorted, room);
    double range = there == m ? s->sorted[m - 1] - s->sorted[0] : NAN;
    if (!(range == 0.0 || (range > 1e-250 && range < 1e300))) {
        return 0;
    }
    int exponent, width;
    frexp(range, &exponent);
    frexp((double)s->width, &width);
    s->middle = s->sorted[m / 2];
    s->n_parts = n_parts == 1 && range > APART * (s->sorted[m - m / 4 - 1] - s->sorted[m / 4]) ? 2 : n_parts;
    s->bits = (s->n_parts == 1 ? 62 : 60) - width; /* what is left of upper parts is added to lower ones */
    s->quantum = ldexp(1.0, exponent - s->n_parts * s->bits);
    double scale = 1.0 / s->quantum, lower = ldexp(1.0, s->bits), upper = 1.0 / lower;
    for (ptrdiff_t i = 0; i < m; i++) {
        double quanta = (s->sorted[i] - s->middle) * scale;
        s->number[1][i] = s->n_parts == 2 ? (int64_t)(quanta * upper) : 0;
        quanta -= (double)s->number[1][i] * lower;
        s->number[0][i] = (int64_t)(quanta + (quanta < 0.0 ? -0.5 : 0.5));
    }
    for (ptrdiff_t i = m; i < all; i++) {
        s->sorted[i] = INFINITY;
        s->number[0][i] = s->number[1][i] = INT64_MAX / 2;
    }
    room = numbers_at(s->mean + 1, n, numbers_at(s->mean, n, room));
    s->rest = (int32_t *)(void *)room;
    s->below = s->rest + n;
    room += n;
    for (int k = 0; k < s->n_parts; k++) {
        s->levels = 0;
        for (ptrdiff_t nodes = m; s->levels == 0 || nodes > 1; s->levels++) {
            ptrdiff_t places = (nodes + FC_BRANCHES - 1) / FC_BRANCHES * FC_BRANCHES;
            memset(room, 0, (size_t)places * sizeof(double));
            room = numbers_at(s->sums[k] + s->levels, places, room);
            nodes = places / FC_BRANCHES;
        }
    }
    fc_present_init(&s->present, m, room);
    return 1;
}

/* sum / w; what is left, which is not below zero, goes to `rest`. */
FC_INLINE int64_t divided(int64_t sum, int64_t w, double inverse, int64_t *rest) {
    int64_t whole = (int64_t)((double)sum * inverse);
    whole += (int64_t)((double)(sum - whole * w) * inverse);
    whole -= sum < whole * w;
    *rest = sum - whole * w;
    return whole;
}

/* Of each window, how many values are not above its mean, rounded down: by their numbers, which no digit is missing from. */
FC_INLINE void find_below(fc_sums_of *s, int n_parts) {
    ptrdiff_t all = padded(s->values);
    double lower = ldexp(1.0, s->bits);
    for (ptrdiff_t t = 0; t < s->bars; t += 8) { /* several at a time: each waits for memory */
        int64_t at[8] = {0};
        for (ptrdiff_t half = all / 2; half; half /= 2) {
            for (int k = 0; k < 8; k++) {
                ptrdiff_t bar = t + k < s->bars ? t + k : t, place = at[k] + half - 1;
                int64_t above = s->number[0][place] - s->mean[0][bar];
                int more = above <= 0;
                if (n_parts == 2) {
                    more = (double)(s->number[1][place] - s->mean[1][bar]) * lower + (double)above <= 0.0;
                }
                at[k] += half & -(ptrdiff_t)more;
            }
        }
        for (int k = 0; k < 8 && t + k < s->bars; k++) {
            s->below[t + k] = (int32_t)at[k];
        }
    }
}

/* The means of the windows, and what is below each of them. */
static void find_means(fc_sums_of *s) {
    ptrdiff_t w = s->width;
    int64_t sum[2] = {0};
    double inverse = 1.0 / (double)w;
    for (ptrdiff_t i = 0; i < w - 1; i++) {
        sum[0] += s->number[0][s->place[i]];
        sum[1] += s->number[1][s->place[i]];
    }
    for (ptrdiff_t t = 0; t < s->bars; t++) {
        int32_t new = s->place[t + w - 1], old = s->place[t];
        int64_t rest = 0;
        sum[0] += s->number[0][new];
        sum[1] += s->number[1][new];
        s->mean[1][t] = s->n_parts == 2 ? divided(sum[1], w, inverse, &rest) : 0;
        s->mean[0][t] = divided(sum[0] + rest * ((int64_t)1 << s->bits), w, inverse, &rest);
        s->rest[t] = (int32_t)rest;
        sum[0] -= s->number[0][old];
        sum[1] -= s->number[1][old];
    }
    if (s->n_parts == 2) {
        find_below(s, 2);
    } else {
        find_below(s, 1);
    }
}

int fc_sums_sort(fc_sums_of *s, const double *x, int n_parts, double *scratch) {
    if (!sort_sums(s, x, n_parts, scratch)) {
        return 0;
    }
    find_means(s);
    fc_present_begin(&s->present);
    return 1;
}
