/* Moments, counts and places of extremes in windows whose missing values do not count. */
#include "indicators/operators/counting.h"

FC_INLINE void next_place(fc_ring *ring) {
    ring->at = ring->at + 1 == ring->width ? 0 : ring->at + 1;
    ring->filled += ring->filled < ring->width;
}

/* ---- shape and covariance: sums of powers of the distances from a base near the mean ----
 *
 * Sums run on, and are made anew, about the mean, at least once in a window: also when they have lost more than LOST of
 * what they were, and when the mean has gone away from the base. So a spike leaves nothing behind, and equal values have
 * no distance. */

#define LOST 0x1p-6
#define AWAY 4.0

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
/* Sums of `mem`, whose values are there where those of `also` are, about their mean. */
static FC_NOINLINE void make_powers(powers *p, const double *mem, int64_t bars, int64_t count, double near, int top) {
    p->base = near;
    for (int turn = 0; turn < 2; turn++) {
        memset(p->sum, 0, sizeof(p->sum));
        for (int64_t i = 0; i < bars; i++) {
            if (fc_there(mem[i])) {
                add_powers(p, mem[i], 1.0, turn ? top : 1);
            }
        }
        if (!turn && count) {
            p->base += p->sum[1] / (double)count;
        }
    }
    p->worst = p->sum[2];
}
/* Whether the sums of `count` values, of which one has left, should be made anew. */
FC_INLINE int are_worn(powers *p, double count) {
    double square = p->sum[1] * p->sum[1];
    p->worst = p->sum[2] > p->worst ? p->sum[2] : p->worst;
    return !(p->sum[2] >= p->worst * LOST) || square > AWAY * (p->sum[2] * count - square);
}

typedef struct {
    double n, inverse, factor, less; /* of n values: 1 / n, and what their moments are scaled with */
} scales;

typedef struct {
    fc_ring ring;
    int64_t count, age; /* values that are there; bars since the sums were made */
    powers powers;
    scales scales;
    double mem[];
} shape_state;

static size_t shape_size(const double *par) { return sizeof(shape_state) + (size_t)par[0] * sizeof(double); }
static void shape_init(const double *par, void *state) {
    shape_state *s = state;
    memset(s, 0, sizeof(*s));
    fc_ring_init(&s->ring, par[0]);
}
static int counts_valid(const fc_ring *ring, const double *par, const double *mem, int64_t count) {
    if (!fc_ring_valid(ring, par[0]) || (ring->filled < ring->width && ring->at != ring->filled)) {
        return 0;
    }
    for (int64_t i = 0; i < ring->filled; i++) {
        count -= fc_there(mem[i]);
    }
    return count == 0;
}
static int shape_valid(const double *par, const void *state) {
    const shape_state *s = state;
    return counts_valid(&s->ring, par, s->mem, s->count);
}

/* By `order`: 1 the distance of x from the mean in standard deviations, 3 the skewness, 4 the excess kurtosis; all of a
 * sample. */
static FC_NOINLINE scales scales_of(double n, int order) {
    scales k = {n, 1.0 / n, n / (n - 1.0), 0.0};
    if (order == 3) {
        k.factor = sqrt(n * (n - 1.0)) / (n - 2.0);
    } else if (order == 4) {
        k.factor = (n - 1.0) * (n + 1.0) / ((n - 2.0) * (n - 3.0));
        k.less = 3.0 * (n - 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0));
    }
    return k;
}
FC_INLINE double shape_of(const powers *p, const scales *k, double x, int order) {
    double mean = p->sum[1] * k->inverse, square = p->sum[2] * k->inverse, variance = square - mean * mean;
    if (FC_UNLIKELY(!(variance > 0.0))) {
        return NAN;
    }
    if (order == 1) {
        return ((x - p->base) - mean) / sqrt(variance * k->factor);
    }
    double cube = p->sum[3] * k->inverse;
    if (order == 3) {
        return k->factor * (cube - mean * (3.0 * square - 2.0 * mean * mean)) / (variance * sqrt(variance));
    }
    double fourth = p->sum[4] * k->inverse - mean * (4.0 * cube - mean * (6.0 * square - 3.0 * mean * mean));
    return k->factor * fourth / (variance * variance) - k->less;
}

FC_INLINE double shape_push(const double *par, shape_state *s, const double *in, int commit, int order) {
    double x = in[0], kept = s->mem[s->ring.at], old = s->ring.filled == s->ring.width ? kept : NAN;
    int64_t count = s->count, age = s->age + 1, bars = s->ring.filled;
    int top = order == 1 ? 2 : order;
    powers p = s->powers;
    s->mem[s->ring.at] = x;
    bars += bars < s->ring.width;
    if (fc_there(old)) {
        add_powers(&p, old, -1.0, top);
        count--;
    }
    if (fc_there(x)) {
        if (FC_UNLIKELY(count == 0)) {
            p = (powers){.base = x};
        }
        add_powers(&p, x, 1.0, top);
        count++;
    }
    if (FC_UNLIKELY(are_worn(&p, (double)count) || age >= s->ring.width)) {
        make_powers(&p, s->mem, bars, count, fc_there(x) ? x : p.base, top);
        age = 0;
    }
    scales k = s->scales;
    if (FC_UNLIKELY(k.n != (double)count)) {
        k = scales_of((double)count, order);
    }
    if (commit) {
        s->powers = p;
        s->scales = k;
        s->count = count;
        s->age = age;
        next_place(&s->ring);
    } else {
        s->mem[s->ring.at] = kept;
    }
    int least = order == 1 ? 2 : order;
    return (double)count >= par[1] && count >= least ? shape_of(&p, &k, x, order) : NAN;
}

#define SHAPE(op, order)                                                                                               \
    FC_INLINE double op##_push(const double *par, shape_state *s, const double *in, int commit) {                      \
        return shape_push(par, s, in, commit, order);                                                                  \
    }                                                                                                                  \
    FC_COUNTING(op, "pp", 1, shape_state, op##_push, shape_size, shape_init, shape_valid)
SHAPE(standard_score, 1);
SHAPE(skewness, 3);
SHAPE(kurtosis, 4);

/* ---- covariance ---- */

typedef struct {
    fc_ring ring;
    int64_t count, age;
    powers x, y;
    double product;
    double mem[]; /* the x, then the y; both missing where one is */
} pairs_state;

static size_t pairs_size(const double *par) { return sizeof(pairs_state) + 2 * (size_t)par[0] * sizeof(double); }
static void pairs_init(const double *par, void *state) {
    pairs_state *s = state;
    memset(s, 0, sizeof(*s));
    fc_ring_init(&s->ring, par[0]);
}
static int pairs_valid(const double *par, const void *state) {
    const pairs_state *s = state;
    return counts_valid(&s->ring, par, s->mem, s->count) &&
           counts_valid(&s->ring, par, s->mem + s->ring.width, s->count);
}
FC_INLINE double product_of(const powers *x, const powers *y, double a, double b) {
    return (a - x->base) * (b - y->base);
}

FC_INLINE double covariance_push(const double *par, pairs_state *s, const double *in, int commit) {
    double *xs = s->mem, *ys = s->mem + s->ring.width, nan = NAN, kept_x = xs[s->ring.at], kept_y = ys[s->ring.at];
    int full = s->ring.filled == s->ring.width, come = fc_there(in[0]) && fc_there(in[1]);
    double old_x = full ? kept_x : nan, old_y = full ? kept_y : nan, product = s->product;
    int64_t count = s->count, age = s->age + 1, bars = s->ring.filled + !full;
    powers x = s->x, y = s->y;
    xs[s->ring.at] = come ? in[0] : nan;
    ys[s->ring.at] = come ? in[1] : nan;
    if (fc_there(old_x)) {
        product -= product_of(&x, &y, old_x, old_y);
        add_powers(&x, old_x, -1.0, 2);
        add_powers(&y, old_y, -1.0, 2);
        count--;
    }
    if (come) {
        if (FC_UNLIKELY(count == 0)) {
            x = (powers){.base = in[0]};
            y = (powers){.base = in[1]};
            product = 0.0;
        }
        product += product_of(&x, &y, in[0], in[1]);
        add_powers(&x, in[0], 1.0, 2);
        add_powers(&y, in[1], 1.0, 2);
        count++;
    }
    int worn = are_worn(&x, (double)count) | are_worn(&y, (double)count);
    if (FC_UNLIKELY(worn || age >= s->ring.width)) {
        make_powers(&x, xs, bars, count, come ? in[0] : x.base, 2);
        make_powers(&y, ys, bars, count, come ? in[1] : y.base, 2);
        product = 0.0;
        for (int64_t i = 0; i < bars; i++) {
            product += fc_there(xs[i]) ? product_of(&x, &y, xs[i], ys[i]) : 0.0;
        }
        age = 0;
    }
    if (commit) {
        s->x = x;
        s->y = y;
        s->product = product;
        s->count = count;
        s->age = age;
        next_place(&s->ring);
    } else {
        xs[s->ring.at] = kept_x;
        ys[s->ring.at] = kept_y;
    }
    double n = (double)count;
    return n >= par[1] && n > 1.0 ? (product - x.sum[1] * y.sum[1] / n) / (n - 1.0) : NAN;
}
FC_COUNTING(covariance, "pp", 2, pairs_state, covariance_push, pairs_size, pairs_init, pairs_valid);

/* ---- count: how many values are there ---- */

typedef struct {
    fc_ring ring;
    int64_t count;
    double mem[];
} count_state;

static size_t count_size(const double *par) { return sizeof(count_state) + (size_t)par[0] * sizeof(double); }
static void count_init(const double *par, void *state) {
    count_state *s = state;
    s->count = 0;
    fc_ring_init(&s->ring, par[0]);
}
static int count_valid(const double *par, const void *state) {
    const count_state *s = state;
    return counts_valid(&s->ring, par, s->mem, s->count);
}
FC_INLINE double count_push(const double *par, count_state *s, const double *in, int commit) {
    int leaves = s->ring.filled == s->ring.width && fc_there(s->mem[s->ring.at]);
    int64_t count = s->count - leaves + fc_there(in[0]);
    if (commit) {
        s->mem[s->ring.at] = in[0];
        s->count = count;
        next_place(&s->ring);
    }
    return (double)count >= par[1] ? (double)count : NAN;
}
FC_COUNTING(count, "pp", 1, count_state, count_push, count_size, count_init, count_valid);

/* ---- age_of_highest, age_of_lowest: how many bars ago; of equal values the newest ----
 *
 * Values that a later one has beaten are forgotten: those that are left fall from the oldest on. */

typedef struct {
    fc_ring ring;
    int64_t count, bars, first, kept; /* values there; bars so far; the oldest candidate, and how many there are */
    double mem[];                     /* the bars, the candidates' values, and their bars */
} extreme_state;

static size_t extreme_size(const double *par) { return sizeof(extreme_state) + 3 * (size_t)par[0] * sizeof(double); }
static void extreme_init(const double *par, void *state) {
    extreme_state *s = state;
    memset(s, 0, sizeof(*s));
    fc_ring_init(&s->ring, par[0]);
}
static int extreme_valid(const double *par, const void *state) {
    const extreme_state *s = state;
    return counts_valid(&s->ring, par, s->mem, s->count) && s->bars >= 0 && s->first >= 0 && s->first < s->ring.width &&
           s->kept >= 0 && s->kept <= s->ring.filled;
}
FC_INLINE int64_t wrapped(int64_t i, int64_t width) { return i >= width ? i - width : i; }

FC_INLINE double extreme_push(const double *par, extreme_state *s, const double *in, int commit, double sign) {
    int64_t width = s->ring.width, count = s->count, first = s->first, kept = s->kept, now = s->bars;
    double *values = s->mem + width, *bars = values + width, x = sign * in[0], age = 0.0;
    count += fc_there(in[0]) - (s->ring.filled == width && fc_there(s->mem[s->ring.at]));
    if (kept && (double)now - bars[first] >= (double)width) {
        first = wrapped(first + 1, width);
        kept--;
    }
    if (kept && !(x >= values[first])) {
        age = (double)now - bars[first];
    }
    if (commit) {
        if (fc_there(x)) {
            while (kept && x >= values[wrapped(first + kept - 1, width)]) {
                kept--;
            }
            int64_t last = wrapped(first + kept, width);
            kept += kept < width;
            values[last] = x;
            bars[last] = (double)now;
        }
        s->mem[s->ring.at] = in[0];
        s->count = count;
        s->bars = now + 1;
        s->first = first;
        s->kept = kept;
        next_place(&s->ring);
    }
    return (double)count >= par[1] && count ? age : NAN;
}
#define EXTREME(op, sign)                                                                                              \
    FC_INLINE double op##_push(const double *par, extreme_state *s, const double *in, int commit) {                    \
        return extreme_push(par, s, in, commit, sign);                                                                 \
    }                                                                                                                  \
    FC_COUNTING(op, "pp", 1, extreme_state, op##_push, extreme_size, extreme_init, extreme_valid)
EXTREME(age_of_highest, 1.0);
EXTREME(age_of_lowest, -1.0);
