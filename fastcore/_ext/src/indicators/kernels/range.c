/* min, max, stoch, atr: what is made of highs and lows. */
#include "indicators/kernels/stages.h"

/* ---- min, max ---- */

typedef struct {
    fc_extremum extremum;
    double mem[];
} extremum_state;

static ptrdiff_t extremum_lookback(const double *par) { return (ptrdiff_t)par[0] - 1; }
static ptrdiff_t extremum_scratch(const double *par) { return fc_window_scratch(par[0]); }
static size_t extremum_size(const double *par) {
    return sizeof(extremum_state) + fc_window_room(par[0]) * sizeof(double);
}
static void extremum_init(const double *par, void *state) {
    fc_extremum_init(&((extremum_state *)state)->extremum, par[0]);
}
static int extremum_valid(const double *par, const void *state) {
    return fc_window_valid(&((const extremum_state *)state)->extremum.window, par[0]);
}
#define EXTREMUM_GAP(s) fc_window_gap(&(s)->extremum.window)
#define EXTREMUM_AHEAD(s, bytes) fc_window_ahead(&(s)->extremum.window, (s)->mem, bytes)

#define EXTREMUM(name)                                                                                                 \
    static int name##_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n,               \
                            double *scratch) {                                                                         \
        ptrdiff_t w = (ptrdiff_t)par[0];                                                                               \
        fc_missing(out[0], w - 1);                                                                                     \
        return FC(roll_##name)(in[0], n, w, out[0], scratch);                                                          \
    }                                                                                                                  \
    FC_INLINE void name##_step(extremum_state *s, const double *in, double *out, int commit) {                         \
        out[0] = fc_push_##name(&s->extremum, s->mem, in[0], commit);                                                  \
    }                                                                                                                  \
    FC_STREAM(name, extremum_state, 1, 1, name##_step, EXTREMUM_GAP, EXTREMUM_AHEAD)

#define min_policy fc_by_window
#define min_lookback extremum_lookback
#define min_scratch extremum_scratch
#define min_size extremum_size
#define min_init extremum_init
#define min_valid extremum_valid
EXTREMUM(min)
FC_KERNEL(min, "p", 1, 1);

#define max_policy fc_by_window
#define max_lookback extremum_lookback
#define max_scratch extremum_scratch
#define max_size extremum_size
#define max_init extremum_init
#define max_valid extremum_valid
EXTREMUM(max)
FC_KERNEL(max, "p", 1, 1);

/* ---- atr ---- */

typedef struct {
    fc_ema range;
    double close; /* of the bar before */
    int64_t begun;
} atr_state;

#define atr_policy recurrence
static ptrdiff_t atr_lookback(const double *par) { return (ptrdiff_t)par[0]; }
static ptrdiff_t atr_scratch(const double *par) {
    (void)par;
    return 0;
}

FC_INLINE double true_range(double high, double low, double close) {
    double range = high - low, up = fabs(high - close), down = fabs(low - close);
    range = FC_GREATER(range, up);
    return FC_GREATER(range, down);
}

/* out[i] = true range of bars i and i - 1, for i from 0; adds to bad what is not finite */
FC_INLINE v4 true_ranges(const double *high, const double *low, const double *close, double *out, ptrdiff_t n, v4 bad) {
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4) {
        v4 h = v4_load(high + i), l = v4_load(low + i), before = v4_load(close + i - 1);
        v4 range = v4_max(v4_sub(h, l), v4_abs(v4_sub(h, before)));
        range = v4_max(range, v4_abs(v4_sub(l, before)));
        bad = v4_add(bad, v4_sub(v4_add(v4_sub(h, h), v4_sub(l, l)), v4_sub(before, before)));
        v4_store(out + i, range);
    }
    for (; i < n; i++) {
        double h = high[i], l = low[i], before = close[i - 1];
        bad = v4_add(bad, v4_all((h - h) + (l - l) + (before - before)));
        out[i] = true_range(h, l, before);
    }
    return bad;
}

static int atr_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    ptrdiff_t p = (ptrdiff_t)par[0];
    const double *high = in[0], *low = in[1], *close = in[2];
    double *to = out[0], edge = (high[0] - high[0]) + (low[0] - low[0]) + (close[n - 1] - close[n - 1]);
    fc_average average;
    (void)scratch;
    v4 bad = true_ranges(high + 1, low + 1, close + 1, to + 1, p, v4_zero());
    FC(average_begin)(&average, (par[0] - 1.0) / par[0], to + 1, p);
    to[p] = average.before + average.apart;
    for (ptrdiff_t from = p + 1; from < n; from += FC_TILE) {
        ptrdiff_t m = n - from < FC_TILE ? n - from : FC_TILE;
        bad = true_ranges(high + from, low + from, close + from, to + from, m, bad);
        if (FC(average_run)(&average, to + from, to + from, m) || !v4_clean(bad)) {
            return 1;
        }
    }
    fc_missing(to, p);
    return !(v4_clean(bad) && edge == 0.0 && fc_finite(average.apart));
}

static size_t atr_size(const double *par) {
    (void)par;
    return sizeof(atr_state);
}
static void atr_init(const double *par, void *state) {
    atr_state *s = state;
    fc_ema_init(&s->range, par[0], (par[0] - 1.0) / par[0], 0.0);
    s->close = 0.0;
    s->begun = 0;
}
static int atr_valid(const double *par, const void *state) {
    return fc_ema_valid(&((const atr_state *)state)->range, par[0], (par[0] - 1.0) / par[0], 0.0);
}

FC_INLINE void atr_step(atr_state *s, const double *in, double *out, int commit) {
    out[0] = s->begun ? fc_push_ema(&s->range, true_range(in[0], in[1], s->close), commit) : NAN;
    if (commit) {
        s->close = in[2];
        s->begun = 1;
    }
}

FC_STREAM(atr, atr_state, 3, 1, atr_step, FC_SKIP, FC_NO_MORE)
FC_KERNEL(atr, "p", 3, 1);

/* ---- supertrend: what the operators of its definition give, in one pass ---- */

typedef struct {
    atr_state range;
    double multiplier, lower, upper; /* the stops, infinitely far before the first bar */
    int64_t up;                      /* 1 or 0; -1 before the first bar */
} supertrend_state;

#define supertrend_policy recurrence
#define supertrend_lookback atr_lookback
#define supertrend_scratch atr_scratch

static size_t supertrend_size(const double *par) {
    (void)par;
    return sizeof(supertrend_state);
}
static void supertrend_init(const double *par, void *state) {
    supertrend_state *s = state;
    atr_init(par, &s->range);
    s->multiplier = par[1];
    s->lower = -INFINITY;
    s->upper = INFINITY;
    s->up = -1;
}
static int supertrend_valid(const double *par, const void *state) {
    const supertrend_state *s = state;
    return atr_valid(par, &s->range) && s->multiplier == par[1] && s->up >= -1 && s->up <= 1;
}

/* A stop moves towards the price only, unless the price before has passed it. No branches: that comes at random. */
FC_INLINE v4 stop_below(v4 stop, v4 candidate, v4 before) {
    return v4_max(candidate, v4_sub(stop, v4_if_gt(stop, before, v4_all(INFINITY))));
}
FC_INLINE v4 stop_above(v4 stop, v4 candidate, v4 before) {
    return v4_min(candidate, v4_add(stop, v4_if_gt(before, stop, v4_all(INFINITY))));
}
FC_INLINE double either(int64_t first, double a, double b) {
    uint64_t x, y, mask = 0 - (uint64_t)first;
    memcpy(&x, &a, sizeof(x));
    memcpy(&y, &b, sizeof(y));
    x = (x & mask) | (y & ~mask);
    memcpy(&a, &x, sizeof(a));
    return a;
}

static int supertrend_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n,
                            double *scratch) {
    ptrdiff_t p = (ptrdiff_t)par[0];
    const double *high = in[0], *low = in[1], *close = in[2];
    v4 lower = v4_all(-INFINITY), upper = v4_all(INFINITY);
    double bad = 0.0;
    int64_t up = 1;
    if (atr_batch(par, in, out, n, scratch)) {
        return 1;
    }
    for (ptrdiff_t i = p; i < n; i++) {
        double middle = (high[i] + low[i]) * 0.5, width = par[1] * out[0][i];
        v4 before = v4_all(close[i - 1]);
        double below_price = middle - width;
        bad += below_price - below_price;
        lower = stop_below(lower, v4_all(below_price), before);
        upper = stop_above(upper, v4_all(middle + width), before);
        double floor = v4_one(lower), roof = v4_one(upper);
        int64_t below = close[i]<floor, above = close[i]> roof;
        up = i == p ? 1 : (up & ~below) | (~up & above);
        out[0][i] = either(up, floor, roof);
        out[1][i] = (double)(2 * up - 1);
    }
    fc_missing(out[1], p);
    return bad != 0.0;
}

FC_INLINE void supertrend_step(supertrend_state *s, const double *in, double *out, int commit) {
    double before = s->range.close, spread;
    atr_step(&s->range, in, &spread, commit);
    double middle = (in[0] + in[1]) * 0.5, width = s->multiplier * spread;
    if (!fc_finite(middle) || !fc_finite(width)) {
        out[0] = out[1] = NAN;
        return;
    }
    double lower = v4_one(stop_below(v4_all(s->lower), v4_all(middle - width), v4_all(before)));
    double upper = v4_one(stop_above(v4_all(s->upper), v4_all(middle + width), v4_all(before)));
    int64_t up = s->up < 0 ? 1 : s->up ? in[2] >= lower : in[2] > upper;
    out[0] = up ? lower : upper;
    out[1] = up ? 1.0 : -1.0;
    if (commit) {
        s->lower = lower;
        s->upper = upper;
        s->up = up;
    }
}

FC_STREAM(supertrend, supertrend_state, 3, 2, supertrend_step, FC_SKIP, FC_NO_MORE)
FC_KERNEL(supertrend, "pf", 3, 2);

/* ---- stoch ---- */

/* A smoothing average of either type; its window's memory is the caller's. */
typedef struct {
    fc_moments sums;
    fc_ema ema;
    int64_t by_ema;
} smoother;

typedef struct {
    fc_extremum high, low;
    smoother k, d;
    double mem[]; /* high, low, k, d */
} stoch_state;

/* par: fastk period, slowk period and type, slowd period and type */
static fc_policy stoch_policy(const double *par) { return par[2] == 0.0 && par[4] == 0.0 ? FC_WINDOW : FC_MIXED; }
static ptrdiff_t stoch_lookback(const double *par) { return (ptrdiff_t)(par[0] + par[1] + par[3]) - 3; }
static ptrdiff_t stoch_tile(const double *par) { return par[0] > FC_TILE ? (ptrdiff_t)par[0] : FC_TILE; }
static ptrdiff_t stoch_scratch(const double *par) {
    double widest = FC_GREATER(par[0], FC_GREATER(par[1], par[3]));
    return 2 * (stoch_tile(par) + (ptrdiff_t)par[0]) + fc_window_scratch(widest);
}

/* Smooths n bars of x; out[i] is there from i = w - 1. */
static int smooth(const double *x, ptrdiff_t n, double w, double type, double *out, double *scratch) {
    ptrdiff_t p = (ptrdiff_t)w;
    if (type == 0.0) {
        return FC(roll_mean)(x, n, p, out, scratch);
    }
    fc_average average;
    FC(average_begin)(&average, (w - 1.0) / (w + 1.0), x, p);
    out[p - 1] = average.before + average.apart;
    return FC(average_run)(&average, x + p, out + p, n - p);
}

static int stoch_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    ptrdiff_t f = (ptrdiff_t)par[0], k = (ptrdiff_t)par[1], first = stoch_lookback(par), tile = stoch_tile(par);
    double *high = scratch, *low = high + tile + f, *rest = low + tile + f, *fast = out[1], bad1 = 0.0;
    int missed = 0;
    v4 bad = v4_zero(), hundred = v4_all(100.0);
    for (ptrdiff_t from = f - 1; from < n; from += tile) {
        ptrdiff_t m = n - from < tile ? n - from : tile, i = 0;
        const double *h = high + f - 1, *l = low + f - 1, *close = in[2] + from;
        missed |= FC(roll_max)(in[0] + from - (f - 1), m + f - 1, f, high, rest);
        missed |= FC(roll_min)(in[1] + from - (f - 1), m + f - 1, f, low, rest);
        for (; i + 4 <= m; i += 4) {
            v4 c = v4_load(close + i), floor = v4_load(l + i), range = v4_sub(v4_load(h + i), floor);
            v4 share = v4_if_nonzero(range, v4_mul(v4_div(v4_sub(c, floor), range), hundred));
            bad = v4_note(bad, c);
            v4_store(fast + from + i, share);
        }
        for (; i < m; i++) {
            double range = h[i] - l[i];
            bad1 += close[i] - close[i];
            fast[from + i] = range != 0.0 ? (close[i] - l[i]) / range * 100.0 : 0.0;
        }
    }
    for (ptrdiff_t i = 0; i < f - 1; i++) {
        bad1 += in[2][i] - in[2][i];
    }
    if (missed || !v4_clean(bad) || bad1 != 0.0) {
        return 1;
    }
    ptrdiff_t second = f + k - 2; /* the first bar of slowk */
    missed = smooth(fast + f - 1, n - f + 1, par[1], par[2], out[0] + f - 1, rest);
    missed |= smooth(out[0] + second, n - second, par[3], par[4], out[1] + second, rest);
    fc_missing(out[0], first);
    fc_missing(out[1], first);
    return missed;
}

static size_t stoch_size(const double *par) {
    size_t room = 2 * fc_window_room(par[0]) + fc_window_room(par[1]) + fc_window_room(par[3]);
    return sizeof(stoch_state) + room * sizeof(double);
}
FC_INLINE void smoother_init(smoother *s, double period, double type) {
    fc_moments_init(&s->sums, period);
    fc_ema_init(&s->ema, period, (period - 1.0) / (period + 1.0), 0.0);
    s->by_ema = type != 0.0;
}
FC_INLINE int smoother_valid(const smoother *s, double period, double type) {
    return fc_window_valid(&s->sums.window, period) &&
           fc_ema_valid(&s->ema, period, (period - 1.0) / (period + 1.0), 0.0) && s->by_ema == (type != 0.0);
}
static void stoch_init(const double *par, void *state) {
    stoch_state *s = state;
    fc_extremum_init(&s->high, par[0]);
    fc_extremum_init(&s->low, par[0]);
    smoother_init(&s->k, par[1], par[2]);
    smoother_init(&s->d, par[3], par[4]);
}
static int stoch_valid(const double *par, const void *state) {
    const stoch_state *s = state;
    return fc_window_valid(&s->high.window, par[0]) && fc_window_valid(&s->low.window, par[0]) &&
           smoother_valid(&s->k, par[1], par[2]) && smoother_valid(&s->d, par[3], par[4]);
}

FC_INLINE double smoother_push(smoother *s, double *mem, double x, int commit) {
    if (x != x) {
        if (commit && !s->by_ema) {
            fc_window_gap(&s->sums.window);
        }
        return NAN;
    }
    return s->by_ema ? fc_push_ema(&s->ema, x, commit) : fc_push_mean(&s->sums, mem, x, commit);
}

FC_INLINE void stoch_bar(stoch_state *s, const double *in, double *out, int commit) {
    ptrdiff_t room = 2 * (ptrdiff_t)s->high.window.block; /* doubles of a window's memory */
    double fast = NAN, *k_mem = s->mem + 2 * room, *d_mem = k_mem + 2 * s->k.sums.window.block;
    if (fc_finite(in[0]) && fc_finite(in[1]) && fc_finite(in[2])) {
        double high = fc_push_max(&s->high, s->mem, in[0], commit);
        double low = fc_push_min(&s->low, s->mem + room, in[1], commit);
        double range = high - low;
        fast = range != 0.0 ? (in[2] - low) / range * 100.0 : 0.0; /* NaN while the window fills */
    } else if (commit) {
        fc_window_gap(&s->high.window);
        fc_window_gap(&s->low.window);
    }
    double k = smoother_push(&s->k, k_mem, fast, commit), d = smoother_push(&s->d, d_mem, k, commit);
    out[0] = d == d ? k : NAN;
    out[1] = d;
}

FC_INLINE void stoch_ahead(const stoch_state *s, ptrdiff_t bytes) {
    fc_window_ahead(&s->high.window, s->mem, bytes);
    fc_window_ahead(&s->low.window, s->mem + 2 * s->low.window.block, bytes);
}

FC_STREAM_WITH(stoch, stoch_state, 3, 2, stoch_bar, stoch_ahead)
FC_KERNEL(stoch, "ppmpm", 3, 2);
