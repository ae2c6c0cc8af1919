/* Operators over a window of two series: what moves with what. Windows are cut into blocks as in kernels/window.c. */
#include <float.h>

#include "indicators/kernels/blocks.h"
#include "indicators/operators/operator.h"
#include "indicators/operators/window_lanes.h"

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

/* Of the distances from the means. */
typedef struct {
    double products, squares_x, squares_y;
} spread;

FC_INLINE spread spread_of(const double *s, double inverse) {
    double mean_x = s[0] * inverse;
    return (spread){s[4] - mean_x * s[1], s[2] - mean_x * s[0], s[3] - s[1] * inverse * s[1]};
}
FC_INLINE double of_spread(spread of, pairs_kind kind) {
    double x = of.squares_x, y = kind == BETA ? 1.0 : of.squares_y, scale = x * y, apart = sqrt(x) * sqrt(y);
    double root = kind == BETA ? x : (scale > TINY) & (scale <= DBL_MAX) ? sqrt(scale) : apart;
    double quotient = of.products / root, result = (x > 0.0) & (y > 0.0) ? quotient : 0.0;
    return fc_finite(x + y) ? result : NAN;
}
FC_INLINE double made1(const double *s, double inverse, pairs_kind kind) {
    return of_spread(spread_of(s, inverse), kind);
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
        v4 scale = v4_mul(all, v4_mul(y, four)), tiny = v4_if_gt(v4_all(TINY), scale, v4_if_gt(x, zero, y));
        all = v4_add(v4_add(all, scale), v4_if_gt(tiny, zero, v4_all(INFINITY)));
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

/* ---- one bar: a window of kernels/stages.h, whose sums are of distances from a bar's x and y ---- */

typedef struct {
    fc_window window;
    double base_x, base_y, head[SUMS], whole[SUMS]; /* from the first bar of the block being filled */
    double tail_x, tail_y, fold_x,
        fold_y; /* the last bars of the tails' block, and of the one being folded into tails */
    double mem[]; /* x and y of bars, and sums of tails in their places; then the other sums of tails */
} pairs_state;

static size_t pairs_size(const double *par) {
    return sizeof(pairs_state) + SUMS * fc_window_room(par[0]) * sizeof(double);
}
static void pairs_init(const double *par, void *state) {
    memset(state, 0, pairs_size(par));
    fc_window_init(&((pairs_state *)state)->window, par[0]);
}
static int pairs_valid(const double *par, const void *state) {
    return fc_window_valid(&((const pairs_state *)state)->window, par[0]);
}

/* Adds the sums of n bars about a bar that is (sx, sy) away. */
FC_INLINE void join(double *to, const double *from, double n, double sx, double sy) {
    double x = from[0], y = from[1];
    to[0] += x + n * sx;
    to[1] += y + n * sy;
    to[2] += from[2] + sx * (2.0 * x + n * sx);
    to[3] += from[3] + sy * (2.0 * y + n * sy);
    to[4] += from[4] + (sx * y + sy * (x + n * sx));
}

static FC_NOINLINE double pairs_push(pairs_state *s, const double *in, int commit, pairs_kind kind) {
    int32_t w = s->window.width, m = s->window.block, at, second;
    fc_window_turn(&s->window, &at, &second);
    double *now = fc_window_half(s->mem, m, second), *before = fc_window_half(s->mem, m, !second);
    int32_t step = second ? -2 : 2, tail = 2 * m - w + at + 1;
    ptrdiff_t plane = 2 * m;
    pairs_state next = *s;
    double result = NAN, all[SUMS], part[SUMS];
    if (at == 0) {
        memset(next.whole, 0, sizeof(next.whole));
        memset(next.head, 0, sizeof(next.head));
        join(next.whole, s->head, (double)m, s->base_x - in[0], s->base_y - in[1]);
        next.base_x = in[0];
        next.base_y = in[1];
        next.tail_x = s->fold_x;
        next.tail_y = s->fold_y;
        next.fold_x = before[(1 - m) * step];
        next.fold_y = before[(1 - m) * step + plane];
    } else {
        distances1(in[0] - next.base_x, in[1] - next.base_y, next.head);
    }
    if (s->window.filled >= w - 1) {
        for (int j = 0; j < SUMS; j++) {
            all[j] = w > 1 ? next.head[j] + next.whole[j] : next.head[j];
            part[j] = tail < m ? now[tail * step + j * plane] : 0.0;
        }
        if (tail < m) {
            join(all, part, (double)(m - tail), next.tail_x - next.base_x, next.tail_y - next.base_y);
        }
        result = made1(all, 1.0 / (double)w, kind);
    }
    if (commit) {
        int32_t fold = (at + 1 - m) * step; /* of bar m - 1 - at; of the bar after it, fold - step */
        for (int j = 0; j < SUMS; j++) {
            part[j] = at == 0 ? 0.0 : before[fold - step + j * plane];
        }
        if (at > 0) {
            distances1(before[fold] - next.fold_x, before[fold + plane] - next.fold_y, part);
        }
        for (int j = 0; j < SUMS; j++) {
            before[fold + j * plane] = part[j];
        }
        now[at * step] = in[0];
        now[at * step + plane] = in[1];
        *s = next;
        fc_window_commit(&s->window, at, second);
    }
    return result;
}

static void pairs_gap(void *state) { /* takes its place in the window */
    const double missing[2] = {NAN, NAN};
    pairs_push(state, missing, 1, BETA);
    fc_window_gap(&((pairs_state *)state)->window);
}

/* ---- the same for symbols side by side ---- */

/* The last two of them are what the products, which are in the output meanwhile, are divided by. */
enum {
    BASE_X,
    BASE_Y,
    TAIL_X,
    TAIL_Y,
    FOLD_X,
    FOLD_Y,
    HEAD,
    WHOLE = HEAD + SUMS,
    BY_X = WHOLE + SUMS,
    BY_Y,
    PAIRS_ROWS
};

static ptrdiff_t pairs_rows(const double *par) { return PAIRS_ROWS + SUMS * halves_places(par); }

/* What one lane works with: rows[k * pitch] are its sums; `off` is from a row of bars to that of the next sum. */
typedef struct {
    double *rows;
    ptrdiff_t pitch, off;
    double inverse, block;
} pairs_lanes;

FC_INLINE double pairs_lane(const fc_halves *h, const pairs_lanes *p, ptrdiff_t i, double x, double y, int begins,
                            int has_tail) {
    double *row = p->rows + i, head[SUMS], whole[SUMS], all[SUMS], part[SUMS];
    const ptrdiff_t pitch = p->pitch, off = p->off;
    double base_x = row[BASE_X * pitch], base_y = row[BASE_Y * pitch];
    double tail_x = row[TAIL_X * pitch], tail_y = row[TAIL_Y * pitch];
    double fold_x = row[FOLD_X * pitch], fold_y = row[FOLD_Y * pitch];
    for (int j = 0; j < SUMS; j++) {
        head[j] = row[(HEAD + j) * pitch];
        whole[j] = begins ? 0.0 : row[(WHOLE + j) * pitch];
        part[j] = begins ? 0.0 : h->folded[i + j * off];
    }
    if (begins) {
        join(whole, head, p->block, base_x - x, base_y - y);
        row[BASE_X * pitch] = base_x = x;
        row[BASE_Y * pitch] = base_y = y;
        row[TAIL_X * pitch] = tail_x = fold_x;
        row[TAIL_Y * pitch] = tail_y = fold_y;
        row[FOLD_X * pitch] = h->fold[i];
        row[FOLD_Y * pitch] = h->fold[i + off];
        for (int j = 0; j < SUMS; j++) {
            head[j] = 0.0;
            row[(WHOLE + j) * pitch] = whole[j];
        }
    } else {
        distances1(x - base_x, y - base_y, head);
        distances1(h->fold[i] - fold_x, h->fold[i + off] - fold_y, part);
    }
    for (int j = 0; j < SUMS; j++) {
        row[(HEAD + j) * pitch] = head[j];
        h->fold[i + j * off] = part[j];
        all[j] = head[j] + whole[j];
    }
    if (has_tail) {
        for (int j = 0; j < SUMS; j++) {
            part[j] = h->tail[i + j * off];
        }
        join(all, part, h->tail_bars, tail_x - base_x, tail_y - base_y);
    }
    h->now[i] = x;
    h->now[i + off] = y;
    spread of = spread_of(all, p->inverse);
    row[BY_X * pitch] = of.squares_x;
    row[BY_Y * pitch] = of.squares_y;
    return all[0] == all[0] ? of.products : NAN;
}

/* x, where the bar has y too. */
FC_INLINE double with(double x, double y) { return (x - x) + (y - y) == 0.0 ? x : NAN; }

#define pairs_LANE(i, begins, has_tail)                                                                                \
    out[i] = pairs_lane(&h, &p, i, with(x[i], y[i]), with(y[i], x[i]), begins, has_tail)

static FC_NOINLINE void all_lanes(const double *par, const fc_lanes *l, const double *const *in, double *restrict out,
                                  ptrdiff_t n) {
    const double *restrict y = in[1];
    const pairs_lanes p = {l->rows, l->pitch, halves_places(par) * l->pitch, 1.0 / par[0],
                           (double)fc_block_of((ptrdiff_t)par[0])};
    HALVES(fc_row(l, PAIRS_ROWS), pairs_LANE)
}

FC_INLINE void pairs_across(const double *par, const fc_lanes *l, const double *const *in, double *restrict out,
                            ptrdiff_t n, pairs_kind kind) {
    const double *restrict by_x = fc_row(l, BY_X), *restrict by_y = fc_row(l, BY_Y);
    if (ONE(par)) {
        for (ptrdiff_t i = 0; i < n; i++) {
            out[i] = with(in[0][i], in[1][i]) * 0.0 + 0.0; /* of one bar: 0 */
        }
        return;
    }
    all_lanes(par, l, in, out, n);
    for (ptrdiff_t i = 0; i < n; i++) {
        double products = out[i], result = of_spread((spread){products, by_x[i], by_y[i]}, kind);
        out[i] = products == products ? result : products;
    }
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
    static void op##_across(const double *par, const fc_lanes *l, const double *const *in, double *out, ptrdiff_t n) { \
        pairs_across(par, l, in, out, n, KIND);                                                                        \
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
                                           .gap = pairs_gap,                                                           \
                                           .across = op##_across,                                                      \
                                           .rows = pairs_rows,                                                         \
                                           .places = halves_places}
PAIRS(correlation, CORRELATION);
PAIRS(beta, BETA);
