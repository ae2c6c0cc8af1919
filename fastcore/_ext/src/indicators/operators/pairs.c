/* Operators over a window of two series: what moves with what. Windows are cut into blocks as in kernels/window.c. */
#include <float.h>

#include "indicators/kernels/blocks.h"
#include "indicators/operators/operator.h"
#include "indicators/operators/ring.h"

#define SUMS 5 /* of the distances from a bar of the window: x, y, their squares, their products */
#define LANES 4
#define TINY 0x1p-800 /* a product of squares below this may have lost digits */

static ptrdiff_t window_lag(const double *par) { return (ptrdiff_t)par[0] - 1; }
static ptrdiff_t pairs_scratch(const double *par) { return 4 * SUMS * (ptrdiff_t)par[0]; }

typedef enum { CORRELATION, BETA } pairs_kind;

FC_INLINE void distances1(double dx, double dy, double *d) {
    d[0] += dx;
    d[1] += dy;
    d[2] += dx * dx;
    d[3] += dy * dy;
    d[4] += dx * dy;
}

typedef struct {
    v4 x, y, xx, yy, xy;
} four_sums;

FC_INLINE four_sums no_sums(void) {
    v4 zero = v4_zero();
    return (four_sums){zero, zero, zero, zero, zero};
}
FC_INLINE void distances4(four_sums *s, v4 dx, v4 dy, pairs_kind kind) {
    s->x = v4_add(s->x, dx);
    s->y = v4_add(s->y, dy);
    s->xx = v4_add(s->xx, v4_mul(dx, dx));
    s->yy = kind == BETA ? s->yy : v4_add(s->yy, v4_mul(dy, dy)); /* which it does not need */
    s->xy = v4_add(s->xy, v4_mul(dx, dy));
}

FC_INLINE double made1(const double *s, double inverse, pairs_kind kind) {
    double mean_x = s[0] * inverse, products = s[4] - mean_x * s[1], squares_x = s[2] - mean_x * s[0];
    double squares_y = kind == BETA ? 0.0 : s[3] - s[1] * inverse * s[1];
    if (!fc_finite(squares_x + squares_y)) {
        return NAN;
    }
    if (kind == BETA) {
        return squares_x > 0.0 ? products / squares_x : 0.0;
    }
    if (!(squares_x > 0.0 && squares_y > 0.0)) {
        return 0.0;
    }
    double scale = squares_x * squares_y;
    return products / (scale > TINY && scale <= DBL_MAX ? sqrt(scale) : sqrt(squares_x) * sqrt(squares_y));
}

FC_INLINE v4 made4(const four_sums *s, v4 inverse, pairs_kind kind) {
    v4 zero = v4_zero(), one = v4_all(1.0), mean_x = v4_mul(s->x, inverse);
    v4 products = v4_sub(s->xy, v4_mul(mean_x, s->y));
    v4 squares_x = v4_max(v4_sub(s->xx, v4_mul(mean_x, s->x)), zero), scale = squares_x, root = squares_x;
    if (kind == CORRELATION) {
        v4 squares_y = v4_max(v4_sub(s->yy, v4_mul(v4_mul(s->y, inverse), s->y)), zero);
        scale = v4_mul(squares_x, squares_y);
        root = v4_sqrt(scale);
    }
    /* Where the scale is 0, 1 stands in for its root, so that nothing is divided by 0. */
    v4 safe = v4_add(root, v4_sub(one, v4_if_gt(scale, zero, one)));
    return v4_if_gt(scale, zero, v4_div(products, safe));
}

/* Results for m bars, up to a whole block. The tails, SUMS for each t, are of the last w - 1 - t of the bars before. */
FC_INLINE void block(const double *x, const double *y, ptrdiff_t m, ptrdiff_t w, double *out, double *tails,
                     pairs_kind kind) {
    double sum[SUMS] = {0.0}, all[SUMS], inverse = 1.0 / (double)w;
    const double *before_x = x - (w - 1), *before_y = y - (w - 1);
    for (ptrdiff_t t = w - 1;; t--) {
        memcpy(tails + SUMS * t, sum, sizeof(sum));
        if (t == 0) {
            break;
        }
        distances1(before_x[t - 1] - x[0], before_y[t - 1] - y[0], sum);
    }
    memset(sum, 0, sizeof(sum));
    for (ptrdiff_t t = 0; t < m; t++) {
        distances1(x[t] - x[0], y[t] - y[0], sum);
        for (int j = 0; j < SUMS; j++) {
            all[j] = sum[j] + tails[SUMS * t + j];
        }
        out[t] = made1(all, inverse, kind);
    }
}

/* What comes together at the bars of four blocks: their first bars, and their sums so far. */
typedef struct {
    v4 base_x, base_y;
    four_sums sum;
} four_pairs;

FC_INLINE void keep_tail(const four_sums *s, double *tail, pairs_kind kind) {
    v4_store(tail, s->x);
    v4_store(tail + 4, s->y);
    v4_store(tail + 8, s->xx);
    if (kind == CORRELATION) {
        v4_store(tail + 12, s->yy);
    }
    v4_store(tail + 16, s->xy);
}
FC_INLINE void pairs_tail(four_pairs *f, v4 x, v4 y, double *tail, pairs_kind kind) {
    distances4(&f->sum, v4_sub(x, f->base_x), v4_sub(y, f->base_y), kind);
    keep_tail(&f->sum, tail, kind);
}
FC_INLINE v4 pairs_head(four_pairs *f, v4 x, v4 y, const double *tail, v4 inverse, pairs_kind kind) {
    distances4(&f->sum, v4_sub(x, f->base_x), v4_sub(y, f->base_y), kind);
    four_sums all = f->sum;
    all.x = v4_add(all.x, v4_load(tail));
    all.y = v4_add(all.y, v4_load(tail + 4));
    all.xx = v4_add(all.xx, v4_load(tail + 8));
    all.yy = kind == BETA ? all.yy : v4_add(all.yy, v4_load(tail + 12));
    all.xy = v4_add(all.xy, v4_load(tail + 16));
    return made4(&all, inverse, kind);
}

/* Whether the squares of blocks, x and y, and their products are in range, and so those of each window in them. */
FC_INLINE int in_range(v4 x, v4 y, pairs_kind kind) {
    v4 zero = v4_zero(), four = v4_all(4.0), all = v4_mul(x, four);
    if (kind == CORRELATION) {
        v4 scale = v4_mul(all, v4_mul(y, four)), small = v4_if_gt(v4_all(TINY), scale, v4_if_gt(x, zero, y));
        all = v4_add(v4_add(all, scale), v4_if_gt(small, zero, v4_all(INFINITY)));
    }
    return v4_clean(v4_sub(all, all));
}

/* The same for four blocks of `bars`, up to w, one in each lane; returns 0 where steps must take them. */
FC_INLINE int blocks4(const double *x, const double *y, ptrdiff_t w, ptrdiff_t bars, double *restrict out,
                      double *tails, pairs_kind kind) {
    const ptrdiff_t step = LANES * SUMS;
    const double *before_x = x - w, *before_y = y - w;
    v4 inverse = v4_all(1.0 / (double)w), x1, x2, y1, y2;
    four_pairs f = {v4_load_apart(x, bars), v4_load_apart(y, bars), no_sums()};
    ptrdiff_t t = w - 1;
    keep_tail(&f.sum, tails + step * t, kind);
    for (; t > 1; t -= 2) {
        v4_load_bars(before_x + t - 1, bars, &x1, &x2);
        v4_load_bars(before_y + t - 1, bars, &y1, &y2);
        pairs_tail(&f, x2, y2, tails + step * (t - 1), kind);
        pairs_tail(&f, x1, y1, tails + step * (t - 2), kind);
    }
    if (t > 0) {
        pairs_tail(&f, v4_load_apart(before_x + 1, bars), v4_load_apart(before_y + 1, bars), tails, kind);
    }
    f.sum = no_sums();
    for (t = 0; t + 2 <= bars; t += 2) {
        v4_load_bars(x + t, bars, &x1, &x2);
        v4_load_bars(y + t, bars, &y1, &y2);
        v4 one = pairs_head(&f, x1, y1, tails + step * t, inverse, kind);
        v4_store_bars(out + t, bars, one, pairs_head(&f, x2, y2, tails + step * (t + 1), inverse, kind));
    }
    if (t < bars) {
        x1 = v4_load_apart(x + t, bars);
        y1 = v4_load_apart(y + t, bars);
        v4_store_apart(out + t, bars, pairs_head(&f, x1, y1, tails + step * t, inverse, kind));
    }
    return in_range(v4_add(f.sum.xx, v4_load(tails + 8)), v4_add(f.sum.yy, v4_load(tails + 12)), kind);
}

FC_INLINE int pairs(const double *x, const double *y, ptrdiff_t n, ptrdiff_t w, double *restrict out, double *scratch,
                    pairs_kind kind) {
    ptrdiff_t b = 0, bars;
    for (; (bars = fc_block_bars(&b, n, w, 0, LANES)) > 0; b += LANES * bars) {
        if (!blocks4(x + b, y + b, w, bars, out + b, scratch, kind)) {
            return 1;
        }
    }
    for (; b < n; b += w) {
        block(x + b, y + b, n - b < w ? n - b : w, w, out + b, scratch, kind);
    }
    return 0;
}

/* ---- one bar: the block being filled, and the tails of the one before it ---- */

typedef struct {
    fc_ring ring;
    double base_x, base_y, head[SUMS]; /* of the block being filled */
    double tail_x, tail_y;             /* what the tails count from */
    double mem[];                      /* x and y of the block, then the tails of each sum */
} pairs_state;

static size_t pairs_size(const double *par) {
    return sizeof(pairs_state) + (2 + SUMS) * (size_t)par[0] * sizeof(double);
}
static void pairs_init(const double *par, void *state) {
    pairs_state *s = state;
    memset(s, 0, sizeof(*s));
    fc_ring_init(&s->ring, par[0]);
}
static int pairs_valid(const double *par, const void *state) {
    return fc_ring_valid(&((const pairs_state *)state)->ring, par[0]);
}
static void pairs_gap(void *state) {
    pairs_state *s = state;
    s->ring.at = s->ring.filled = 0;
}

static void fold(pairs_state *s) {
    int64_t w = s->ring.width;
    double sum[SUMS] = {0.0}, *x = s->mem, *y = s->mem + w, *to = s->mem + 2 * w;
    s->tail_x = x[w - 1];
    s->tail_y = y[w - 1];
    for (int64_t t = w - 1; t >= 0; t--) {
        for (int j = 0; j < SUMS; j++) {
            to[j * w + t] = sum[j];
        }
        distances1(x[t] - s->tail_x, y[t] - s->tail_y, sum);
    }
}

FC_INLINE double pairs_push(pairs_state *s, const double *in, int commit, pairs_kind kind) {
    int64_t w = s->ring.width, t = s->ring.at;
    double base_x = t == 0 ? in[0] : s->base_x, base_y = t == 0 ? in[1] : s->base_y, head[SUMS], all[SUMS];
    double result = NAN;
    for (int j = 0; j < SUMS; j++) {
        head[j] = t == 0 ? 0.0 : s->head[j];
    }
    distances1(in[0] - base_x, in[1] - base_y, head);
    if (s->ring.filled >= w - 1) {
        memcpy(all, head, sizeof(all));
        if (t < w - 1) { /* the tail's sums, about the head's base */
            const double *tail = s->mem + 2 * w + t;
            double n = (double)(w - 1 - t), sx = s->tail_x - base_x, sy = s->tail_y - base_y;
            double x = tail[0], y = tail[w];
            all[0] += x + n * sx;
            all[1] += y + n * sy;
            all[2] += tail[2 * w] + sx * (2.0 * x + n * sx);
            all[3] += tail[3 * w] + sy * (2.0 * y + n * sy);
            all[4] += tail[4 * w] + (sx * y + sy * (x + n * sx));
        }
        result = made1(all, 1.0 / (double)w, kind);
    }
    if (commit) {
        s->mem[t] = in[0];
        s->mem[w + t] = in[1];
        s->base_x = base_x;
        s->base_y = base_y;
        memcpy(s->head, head, sizeof(head));
        s->ring.at = t + 1;
        s->ring.filled += s->ring.filled < w;
        if (s->ring.at == w) {
            fold(s);
            s->ring.at = 0;
        }
    }
    return result;
}

#define PAIRS(op, KIND)                                                                                                \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        (void)carry;                                                                                                   \
        return pairs(in[0], in[1], n, (ptrdiff_t)par[0], out, scratch, KIND);                                          \
    }                                                                                                                  \
    static double op##_step(const double *par, void *state, const double *in, int commit) {                            \
        (void)par;                                                                                                     \
        return pairs_push(state, in, commit, KIND);                                                                    \
    }                                                                                                                  \
    const fc_operator FC(operator_##op) = {.name = #op,                                                                \
                                           .par = "p",                                                                 \
                                           .n_in = 2,                                                                  \
                                           .kind = FC_LOOK_BACK,                                                       \
                                           .lag = window_lag,                                                          \
                                           .scratch = pairs_scratch,                                                   \
                                           .block = op##_block,                                                        \
                                           .step = op##_step,                                                          \
                                           .size = pairs_size,                                                         \
                                           .init = pairs_init,                                                         \
                                           .valid = pairs_valid,                                                       \
                                           .gap = pairs_gap}
PAIRS(correlation, CORRELATION);
PAIRS(beta, BETA);
