/* Weighted means and least-squares lines: whatever is linear in a window's values and in their places.
 *
 * With d the distances from a bar of the window, S their sum and W their sum with weights 1 to w, each result is
 * base * by + S * sum + W * rising. Windows are cut into blocks of their own length, as in kernels/window.c: a window is
 * the tail of one block and the head of the next.
 */
#include "indicators/kernels/blocks.h"
#include "indicators/operators/operator.h"
#include "indicators/operators/window_lanes.h"

#define FEW 6 /* up to this width each window is weighed by itself */

typedef struct {
    double base, sum, rising;
} weights;

static ptrdiff_t window_lag(const double *par) { return (ptrdiff_t)par[0] - 1; }

FC_INLINE weights weighted_weights(const double *par) { return (weights){1.0, 0.0, 2.0 / (par[0] * (par[0] + 1.0))}; }
FC_INLINE weights slope_weights(const double *par) {
    double squares = par[0] * (par[0] * par[0] - 1.0) / 12.0;
    return (weights){0.0, -(par[0] + 1.0) / 2.0 / squares, 1.0 / squares};
}
FC_INLINE weights line_weights(const double *par) {
    weights slope = slope_weights(par);
    double from_middle = par[1] - (par[0] - 1.0) / 2.0;
    return (weights){1.0, 1.0 / par[0] + slope.sum * from_middle, slope.rising * from_middle};
}

FC_INLINE double weigh(const weights *k, double base, double sum, double rising) {
    return base * k->base + (sum * k->sum + rising * k->rising);
}

static int few(const double *x, ptrdiff_t n, ptrdiff_t w, const weights *k, double *restrict out) {
    double by[FEW];
    for (ptrdiff_t j = 1; j < w; j++) {
        by[j] = k->sum + k->rising * (double)(w - j);
    }
    ptrdiff_t i = 0;
    v4 kept = v4_all(k->base);
    for (; i + 4 <= n; i += 4) {
        v4 base = v4_load(x + i), sum = v4_zero();
        for (ptrdiff_t j = 1; j < w; j++) {
            sum = v4_add(sum, v4_mul(v4_sub(v4_load(x + i - j), base), v4_all(by[j])));
        }
        v4_store(out + i, v4_add(v4_mul(base, kept), sum));
    }
    for (; i < n; i++) {
        double sum = 0.0;
        for (ptrdiff_t j = 1; j < w; j++) {
            sum += (x[i - j] - x[i]) * by[j];
        }
        out[i] = x[i] * k->base + sum;
    }
    return 0;
}

static ptrdiff_t lines_scratch(const double *par) { return 2 * FC_BLOCKS * (ptrdiff_t)par[0]; }

/* Results for m bars at x, up to a whole block. sums[t] and rising[t] are of the last w - 1 - t of the bars before it. */
FC_INLINE void block(const double *x, ptrdiff_t m, ptrdiff_t w, const weights *k, double *out, double *sums,
                     double *rising) {
    double base = x[0], sum = 0.0, rise = 0.0, own = 0.0;
    const double *before = x - (w - 1);
    sums[w - 1] = rising[w - 1] = 0.0;
    for (ptrdiff_t t = w - 1; t > 0; t--) {
        sums[t - 1] = sum += before[t - 1] - base;
        rising[t - 1] = rise += sum;
    }
    sum = 0.0;
    for (ptrdiff_t t = 0; t < m; t++) {
        double d = x[t] - base;
        sum += d;
        own += d * (double)(t + 1);
        out[t] = weigh(k, base, sum + sums[t], (own + sum * (double)(w - 1 - t)) + rising[t]);
    }
}

/* What `blocks` keeps of four blocks, one in each lane. */
typedef struct {
    v4 base, based, sum, rise, own;
} four_lines;

FC_INLINE void lines_tail(four_lines *f, v4 x, double *sums, double *rising) {
    f->sum = v4_add(f->sum, v4_sub(x, f->base));
    f->rise = v4_add(f->rise, f->sum);
    v4_store(sums, f->sum);
    v4_store(rising, f->rise);
}

FC_INLINE v4 lines_head(four_lines *f, v4 x, const weights *k, double place, double left, const double *sums,
                        const double *rising) {
    v4 d = v4_sub(x, f->base);
    f->sum = v4_add(f->sum, d);
    f->own = v4_add(f->own, v4_mul(d, v4_all(place)));
    v4 all = v4_add(f->sum, v4_load(sums));
    v4 rises = v4_add(v4_add(f->own, v4_mul(f->sum, v4_all(left))), v4_load(rising));
    return v4_add(f->based, v4_add(v4_mul(all, v4_all(k->sum)), v4_mul(rises, v4_all(k->rising))));
}

FC_INLINE void lines_tail_bars(four_lines *f, const double *x, ptrdiff_t bars, double *sums, double *rising) {
    v4 one, two;
    v4_load_bars(x, bars, &one, &two);
    lines_tail(f, two, sums, rising);
    lines_tail(f, one, sums - FC_BLOCKS, rising - FC_BLOCKS);
}

FC_INLINE void lines_head_bars(four_lines *f, const double *x, ptrdiff_t bars, const weights *k, double place,
                               double left, const double *sums, const double *rising, double *out) {
    v4 one, two;
    v4_load_bars(x, bars, &one, &two);
    one = lines_head(f, one, k, place, left, sums, rising);
    two = lines_head(f, two, k, place + 1.0, left - 1.0, sums + FC_BLOCKS, rising + FC_BLOCKS);
    v4_store_bars(out, bars, one, two);
}

FC_INLINE four_lines lines_begin(const double *x, ptrdiff_t bars, const weights *k) {
    v4 base = v4_load_apart(x, bars), zero = v4_zero();
    return (four_lines){base, v4_mul(base, v4_all(k->base)), zero, zero, zero};
}

/* The same for FC_BLOCKS blocks of `bars`, up to w. */
FC_INLINE void blocks(const double *x, ptrdiff_t w, ptrdiff_t bars, const weights *k, double *restrict out,
                      double *sums, double *rising) {
    const ptrdiff_t step = FC_BLOCKS, group = 4 * bars;
    const double *before = x - w;
    four_lines a = lines_begin(x, bars, k), b = lines_begin(x + group, bars, k);
    double place = 1.0, left = (double)(w - 1);
    ptrdiff_t t = w - 1;
    for (int g = 0; g < FC_BLOCKS; g += 4) {
        v4_store(sums + step * t + g, v4_zero());
        v4_store(rising + step * t + g, v4_zero());
    }
    for (; t > 1; t -= 2) {
        double *sum = sums + step * (t - 1), *rise = rising + step * (t - 1);
        lines_tail_bars(&a, before + t - 1, bars, sum, rise);
        lines_tail_bars(&b, before + group + t - 1, bars, sum + 4, rise + 4);
    }
    if (t > 0) {
        lines_tail(&a, v4_load_apart(before + 1, bars), sums, rising);
        lines_tail(&b, v4_load_apart(before + group + 1, bars), sums + 4, rising + 4);
    }
    a.sum = b.sum = v4_zero();
    for (t = 0; t + 2 <= bars; t += 2, place += 2.0, left -= 2.0) {
        const double *sum = sums + step * t, *rise = rising + step * t;
        fc_ask_ahead(x + step * t, out + step * t);
        fc_ask_ahead(x + step * (t + 1), out + step * (t + 1));
        lines_head_bars(&a, x + t, bars, k, place, left, sum, rise, out + t);
        lines_head_bars(&b, x + group + t, bars, k, place, left, sum + 4, rise + 4, out + group + t);
    }
    if (t < bars) {
        const double *sum = sums + step * t, *rise = rising + step * t;
        v4 one = v4_load_apart(x + t, bars), two = v4_load_apart(x + group + t, bars);
        v4_store_apart(out + t, bars, lines_head(&a, one, k, place, left, sum, rise));
        v4_store_apart(out + group + t, bars, lines_head(&b, two, k, place, left, sum + 4, rise + 4));
    }
}

/* Results for n bars at x, which has w - 1 bars before it. */
static FC_NOINLINE int lines(const double *x, ptrdiff_t n, ptrdiff_t w, const weights *k, double *restrict out,
                             double *scratch) {
    if (w <= FEW) {
        return few(x, n, w, k, out);
    }
    ptrdiff_t b = 0, bars;
    for (; (bars = fc_block_bars(&b, n, w, 0, FC_BLOCKS)) > 0; b += FC_BLOCKS * bars) {
        blocks(x + b, w, bars, k, out + b, scratch, scratch + FC_BLOCKS * w);
    }
    for (; b < n; b += w) {
        block(x + b, n - b < w ? n - b : w, w, k, out + b, scratch, scratch + w);
    }
    return 0;
}

/* ---- one bar: a window of kernels/stages.h. A sum is of distances, a rise is of them times 1, 2, ... from the first ---- */

typedef struct {
    fc_window window;
    double base, sum, rise;       /* of the block being filled, from its first bar */
    double whole, whole_rise;     /* of the block before it, from the same bar */
    double tail_base, fold_base;  /* the last bars of the tails' block, and of the one being folded into tails */
    double mem[];                 /* bars, and sums of tails in their places; then rises of tails */
} lines_state;

static size_t lines_size(const double *par) {
    return sizeof(lines_state) + 2 * fc_window_room(par[0]) * sizeof(double);
}
static void lines_init(const double *par, void *state) {
    memset(state, 0, lines_size(par));
    fc_window_init(&((lines_state *)state)->window, par[0]);
}
static int lines_valid(const double *par, const void *state) {
    return fc_window_valid(&((const lines_state *)state)->window, par[0]);
}

FC_INLINE double triangle(double n) { return n * (n + 1.0) / 2.0; }

static FC_NOINLINE double lines_push(lines_state *s, const weights *k, double x, int commit) {
    int32_t w = s->window.width, m = s->window.block, at, second;
    fc_window_turn(&s->window, &at, &second);
    double *now = fc_window_half(s->mem, m, second), *before = fc_window_half(s->mem, m, !second);
    double *now2 = now + 2 * m, *before2 = before + 2 * m, result = NAN;
    int32_t step = second ? -2 : 2, tail = 2 * m - w + at + 1;
    double base = s->base, sum = s->sum, rise = s->rise, whole = s->whole, whole_rise = s->whole_rise;
    double tail_base = s->tail_base, fold_base = s->fold_base, left = (double)(m - tail);
    if (at == 0) {
        double shift = base - x;
        whole = sum + (double)m * shift;
        whole_rise = rise + shift * triangle((double)m);
        base = x;
        sum = rise = 0.0;
        tail_base = fold_base;
        fold_base = before[(1 - m) * step];
    } else {
        double d = x - base;
        sum += d;
        rise += d * (double)(at + 1);
    }
    if (s->window.filled >= w - 1) {
        double all = sum, rises = rise + sum * ((double)m + left);
        if (w > 1) {
            all += whole;
            rises += whole_rise + whole * left;
        }
        if (tail < m) {
            double shift = tail_base - base;
            all += now[tail * step] + left * shift;
            rises += now2[tail * step] + shift * triangle(left);
        }
        result = weigh(k, base, all, rises);
    }
    if (commit) {
        int32_t fold = (at + 1 - m) * step; /* of bar m - 1 - at; of the bar after it, fold - step */
        double d = at == 0 ? 0.0 : before[fold] - fold_base;
        before[fold] = at == 0 ? 0.0 : before[fold - step] + d;
        before2[fold] = at == 0 ? 0.0 : before2[fold - step] + before[fold];
        now[at * step] = x;
        s->base = base;
        s->sum = sum;
        s->rise = rise;
        s->whole = whole;
        s->whole_rise = whole_rise;
        s->tail_base = tail_base;
        s->fold_base = fold_base;
        fc_window_commit(&s->window, at, second);
    }
    return result;
}

static void lines_gap(void *state) { /* takes its place in the window */
    const weights none = {0.0, 0.0, 0.0};
    lines_push(state, &none, NAN, 1);
    fc_window_gap(&((lines_state *)state)->window);
}

/* ---- the same for symbols side by side ---- */

#define LINES_ROWS 7

static ptrdiff_t lines_rows(const double *par) { return LINES_ROWS + 2 * halves_places(par); }

typedef struct {
    double *base, *sum, *rise, *whole, *whole_rise, *tail_base, *fold_base;
} lines_rows_of;

/* `off`: from a row of bars to that of the rises. */
FC_INLINE double lines_lane(const fc_halves *h, const lines_rows_of *s, const weights *k, ptrdiff_t i, double x,
                            double width, double block, ptrdiff_t off, int begins, int has_tail) {
    double base = s->base[i], sum = s->sum[i], rise = s->rise[i], tail_base = s->tail_base[i], all, rises;
    if (begins) {
        double shift = base - x;
        s->whole[i] = sum + block * shift;
        s->whole_rise[i] = rise + shift * triangle(block);
        s->base[i] = base = x;
        sum = rise = 0.0;
        s->tail_base[i] = tail_base = s->fold_base[i];
        s->fold_base[i] = h->fold[i];
        h->fold[i] = (h->fold + off)[i] = 0.0;
    } else {
        double d = x - base, folded = h->folded[i] + (h->fold[i] - s->fold_base[i]);
        sum += d;
        rise += d * (width - block - h->tail_bars);
        (h->fold + off)[i] = (h->folded + off)[i] + folded;
        h->fold[i] = folded;
    }
    s->sum[i] = sum;
    s->rise[i] = rise;
    all = sum + s->whole[i];
    rises = (rise + sum * (block + h->tail_bars)) + (s->whole_rise[i] + s->whole[i] * h->tail_bars);
    if (has_tail) {
        double shift = tail_base - base;
        all += h->tail[i] + h->tail_bars * shift;
        rises += (h->tail + off)[i] + shift * triangle(h->tail_bars);
    }
    h->now[i] = x;
    return weigh(k, base, all, rises);
}

#define lines_LANE(i, begins, has_tail)                                                                                \
    out[i] = lines_lane(&h, &s, &by, i, fc_or_missing(x[i]), w, block, off, begins, has_tail)

static FC_NOINLINE void lines_across(const double *par, const weights *k, const fc_lanes *l, const double *const *in,
                                     double *out, ptrdiff_t n) {
    const double w = par[0], block = (double)fc_block_of((ptrdiff_t)par[0]);
    const ptrdiff_t off = halves_places(par) * l->pitch;
    const weights by = *k; /* what the compiler knows not to be written to */
    const lines_rows_of s = {fc_row(l, 0), fc_row(l, 1), fc_row(l, 2), fc_row(l, 3),
                             fc_row(l, 4), fc_row(l, 5), fc_row(l, 6)};
    if (ONE(par)) {
        for (ptrdiff_t i = 0; i < n; i++) {
            out[i] = fc_or_missing(in[0][i]) * k->base;
        }
        return;
    }
    HALVES(fc_row(l, LINES_ROWS), lines_LANE)
}

#define LINES(op, kinds)                                                                                               \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        weights k = op##_weights(par);                                                                                 \
        (void)carry;                                                                                                   \
        return lines(in[0], n, (ptrdiff_t)par[0], &k, out, scratch);                                                   \
    }                                                                                                                  \
    static double op##_step(const double *par, void *state, const double *in, int commit) {                            \
        weights k = op##_weights(par);                                                                                 \
        return lines_push(state, &k, in[0], commit);                                                                   \
    }                                                                                                                  \
    static void op##_across(const double *par, const fc_lanes *l, const double *const *in, double *out, ptrdiff_t n) { \
        weights k = op##_weights(par);                                                                                 \
        lines_across(par, &k, l, in, out, n);                                                                          \
    }                                                                                                                  \
    const fc_operator FC(operator_##op) = {.name = #op,                                                                \
                                           .par = kinds,                                                               \
                                           .n_in = 1,                                                                  \
                                           .kind = FC_LOOK_BACK,                                                       \
                                           .lag = window_lag,                                                          \
                                           .scratch = lines_scratch,                                                   \
                                           .nan = FC_NAN_SHOWN,                                                        \
                                           .block = op##_block,                                                        \
                                           .step = op##_step,                                                          \
                                           .size = lines_size,                                                         \
                                           .init = lines_init,                                                         \
                                           .valid = lines_valid,                                                       \
                                           .gap = lines_gap,                                                           \
                                           .across = op##_across,                                                      \
                                           .rows = lines_rows,                                                         \
                                           .places = halves_places}
LINES(weighted, "p");
LINES(slope, "d");
LINES(line, "df");
