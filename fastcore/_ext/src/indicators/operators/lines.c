/* Weighted means and least-squares lines: whatever is linear in a window's values and in their places.
 *
 * With d the distances from a bar of the window, S their sum and W their sum with weights 1 to w, each result is
 * base * by + S * sum + W * rising. Windows are cut into blocks of their own length, as in kernels/window.c: a window is
 * the tail of one block and the head of the next.
 */
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

static ptrdiff_t lines_scratch(const double *par) { return 16 * (ptrdiff_t)par[0]; }

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

/* The same for `groups` times four whole blocks, one or two. */
FC_INLINE void blocks(const double *x, ptrdiff_t w, const weights *k, double *restrict out, double *sums,
                      double *rising, const int groups) {
    const ptrdiff_t step = 4 * groups;
    four_lines four[2];
    ptrdiff_t t = w - 1;
    v4 one, two;
    for (int g = 0; g < groups; g++) {
        four_lines *f = four + g;
        f->base = v4_load_apart(x + 4 * g * w, w);
        f->based = v4_mul(f->base, v4_all(k->base));
        f->sum = f->rise = f->own = v4_zero();
        v4_store(sums + step * t + 4 * g, f->sum);
        v4_store(rising + step * t + 4 * g, f->sum);
    }
    for (; t > 1; t -= 2) {
        for (int g = 0; g < groups; g++) {
            ptrdiff_t to = step * (t - 1) + 4 * g;
            v4_load_bars(x + (4 * g - 1) * w + t - 1, w, &one, &two);
            lines_tail(four + g, two, sums + to, rising + to);
            lines_tail(four + g, one, sums + to - step, rising + to - step);
        }
    }
    for (int g = 0; g < groups; g++) {
        if (t > 0) {
            lines_tail(four + g, v4_load_apart(x + (4 * g - 1) * w + 1, w), sums + 4 * g, rising + 4 * g);
        }
        four[g].sum = v4_zero();
    }
    double left = (double)(w - 1);
    for (t = 0; t + 2 <= w; t += 2, left -= 2.0) {
        for (int g = 0; g < groups; g++) {
            const double *sum = sums + step * t + 4 * g, *rise = rising + step * t + 4 * g;
            v4_load_bars(x + 4 * g * w + t, w, &one, &two);
            one = lines_head(four + g, one, k, (double)(t + 1), left, sum, rise);
            two = lines_head(four + g, two, k, (double)(t + 2), left - 1.0, sum + step, rise + step);
            v4_store_bars(out + 4 * g * w + t, w, one, two);
        }
    }
    for (int g = 0; g < groups && t < w; g++) {
        const double *sum = sums + step * t + 4 * g, *rise = rising + step * t + 4 * g;
        one = lines_head(four + g, v4_load_apart(x + 4 * g * w + t, w), k, (double)(t + 1), left, sum, rise);
        v4_store_apart(out + 4 * g * w + t, w, one);
    }
}

/* Results for n bars at x, which has w - 1 bars before it. */
static FC_NOINLINE int lines(const double *x, ptrdiff_t n, ptrdiff_t w, const weights *k, double *restrict out,
                             double *scratch) {
    if (w <= FEW) {
        return few(x, n, w, k, out);
    }
    ptrdiff_t b = 0;
    for (; b + 8 * w <= n; b += 8 * w) {
        blocks(x + b, w, k, out + b, scratch, scratch + 8 * w, 2);
    }
    for (; b + 4 * w <= n; b += 4 * w) {
        blocks(x + b, w, k, out + b, scratch, scratch + 4 * w, 1);
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
