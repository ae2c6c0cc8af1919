/* Weighted means and least-squares lines: whatever is linear in a window's values and in their places.
 *
 * With d the distances from a bar of the window, S their sum and W their sum with weights 1 to w, each result is
 * base * by + S * sum + W * rising. Windows are cut into blocks of their own length, as in kernels/window.c: a window is
 * the tail of one block and the head of the next.
 */
#include "indicators/kernels/blocks.h"
#include "indicators/operators/operator.h"
#include "indicators/operators/ring.h"

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

/* ---- one bar: the block being filled, and the tails of the one before it ---- */

typedef struct {
    fc_ring ring;
    double base, sum, own;     /* of the block being filled: its first bar, and the head's sums */
    double tail_base;          /* what the tails count from */
    double mem[];              /* the bars of the block; then the tails' sums; then their rising sums */
} lines_state;

static size_t lines_size(const double *par) { return sizeof(lines_state) + 3 * (size_t)par[0] * sizeof(double); }
static void lines_init(const double *par, void *state) {
    lines_state *s = state;
    memset(s, 0, sizeof(*s));
    fc_ring_init(&s->ring, par[0]);
}
static int lines_valid(const double *par, const void *state) {
    return fc_ring_valid(&((const lines_state *)state)->ring, par[0]);
}
static void lines_gap(void *state) {
    lines_state *s = state;
    s->ring.at = s->ring.filled = 0;
}

/* The block is full: its tails are folded from its end. */
static void fold(lines_state *s) {
    int64_t w = s->ring.width;
    double sum = 0.0, rise = 0.0, *sums = s->mem + w, *rising = s->mem + 2 * w;
    s->tail_base = s->mem[w - 1];
    sums[w - 1] = rising[w - 1] = 0.0;
    for (int64_t t = w - 1; t > 0; t--) {
        sum += s->mem[t] - s->tail_base;
        rise += sum;
        sums[t - 1] = sum;
        rising[t - 1] = rise;
    }
}

FC_INLINE double lines_push(lines_state *s, const weights *k, double x, int commit) {
    int64_t w = s->ring.width, t = s->ring.at;
    double base = t == 0 ? x : s->base, d = x - base;
    double sum = (t == 0 ? 0.0 : s->sum) + d, own = (t == 0 ? 0.0 : s->own) + d * (double)(t + 1), result = NAN;
    if (s->ring.filled >= w - 1) {
        double tail = (double)(w - 1 - t), all = sum, rises = own + sum * tail;
        if (t < w - 1) { /* the tail's sums, about the head's base */
            double shift = s->tail_base - base;
            all += s->mem[w + t] + tail * shift;
            rises += s->mem[2 * w + t] + shift * (tail * (tail + 1.0) / 2.0);
        }
        result = weigh(k, base, all, rises);
    }
    if (commit) {
        s->mem[t] = x;
        s->base = base;
        s->sum = sum;
        s->own = own;
        s->ring.at = t + 1;
        s->ring.filled += s->ring.filled < w;
        if (s->ring.at == w) {
            fold(s);
            s->ring.at = 0;
        }
    }
    return result;
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
    const fc_operator FC(operator_##op) = {.name = #op,                                                                \
                                           .par = kinds,                                                               \
                                           .n_in = 1,                                                                  \
                                           .kind = FC_LOOK_BACK,                                                       \
                                           .lag = window_lag,                                                          \
                                           .scratch = lines_scratch,                                                   \
                                           .block = op##_block,                                                        \
                                           .step = op##_step,                                                          \
                                           .size = lines_size,                                                         \
                                           .init = lines_init,                                                         \
                                           .valid = lines_valid,                                                       \
                                           .gap = lines_gap}
LINES(weighted, "p");
LINES(slope, "d");
LINES(line, "df");
