/* sma, ema, macd. */
#include "indicators/kernels/stages.h"

/* ---- sma ---- */

typedef struct {
    fc_moments sums;
    double mem[];
} sma_state;

#define sma_policy fc_by_window

static ptrdiff_t sma_lookback(const double *par) { return (ptrdiff_t)par[0] - 1; }
static ptrdiff_t sma_scratch(const double *par) { return fc_window_scratch(par[0]); }

static int sma_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    ptrdiff_t w = (ptrdiff_t)par[0];
    fc_missing(out[0], w - 1);
    return FC(roll_mean)(in[0], n, w, out[0], scratch);
}

static size_t sma_size(const double *par) { return sizeof(sma_state) + fc_window_room(par[0]) * sizeof(double); }
static void sma_init(const double *par, void *state) { fc_moments_init(&((sma_state *)state)->sums, par[0]); }
static int sma_valid(const double *par, const void *state) {
    return fc_window_valid(&((const sma_state *)state)->sums.window, par[0]);
}

FC_INLINE void sma_step(sma_state *s, const double *in, double *out, int commit) {
    out[0] = fc_push_mean(&s->sums, s->mem, in[0], commit);
}
#define SMA_GAP(s) fc_window_gap(&(s)->sums.window)

#define SMA_AHEAD(s, bytes) fc_window_ahead(&(s)->sums.window, (s)->mem, bytes)

FC_STREAM(sma, sma_state, 1, 1, sma_step, SMA_GAP, SMA_AHEAD)
FC_KERNEL(sma, "p", 1, 1, FC_NAN_SHOWN);

/* ---- ema ---- */

#define ema_policy recurrence
#define ema_scratch none
static ptrdiff_t ema_lookback(const double *par) { return (ptrdiff_t)par[0] - 1; }

FC_INLINE double kept(double period) { return (period - 1.0) / (period + 1.0); }

static int ema_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    ptrdiff_t p = (ptrdiff_t)par[0];
    fc_average average;
    (void)scratch;
    fc_missing(out[0], p - 1);
    FC(average_begin)(&average, kept(par[0]), in[0], p);
    out[0][p - 1] = average.before + average.apart;
    return FC(average_run)(&average, in[0] + p, out[0] + p, n - p);
}

static size_t ema_size(const double *par) {
    (void)par;
    return sizeof(fc_ema);
}
static void ema_init(const double *par, void *state) { fc_ema_init(state, par[0], kept(par[0]), 0.0); }
static int ema_valid(const double *par, const void *state) { return fc_ema_valid(state, par[0], kept(par[0]), 0.0); }

FC_INLINE void ema_step(fc_ema *s, const double *in, double *out, int commit) {
    out[0] = fc_push_ema(s, in[0], commit);
}

FC_STREAM(ema, fc_ema, 1, 1, ema_step, FC_SKIP, FC_NO_MORE)
FC_KERNEL(ema, "p", 1, 1, FC_NAN_ANYHOW);

/* ---- macd ---- */

typedef struct {
    fc_ema fast, slow, signal;
} macd_state;

/* The shorter period is the fast one, in whichever order they come; its average starts late, together with the slow one. */
FC_INLINE double fast_of(const double *par) { return par[0] < par[1] ? par[0] : par[1]; }
FC_INLINE double slow_of(const double *par) { return par[0] < par[1] ? par[1] : par[0]; }

#define TILE 512
#define macd_policy recurrence
static ptrdiff_t macd_lookback(const double *par) { return (ptrdiff_t)(slow_of(par) + par[2]) - 2; }
static ptrdiff_t macd_scratch(const double *par) {
    (void)par;
    return TILE;
}

FC_INLINE void minus(const double *a, const double *b, double *out, ptrdiff_t n) {
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4) {
        v4_store(out + i, v4_sub(v4_load(a + i), v4_load(b + i)));
    }
    for (; i < n; i++) {
        out[i] = a[i] - b[i];
    }
}

static int macd_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    ptrdiff_t f = (ptrdiff_t)fast_of(par), s = (ptrdiff_t)slow_of(par), first = macd_lookback(par);
    ptrdiff_t end = s, signalled = 0; /* bars done: of macd, and of the signal once it is seeded */
    double *macd = out[0], *signal = out[1], *difference = out[2], *other = scratch;
    const double *x = in[0];
    fc_average fast, slow, average;
    FC(average_begin)(&fast, kept((double)f), x + s - f, f);
    FC(average_begin)(&slow, kept((double)s), x, s);
    macd[s - 1] = fast.apart - slow.apart;
    for (;;) {
        if (!signalled && end > first) {
            FC(average_begin)(&average, kept(par[2]), macd + s - 1, first - s + 2);
            signal[first] = average.before + average.apart;
            signalled = first + 1;
            difference[first] = macd[first] - signal[first];
        }
        if (signalled) {
            double *from = signal + signalled;
            if (FC(average_run)(&average, macd + signalled, from, end - signalled)) {
                return 1;
            }
            minus(macd + signalled, from, difference + signalled, end - signalled);
            signalled = end;
        }
        if (end == n) {
            break;
        }
        ptrdiff_t m = n - end < TILE ? n - end : TILE;
        if (FC(apart_run)(&fast, x + end, macd + end, m) || FC(apart_run)(&slow, x + end, other, m)) {
            return 1;
        }
        minus(macd + end, other, macd + end, m);
        end += m;
    }
    for (int j = 0; j < 3; j++) {
        fc_missing(out[j], first);
    }
    return !(fc_finite(fast.apart) && fc_finite(slow.apart));
}

static size_t macd_size(const double *par) {
    (void)par;
    return sizeof(macd_state);
}
static void macd_init(const double *par, void *state) {
    macd_state *s = state;
    fc_ema_init(&s->fast, fast_of(par), kept(fast_of(par)), slow_of(par) - fast_of(par));
    fc_ema_init(&s->slow, slow_of(par), kept(slow_of(par)), 0.0);
    fc_ema_init(&s->signal, par[2], kept(par[2]), 0.0);
}
static int macd_valid(const double *par, const void *state) {
    const macd_state *s = state;
    return fc_ema_valid(&s->fast, fast_of(par), kept(fast_of(par)), slow_of(par) - fast_of(par)) &&
           fc_ema_valid(&s->slow, slow_of(par), kept(slow_of(par)), 0.0) &&
           fc_ema_valid(&s->signal, par[2], kept(par[2]), 0.0);
}

FC_INLINE void macd_step(macd_state *s, const double *in, double *out, int commit) {
    int ready = s->slow.seen >= s->slow.period - 1;
    double fast = fc_push_apart(&s->fast, in[0], commit), slow = fc_push_apart(&s->slow, in[0], commit);
    double macd = fast - slow, apart = NAN; /* both are counted from the same price */
    if (ready) {
        apart = fc_push_apart(&s->signal, macd, commit);
    }
    out[0] = apart == apart ? macd : NAN;
    out[1] = macd + apart;
    out[2] = macd - out[1];
}

FC_STREAM(macd, macd_state, 1, 3, macd_step, FC_SKIP, FC_NO_MORE)
FC_KERNEL(macd, "ppp", 1, 3, FC_NAN_ANYHOW);
