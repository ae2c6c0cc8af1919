/* min, max, stoch, atr: what is made of highs and lows. */
#include "indicators/kernels/overlapping.h"
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
FC_KERNEL(min, "p", 1, 1, FC_NAN_CONFINED);

#define max_policy fc_by_window
#define max_lookback extremum_lookback
#define max_scratch extremum_scratch
#define max_size extremum_size
#define max_init extremum_init
#define max_valid extremum_valid
EXTREMUM(max)
FC_KERNEL(max, "p", 1, 1, FC_NAN_CONFINED);

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
FC_KERNEL(atr, "p", 3, 1, FC_NAN_ANYHOW);

/* ---- supertrend: what the operators of its definition give, in one pass ---- */

typedef struct {
    atr_state range;
    double multiplier, lower, upper; /* the stops, infinitely far before the first bar */
    int64_t up;                      /* 1 or 0; -1 before the first bar */
} supertrend_state;

#define TREND_TILE 4096 /* bars that are taken at a time, at most */

#define supertrend_policy recurrence
#define supertrend_lookback atr_lookback
static ptrdiff_t supertrend_scratch(const double *par) {
    (void)par;
    return TREND_TILE;
}

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
/* The stops and the side, 1 or -1, of four series. */
typedef struct {
    v4 lower, upper, side, before; /* before: the close */
} four_trends;

/* The next bar; returns the stop of its side. */
FC_INLINE v4 next_trend(four_trends *s, v4 high, v4 low, v4 close, v4 spread, v4 multiplier, v4 *bad) {
    const v4 up = v4_all(1.0), down = v4_all(-1.0);
    v4 middle = v4_mul(v4_add(high, low), v4_all(0.5)), width = v4_mul(multiplier, spread);
    v4 floor = v4_sub(middle, width);
    *bad = v4_note(*bad, floor);
    s->lower = stop_below(s->lower, floor, s->before);
    s->upper = stop_above(s->upper, v4_add(middle, width), s->before);
    s->side =
        v4_pick_gt(s->side, v4_zero(), v4_pick_gt(s->lower, close, down, up), v4_pick_gt(close, s->upper, up, down));
    s->before = close;
    return v4_pick_gt(s->side, v4_zero(), s->lower, s->upper);
}

/* Inputs and outputs of n bars; spread: their average ranges. */
typedef struct {
    const double *high, *low, *close, *spread;
    double *stop, *side;
    v4 multiplier;
} trend_bars;

static trend_bars trend_from(const trend_bars *b, ptrdiff_t at) {
    return (trend_bars){b->high + at, b->low + at,  b->close + at, b->spread + at,
                        b->stop + at, b->side + at, b->multiplier};
}

/* One series, a bar after another; returns what tells of them. */
static FC_NOINLINE v4 trend_run(const trend_bars *b, four_trends *s, ptrdiff_t n) {
    four_trends now = *s;
    v4 bad = v4_zero();
    for (ptrdiff_t i = 0; i < n; i++) {
        v4 stop = next_trend(&now, v4_all(b->high[i]), v4_all(b->low[i]), v4_all(b->close[i]), v4_all(b->spread[i]),
                             b->multiplier, &bad);
        b->stop[i] = v4_one(stop);
        b->side[i] = v4_one(now.side);
    }
    *s = now;
    return bad;
}

/* ---- the same of segments side by side, a lane each ----
 * Stops that the price has passed forget what they were. So all segments but the first begin some bars early, as at a first
 * bar; where one ends with other stops than the next one has there, the next one is taken again. */

static FC_NOINLINE v4 trends_run(const trend_bars *bars, four_trends *s, ptrdiff_t apart, ptrdiff_t n, int warm) {
    const trend_bars b = *bars;
    four_trends now[2] = {s[0], s[1]};
    v4 bad = v4_zero();
    for (ptrdiff_t t = 0; t < n; t += 2) {
        for (int g = 0; g < 2; g++) {
            ptrdiff_t i = 4 * g * apart + t;
            v4 high[2], low[2], close[2], spread[2], stop[2], side[2];
            v4_load_bars(b.high + i, apart, high, high + 1);
            v4_load_bars(b.low + i, apart, low, low + 1);
            v4_load_bars(b.close + i, apart, close, close + 1);
            v4_load_bars(b.spread + i, apart, spread, spread + 1);
            for (int j = 0; j < 2; j++) {
                stop[j] = next_trend(now + g, high[j], low[j], close[j], spread[j], b.multiplier, &bad);
                side[j] = now[g].side;
            }
            fc_overlapping_keep(b.stop + t, apart, g, stop, warm);
            fc_overlapping_keep(b.side + t, apart, g, side, warm);
        }
    }
    s[0] = now[0];
    s[1] = now[1];
    return bad;
}

static void trend_lanes(const four_trends *s, double *lower, double *upper, double *side) {
    for (int g = 0; g < 2; g++) {
        v4_store(lower + 4 * g, s[g].lower);
        v4_store(upper + 4 * g, s[g].upper);
        v4_store(side + 4 * g, s[g].side);
    }
}

/* Returns how many bars are done, 0 if they are too few. */
static ptrdiff_t trends_side_by_side(const trend_bars *b, four_trends *s, ptrdiff_t n, v4 *bad) {
    ptrdiff_t warm = fc_stop_warm(n), length = fc_overlapping_bars(n, warm, FC_STOP_LEAST);
    double begun[3][FC_OVERLAPPING], ended[3][FC_OVERLAPPING], first = v4_one(s->before);
    four_trends f[2];
    if (!length) {
        return 0;
    }
    for (int g = 0; g < 2; g++) {
        const double *close = b->close + 4 * g * length - 1;
        f[g] = (four_trends){v4_all(-INFINITY), v4_all(INFINITY), v4_all(1.0),
                             v4_of(g ? close[0] : first, close[length], close[2 * length], close[3 * length])};
    }
    f[0].lower = v4_of(v4_one(s->lower), -INFINITY, -INFINITY, -INFINITY);
    f[0].upper = v4_of(v4_one(s->upper), INFINITY, INFINITY, INFINITY);
    f[0].side = v4_of(v4_one(s->side), 1.0, 1.0, 1.0);
    *bad = v4_add(*bad, trends_run(b, f, length, warm, 1));
    trend_lanes(f, begun[0], begun[1], begun[2]);
    trend_bars later = trend_from(b, warm);
    *bad = v4_add(*bad, trends_run(&later, f, length, length, 0));
    trend_lanes(f, ended[0], ended[1], ended[2]);
    for (int l = 1;; l++) {
        ptrdiff_t from = l * length + warm;
        *s = (four_trends){v4_all(ended[0][l - 1]), v4_all(ended[1][l - 1]), v4_all(ended[2][l - 1]),
                           v4_all(b->close[from - 1])};
        if (l == FC_OVERLAPPING) {
            return from;
        }
        if (begun[0][l] != ended[0][l - 1] || begun[1][l] != ended[1][l - 1] || begun[2][l] != ended[2][l - 1]) {
            trend_bars again = trend_from(b, from);
            trend_run(&again, s, length);
            ended[0][l] = v4_one(s->lower);
            ended[1][l] = v4_one(s->upper);
            ended[2][l] = v4_one(s->side);
        }
    }
}

static int supertrend_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n,
                            double *scratch) {
    ptrdiff_t p = (ptrdiff_t)par[0];
    four_trends s = {v4_all(-INFINITY), v4_all(INFINITY), v4_all(1.0), v4_zero()};
    v4 bad = v4_zero();
    if (atr_batch(par, in, out, n, scratch)) {
        return 1;
    }
    for (ptrdiff_t from = p, m, done; from < n; from += m) {
        m = from == p ? 1 : n - from < TREND_TILE ? n - from : TREND_TILE;
        trend_bars b = {in[0] + from,  in[1] + from,  in[2] + from,  scratch,
                        out[0] + from, out[1] + from, v4_all(par[1])};
        memcpy(scratch, out[0] + from, (size_t)m * sizeof(double));
        done = trends_side_by_side(&b, &s, m, &bad);
        b = trend_from(&b, done);
        bad = v4_add(bad, trend_run(&b, &s, m - done));
        if (from == p) { /* the first bar counts as above its stop */
            s.side = v4_all(1.0);
            out[0][p] = v4_one(s.lower);
            out[1][p] = 1.0;
        }
    }
    fc_missing(out[1], p);
    return !v4_clean(bad);
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
FC_KERNEL(supertrend, "pf", 3, 2, FC_NAN_ANYHOW);

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
    missed |= !v4_clean(bad) || bad1 != 0.0;
    if (missed && stoch_policy(par) != FC_WINDOW) {
        return 1;
    }
    ptrdiff_t second = f + k - 2; /* the first bar of slowk */
    missed |= smooth(fast + f - 1, n - f + 1, par[1], par[2], out[0] + f - 1, rest);
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
FC_KERNEL(stoch, "ppmpm", 3, 2, FC_NAN_CONFINED);
