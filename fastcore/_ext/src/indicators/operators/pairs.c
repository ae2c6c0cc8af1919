/* Operators over a window of two series: what moves with what. Windows are cut into blocks as in kernels/window.c. */
#include <float.h>

#include "indicators/operators/operator.h"
#include "indicators/operators/ring.h"

#define SUMS 5 /* of the distances from a bar of the window: x, y, their squares, their products */
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
FC_INLINE void distances4(v4 dx, v4 dy, v4 *d, pairs_kind kind) {
    d[0] = v4_add(d[0], dx);
    d[1] = v4_add(d[1], dy);
    d[2] = v4_add(d[2], v4_mul(dx, dx));
    d[3] = kind == BETA ? d[3] : v4_add(d[3], v4_mul(dy, dy)); /* which it does not need */
    d[4] = v4_add(d[4], v4_mul(dx, dy));
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

FC_INLINE v4 made4(const v4 *s, v4 inverse, pairs_kind kind) {
    v4 zero = v4_zero(), one = v4_all(1.0), mean_x = v4_mul(s[0], inverse);
    v4 products = v4_sub(s[4], v4_mul(mean_x, s[1]));
    v4 squares_x = v4_max(v4_sub(s[2], v4_mul(mean_x, s[0])), zero), scale = squares_x, root = squares_x;
    if (kind == CORRELATION) {
        v4 squares_y = v4_max(v4_sub(s[3], v4_mul(v4_mul(s[1], inverse), s[1])), zero);
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

/* Whether the squares of whole blocks, x and y, and their products are in range, and so those of each window in them. */
FC_INLINE int in_range(v4 x, v4 y, pairs_kind kind) {
    v4 zero = v4_zero(), four = v4_all(4.0), all = v4_mul(x, four);
    if (kind == CORRELATION) {
        v4 scale = v4_mul(all, v4_mul(y, four)), small = v4_if_gt(v4_all(TINY), scale, v4_if_gt(x, zero, y));
        all = v4_add(v4_add(all, scale), v4_if_gt(small, zero, v4_all(INFINITY)));
    }
    return v4_clean(v4_sub(all, all));
}

FC_INLINE void keep_tails(double *tails, ptrdiff_t t, const v4 *sum, pairs_kind kind) {
    for (int j = 0; j < SUMS; j++) {
        if (kind == CORRELATION || j != 3) {
            v4_store(tails + 4 * (SUMS * t + j), sum[j]);
        }
    }
}

/* The same for four whole blocks, one in each lane; returns 0 where steps must take them. */
FC_INLINE int blocks4(const double *x, const double *y, ptrdiff_t w, double *restrict out, double *tails,
                      pairs_kind kind) {
    v4 sum[SUMS], all[SUMS], inverse = v4_all(1.0 / (double)w), base_x = v4_load_apart(x, w);
    v4 base_y = v4_load_apart(y, w);
    const double *before_x = x - (w - 1), *before_y = y - (w - 1);
    for (int j = 0; j < SUMS; j++) {
        sum[j] = all[j] = v4_zero();
    }
    keep_tails(tails, w - 1, sum, kind);
    for (ptrdiff_t t = w - 1; t > 0; t -= 2) {
        v4 bx[2], by[2];
        if (t > 1) {
            v4_load_bars(before_x + t - 2, w, bx + 1, bx);
            v4_load_bars(before_y + t - 2, w, by + 1, by);
        } else {
            bx[0] = v4_load_apart(before_x, w);
            by[0] = v4_load_apart(before_y, w);
        }
        for (int j = 0; j < (t > 1 ? 2 : 1); j++) {
            distances4(v4_sub(bx[j], base_x), v4_sub(by[j], base_y), sum, kind);
            keep_tails(tails, t - 1 - j, sum, kind);
        }
    }
    for (int j = 0; j < SUMS; j++) {
        sum[j] = v4_zero();
    }
    for (ptrdiff_t t = 0; t < w; t += 2) {
        v4 bx[2], by[2], made[2];
        int pair = t + 2 <= w;
        if (pair) {
            v4_load_bars(x + t, w, bx, bx + 1);
            v4_load_bars(y + t, w, by, by + 1);
        } else {
            bx[0] = v4_load_apart(x + t, w);
            by[0] = v4_load_apart(y + t, w);
        }
        for (int b = 0; b < (pair ? 2 : 1); b++) {
            distances4(v4_sub(bx[b], base_x), v4_sub(by[b], base_y), sum, kind);
            for (int j = 0; j < SUMS; j++) {
                if (kind == CORRELATION || j != 3) {
                    all[j] = v4_add(sum[j], v4_load(tails + 4 * (SUMS * (t + b) + j)));
                }
            }
            made[b] = made4(all, inverse, kind);
        }
        if (pair) {
            v4_store_bars(out + t, w, made[0], made[1]);
        } else {
            v4_store_apart(out + t, w, made[0]);
        }
    }
    return in_range(v4_add(sum[2], v4_load(tails + 4 * 2)), v4_add(sum[3], v4_load(tails + 4 * 3)), kind);
}

FC_INLINE int pairs(const double *x, const double *y, ptrdiff_t n, ptrdiff_t w, double *restrict out, double *scratch,
                    pairs_kind kind) {
    ptrdiff_t b = 0;
    for (; b + 4 * w <= n; b += 4 * w) {
        if (!blocks4(x + b, y + b, w, out + b, scratch, kind)) {
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
