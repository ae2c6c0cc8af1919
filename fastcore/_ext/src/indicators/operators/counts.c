/* Shapes and covariances of windows whose missing values do not count. */
#include "indicators/operators/powers.h"

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
static int shape_valid(const double *par, const void *state) {
    const shape_state *s = state;
    return fc_counts_valid(&s->ring, par, s->mem, s->count);
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

#define SMALL 1e-140
#define LARGE 1e140

/* Whether powers of distances, whose squares have this mean, are beyond the numbers there are. */
FC_INLINE int are_extreme(double square, double base) {
    return !(square > SMALL && square < LARGE) && !(square == 0.0 && fabs(base) > SMALL);
}

/* The same of distances that are divided by a power of two near the largest one. */
static FC_NOINLINE double shape_scaled(const double *mem, int64_t bars, const scales *k, double x, int order) {
    double first = NAN, widest = 0.0, mean = 0.0;
    int by;
    for (int64_t i = 0; i < bars; i++) {
        first = first == first ? first : mem[i];
        widest = fabs(mem[i] - first) > widest ? fabs(mem[i] - first) : widest;
    }
    if (!(widest > 0.0 && widest < INFINITY)) {
        return NAN;
    }
    frexp(widest, &by);
    for (int64_t i = 0; i < bars; i++) {
        mean += fc_there(mem[i]) ? ldexp(mem[i] - first, -by) : 0.0;
    }
    powers p = {.base = mean * k->inverse};
    for (int64_t i = 0; i < bars; i++) {
        if (fc_there(mem[i])) {
            add_powers(&p, ldexp(mem[i] - first, -by), 1.0, 4);
        }
    }
    return shape_of(&p, k, ldexp(x - first, -by), order);
}

FC_INLINE double shape_push(const double *par, shape_state *s, const double *in, int commit, int order) {
    double x = fc_or_missing(in[0]), kept = s->mem[s->ring.at], old = s->ring.filled == s->ring.width ? kept : NAN;
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
    if (FC_UNLIKELY(are_worn(&p, (double)count) || (age >= s->ring.width && age >= OLD))) {
        p = made_powers(s->mem, bars, count, fc_there(x) ? x : p.base, top);
        age = 0;
    }
    scales k = s->scales;
    if (FC_UNLIKELY(k.n != (double)count)) {
        k = scales_of((double)count, order);
    }
    double result = NAN;
    if ((double)count >= par[1] && count >= (order == 1 ? 2 : order)) {
        int scaled = are_extreme(p.sum[2] * k.inverse, p.base);
        result = FC_UNLIKELY(scaled) ? shape_scaled(s->mem, bars, &k, x, order) : shape_of(&p, &k, x, order);
    }
    if (commit) {
        s->powers = p;
        s->scales = k;
        s->count = count;
        s->age = age;
        fc_ring_next(&s->ring);
    } else {
        s->mem[s->ring.at] = kept;
    }
    return result;
}

/* ---- by vectors, while the window is full and nothing in it is missing ---- */

#define CHUNK 64

/* Sums of four more bars: those that leave are `from`, those that come `to`. */
typedef struct {
    v4 base, sum[5], most, least; /* the sums before the first of the bars to come, in each lane */
} lanes;

FC_INLINE lanes lanes_of(const powers *p) {
    lanes k = {v4_all(p->base), {v4_zero()}, v4_all(p->worst), v4_all(p->worst)};
    for (int i = 1; i <= 4; i++) {
        k.sum[i] = v4_all(p->sum[i]);
    }
    return k;
}
/* sums[i] of each of the four bars. */
FC_INLINE void add_lanes(lanes *k, const double *from, const double *to, v4 *sums, int top) {
    v4 old = v4_sub(v4_load(from), k->base), new = v4_sub(v4_load(to), k->base), a = old, b = new;
    for (int i = 1; i <= top; i++) {
        sums[i] = v4_add(k->sum[i], v4_scan(v4_sub(b, a)));
        k->sum[i] = v4_last(sums[i]);
        a = v4_mul(a, old);
        b = v4_mul(b, new);
    }
    k->most = v4_max(k->most, sums[2]);
    k->least = v4_min(k->least, sums[2]);
}
/* How far the mean has gone away beyond what is allowed, in each lane. */
FC_INLINE v4 beyond(const v4 *sums, v4 n) {
    v4 square = v4_mul(sums[1], sums[1]);
    return v4_sub(square, v4_mul(v4_all(AWAY), v4_sub(v4_mul(sums[2], n), square)));
}
static double highest_of(v4 x) {
    double lane[4], best;
    v4_store(lane, x);
    best = lane[0];
    for (int l = 1; l < 4; l++) {
        best = lane[l] > best ? lane[l] : best;
    }
    return best;
}
/* Takes over the sums; 0 if they are worn: then the bars are to be taken one by one. */
FC_INLINE int take_lanes(powers *p, const lanes *k, int top) {
    double most = highest_of(k->most), least = -highest_of(v4_sub(v4_zero(), k->least)), check = 0.0;
    for (int i = 1; i <= top; i++) {
        check += v4_one(k->sum[i]) - v4_one(k->sum[i]);
    }
    if (!(least >= most * LOST) || check != 0.0) {
        return 0;
    }
    for (int i = 1; i <= top; i++) {
        p->sum[i] = v4_one(k->sum[i]);
    }
    p->worst = most;
    return 1;
}
static int64_t above(int64_t a, int64_t b) { return a > b ? a : b; }
FC_INLINE int are_old(int64_t age, int64_t width) { return age >= width && (age >= OLD || width <= CHUNK); }

/* How many bars can be taken at once, in fours, and where those are that leave: `before` bars of the input have been
 * taken, or in the ring. */
FC_INLINE int64_t at_once(const fc_ring *ring, int64_t count, ptrdiff_t n, ptrdiff_t before, int *in_ring) {
    int64_t most = ring->width < CHUNK ? above(ring->width, 16) : CHUNK; /* the mean of few goes away soon */
    int64_t bars = n < most ? (int64_t)n : most, left = ring->width - ring->at;
    *in_ring = before < ring->width;
    left = *in_ring ? left : ring->width;
    return count == ring->width ? (bars < left ? bars : left) & ~(int64_t)3 : 0;
}
/* Puts bars into the ring; at most as many as it has. */
FC_INLINE void put_bars(const fc_ring *ring, double *mem, const double *x, int64_t bars) {
    int64_t left = ring->width - ring->at, first = bars < left ? bars : left;
    memcpy(mem + ring->at, x, (size_t)first * sizeof(double));
    memcpy(mem, x + first, (size_t)(bars - first) * sizeof(double));
}
FC_INLINE void move_on(fc_ring *ring, int64_t bars) {
    ring->at += bars;
    ring->at -= ring->at >= ring->width ? ring->width : 0;
}

FC_INLINE v4 shapes_of(const v4 *sums, v4 base, const scales *k, const double *x, int order) {
    v4 inverse = v4_all(k->inverse), factor = v4_all(k->factor), zero = v4_zero();
    v4 mean = v4_mul(sums[1], inverse), square = v4_mul(sums[2], inverse);
    v4 variance = v4_sub(square, v4_mul(mean, mean)), top, bottom, less = zero;
    if (order == 1) {
        top = v4_sub(v4_sub(v4_load(x), base), mean);
        bottom = v4_sqrt(v4_mul(v4_max(variance, zero), factor));
    } else if (order == 3) {
        v4 cube = v4_mul(sums[3], inverse), twice = v4_mul(v4_mul(v4_all(2.0), mean), mean);
        top = v4_mul(factor, v4_sub(cube, v4_mul(mean, v4_sub(v4_mul(v4_all(3.0), square), twice))));
        bottom = v4_mul(variance, v4_sqrt(v4_max(variance, zero)));
    } else {
        v4 cube = v4_mul(sums[3], inverse), rest = v4_mul(v4_mul(v4_all(3.0), mean), mean);
        rest = v4_mul(mean, v4_sub(v4_mul(v4_all(6.0), square), rest));
        rest = v4_mul(mean, v4_sub(v4_mul(v4_all(4.0), cube), rest));
        top = v4_mul(factor, v4_sub(v4_mul(sums[4], inverse), rest));
        bottom = v4_mul(variance, variance);
        less = v4_all(k->less);
    }
    return v4_sub(v4_div(v4_if_gt(variance, zero, top), v4_if_gt(variance, zero, bottom)), less);
}

FC_INLINE int shape_try(shape_state *s, const double *from, const double *x, double *out, int64_t bars, int order) {
    int top = order == 1 ? 2 : order;
    lanes k = lanes_of(&s->powers);
    v4 n = v4_all(s->scales.n), away = v4_zero(), sums[5];
    for (int64_t t = 0; t < bars; t += 4) {
        add_lanes(&k, from + t, x + t, sums, top);
        away = v4_max(away, beyond(sums, n));
        v4_store(out + t, shapes_of(sums, k.base, &s->scales, x + t, order));
    }
    int extreme = are_extreme(highest_of(k.most) * s->scales.inverse, s->powers.base);
    return !extreme && highest_of(away) <= 0.0 && take_lanes(&s->powers, &k, top);
}

FC_INLINE void remake_shape(shape_state *s, int top) {
    s->powers = made_powers(s->mem, s->ring.width, s->count, s->mem[s->ring.at], top);
    s->age = 0;
}

/* Returns how many bars it has taken; `before` of the input have been taken before. */
FC_INLINE int64_t shape_chunk(shape_state *s, const double *x, double *out, ptrdiff_t n, ptrdiff_t before, int order) {
    int in_ring, top = order == 1 ? 2 : order;
    int64_t bars = at_once(&s->ring, s->count, n, before, &in_ring);
    if (bars == 0 || s->scales.n != (double)s->count) {
        return 0;
    }
    const double *from = in_ring ? s->mem + s->ring.at : x - s->ring.width;
    if (are_old(s->age, s->ring.width)) {
        remake_shape(s, top);
    }
    if (!shape_try(s, from, x, out, bars, order)) {
        remake_shape(s, top);
        if (!shape_try(s, from, x, out, bars, order)) {
            return 0;
        }
    }
    put_bars(&s->ring, s->mem, x, bars);
    s->age += bars;
    move_on(&s->ring, bars);
    return bars;
}

/* By chunks where that can be, else bar by bar, as many as a chunk has. */
#define CHUNKS(op, kinds, inputs, STATE, TAKE, SIZE, INIT, VALID)                                                      \
    static double op##_step(const double *par, void *state, const double *in, int commit) {                            \
        return op##_push(par, state, in, commit);                                                                      \
    }                                                                                                                  \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        STATE *s = carry;                                                                                              \
        (void)scratch;                                                                                                 \
        for (ptrdiff_t i = 0, one = 0; i < n;) {                                                                       \
            int64_t taken = one ? 0 : TAKE;                                                                            \
            one = taken ? 0 : one ? one - 1 : CHUNK - 1;                                                               \
            if (!taken) {                                                                                              \
                double bar[] = {in[0][i], in[(inputs) - 1][i]};                                                        \
                out[i] = op##_push(par, s, bar, 1);                                                                    \
                taken = 1;                                                                                             \
            }                                                                                                          \
            i += taken;                                                                                                \
        }                                                                                                              \
        return 0;                                                                                                      \
    }                                                                                                                  \
    FC_COUNTED(op, kinds, inputs, SIZE, INIT, VALID, INIT, NULL)

#define SHAPE(op, order)                                                                                               \
    FC_INLINE double op##_push(const double *par, shape_state *s, const double *in, int commit) {                      \
        return shape_push(par, s, in, commit, order);                                                                  \
    }                                                                                                                  \
    CHUNKS(op, "pp", 1, shape_state, shape_chunk(s, in[0] + i, out + i, n - i, i, order), shape_size, shape_init,      \
           shape_valid)
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
    return fc_counts_valid(&s->ring, par, s->mem, s->count) &&
           fc_counts_valid(&s->ring, par, s->mem + s->ring.width, s->count);
}
FC_INLINE double product_of(const powers *x, const powers *y, double a, double b) {
    return (a - x->base) * (b - y->base);
}

static double made_product(const pairs_state *s, const powers *x, const powers *y, int64_t bars) {
    const double *xs = s->mem, *ys = xs + s->ring.width;
    double product = 0.0;
    for (int64_t i = 0; i < bars; i++) {
        product += fc_there(xs[i]) ? product_of(x, y, xs[i], ys[i]) : 0.0;
    }
    return product;
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
    if (FC_UNLIKELY(worn || (age >= s->ring.width && age >= OLD))) {
        x = made_powers(xs, bars, count, come ? in[0] : x.base, 2);
        y = made_powers(ys, bars, count, come ? in[1] : y.base, 2);
        product = made_product(s, &x, &y, bars);
        age = 0;
    }
    if (commit) {
        s->x = x;
        s->y = y;
        s->product = product;
        s->count = count;
        s->age = age;
        fc_ring_next(&s->ring);
    } else {
        xs[s->ring.at] = kept_x;
        ys[s->ring.at] = kept_y;
    }
    double n = (double)count;
    return n >= par[1] && n > 1.0 ? (product - x.sum[1] * y.sum[1] / n) / (n - 1.0) : NAN;
}

FC_INLINE int covariance_try(pairs_state *s, const double *const *from, const double *const *to, double *out,
                             int64_t bars) {
    lanes a = lanes_of(&s->x), b = lanes_of(&s->y);
    double count = (double)s->count;
    v4 away = v4_zero(), product = v4_all(s->product), n = v4_all(count), of_x[3], of_y[3];
    v4 inverse = v4_all(1.0 / count), less = v4_all(1.0 / (count - 1.0));
    for (int64_t t = 0; t < bars; t += 4) {
        v4 old = v4_mul(v4_sub(v4_load(from[0] + t), a.base), v4_sub(v4_load(from[1] + t), b.base));
        v4 new = v4_mul(v4_sub(v4_load(to[0] + t), a.base), v4_sub(v4_load(to[1] + t), b.base));
        add_lanes(&a, from[0] + t, to[0] + t, of_x, 2);
        add_lanes(&b, from[1] + t, to[1] + t, of_y, 2);
        away = v4_max(away, v4_max(beyond(of_x, n), beyond(of_y, n)));
        new = v4_add(product, v4_scan(v4_sub(new, old)));
        product = v4_last(new);
        v4_store(out + t, v4_mul(v4_sub(new, v4_mul(v4_mul(of_x[1], of_y[1]), inverse)), less));
    }
    powers kept = s->x;
    double check = v4_one(product);
    if (highest_of(away) > 0.0 || check - check != 0.0 || !take_lanes(&s->x, &a, 2)) {
        return 0;
    }
    if (!take_lanes(&s->y, &b, 2)) {
        s->x = kept;
        return 0;
    }
    s->product = check;
    return 1;
}

static FC_NOINLINE void remake_pairs(pairs_state *s) {
    const double *xs = s->mem, *ys = xs + s->ring.width;
    s->x = made_powers(xs, s->ring.width, s->count, xs[s->ring.at], 2);
    s->y = made_powers(ys, s->ring.width, s->count, ys[s->ring.at], 2);
    s->product = made_product(s, &s->x, &s->y, s->ring.width);
    s->age = 0;
}

FC_INLINE int64_t covariance_chunk(pairs_state *s, const double *x, const double *y, double *out, ptrdiff_t n,
                                   ptrdiff_t before) {
    int in_ring;
    int64_t width = s->ring.width, bars = at_once(&s->ring, s->count, n, before, &in_ring);
    double *xs = s->mem, *ys = xs + width;
    if (bars == 0 || s->count < 2) {
        return 0;
    }
    const double *to[] = {x, y};
    const double *from[] = {in_ring ? xs + s->ring.at : x - width, in_ring ? ys + s->ring.at : y - width};
    if (are_old(s->age, width)) {
        remake_pairs(s);
    }
    if (!covariance_try(s, from, to, out, bars)) {
        remake_pairs(s);
        if (!covariance_try(s, from, to, out, bars)) {
            return 0;
        }
    }
    put_bars(&s->ring, xs, x, bars);
    put_bars(&s->ring, ys, y, bars);
    s->age += bars;
    move_on(&s->ring, bars);
    return bars;
}
CHUNKS(covariance, "pp", 2, pairs_state, covariance_chunk(s, in[0] + i, in[1] + i, out + i, n - i, i), pairs_size,
       pairs_init, pairs_valid);
