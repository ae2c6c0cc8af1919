/* sma, ema, macd. */
#include "stages.h"

/* ---- sma ---- */

typedef struct {
    fc_window window;
    double mem[];
} sma_state;

#define sma_policy fc_by_window

static ptrdiff_t sma_lookback(const double *par) { return (ptrdiff_t)par[0] - 1; }
static ptrdiff_t sma_scratch(const double *par) { return fc_window_scratch(par[0]); }

static int sma_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch)
{
    ptrdiff_t w = (ptrdiff_t)par[0];
    fc_missing(out[0], w - 1);
    return FC(roll_mean)(in[0], n, w, out[0], scratch);
}

static size_t sma_size(const double *par) { return sizeof(sma_state) + fc_window_bytes(par[0]); }
static void sma_init(const double *par, void *state) { fc_window_init(&((sma_state *)state)->window, par[0]); }
static int sma_valid(const double *par, const void *state)
{
    return fc_window_valid(&((const sma_state *)state)->window, par[0]);
}

FC_INLINE void sma_step(sma_state *s, const double *in, double *out, int commit)
{
    out[0] = fc_push_mean(&s->window, s->mem, in[0], commit);
}
#define SMA_WHOLE(s) fc_window_init(&(s)->window, (double)(s)->window.width)

FC_STREAM(sma, sma_state, 1, 1, sma_step, SMA_WHOLE)
FC_KERNEL(sma, "p", 1, 1);

/* ---- ema ---- */

static fc_policy recurrence(const double *par)
{
    (void)par;
    return FC_RECURRENCE;
}
static ptrdiff_t none(const double *par)
{
    (void)par;
    return 0;
}

#define ema_policy recurrence
#define ema_scratch none
static ptrdiff_t ema_lookback(const double *par) { return (ptrdiff_t)par[0] - 1; }

FC_INLINE double weight(double period) { return 2.0 / (period + 1.0); }

FC_INLINE void plan_of(fc_ema_plan *plan, double period)
{
    FC(ema_plan)(plan, weight(period), (period - 1.0) / (period + 1.0));
}

static int ema_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch)
{
    ptrdiff_t p = (ptrdiff_t)par[0];
    fc_ema_plan plan;
    (void)scratch;
    plan_of(&plan, par[0]);
    fc_missing(out[0], p - 1);
    double last = out[0][p - 1] = fc_mean(in[0], p);
    last = FC(ema_run)(&plan, in[0] + p, out[0] + p, n - p, last);
    return !fc_finite(last); /* what is not finite never leaves a recurrence */
}

static size_t ema_size(const double *par)
{
    (void)par;
    return sizeof(fc_ema);
}
static void ema_init(const double *par, void *state) { fc_ema_init(state, par[0], weight(par[0]), 0.0); }
static int ema_valid(const double *par, const void *state)
{
    return fc_ema_valid(state, par[0], weight(par[0]), 0.0);
}

FC_INLINE void ema_step(fc_ema *s, const double *in, double *out, int commit) { out[0] = fc_push_ema(s, in[0], commit); }

FC_STREAM(ema, fc_ema, 1, 1, ema_step, FC_SKIP)
FC_KERNEL(ema, "p", 1, 1);

/* ---- macd ---- */

typedef struct {
    fc_ema fast, slow, signal;
} macd_state;

/* The shorter period is the fast one, in whichever order they come; its average starts late, beside the slow one. */
FC_INLINE double fast_of(const double *par) { return par[0] < par[1] ? par[0] : par[1]; }
FC_INLINE double slow_of(const double *par) { return par[0] < par[1] ? par[1] : par[0]; }

#define macd_policy recurrence
static ptrdiff_t macd_lookback(const double *par) { return (ptrdiff_t)(slow_of(par) + par[2]) - 2; }
static ptrdiff_t macd_scratch(const double *par)
{
    (void)par;
    return FC_TILE;
}

FC_INLINE void minus(const double *a, const double *b, double *out, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4)
        v4_store(out + i, v4_sub(v4_load(a + i), v4_load(b + i)));
    for (; i < n; i++)
        out[i] = a[i] - b[i];
}

static int macd_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch)
{
    ptrdiff_t f = (ptrdiff_t)fast_of(par), s = (ptrdiff_t)slow_of(par), first = macd_lookback(par);
    ptrdiff_t end = s, signalled = 0; /* bars done: of macd, and of the signal once it is seeded */
    double *macd = out[0], *signal = out[1], *difference = out[2];
    const double *x = in[0];
    fc_ema_plan fast_plan, slow_plan, signal_plan;
    plan_of(&fast_plan, (double)f);
    plan_of(&slow_plan, (double)s);
    plan_of(&signal_plan, par[2]);

    double last_fast = fc_mean(x + s - f, f), last_slow = fc_mean(x, s), last_signal = 0.0;
    macd[s - 1] = last_fast - last_slow;
    for (;;) {
        if (!signalled && end > first) {
            last_signal = signal[first] = fc_mean(macd + s - 1, first - s + 2);
            signalled = first + 1;
            difference[first] = macd[first] - last_signal;
        }
        if (signalled) {
            double *from = signal + signalled;
            last_signal = FC(ema_run)(&signal_plan, macd + signalled, from, end - signalled, last_signal);
            minus(macd + signalled, from, difference + signalled, end - signalled);
            signalled = end;
        }
        if (end == n)
            break;
        ptrdiff_t m = n - end < FC_TILE ? n - end : FC_TILE;
        last_fast = FC(ema_run)(&fast_plan, x + end, macd + end, m, last_fast);
        last_slow = FC(ema_run)(&slow_plan, x + end, scratch, m, last_slow);
        minus(macd + end, scratch, macd + end, m);
        end += m;
    }
    for (int j = 0; j < 3; j++)
        fc_missing(out[j], first);
    return !(fc_finite(last_fast) && fc_finite(last_slow));
}

static size_t macd_size(const double *par)
{
    (void)par;
    return sizeof(macd_state);
}
static void macd_init(const double *par, void *state)
{
    macd_state *s = state;
    fc_ema_init(&s->fast, fast_of(par), weight(fast_of(par)), slow_of(par) - fast_of(par));
    fc_ema_init(&s->slow, slow_of(par), weight(slow_of(par)), 0.0);
    fc_ema_init(&s->signal, par[2], weight(par[2]), 0.0);
}
static int macd_valid(const double *par, const void *state)
{
    const macd_state *s = state;
    return fc_ema_valid(&s->fast, fast_of(par), weight(fast_of(par)), slow_of(par) - fast_of(par)) &&
           fc_ema_valid(&s->slow, slow_of(par), weight(slow_of(par)), 0.0) &&
           fc_ema_valid(&s->signal, par[2], weight(par[2]), 0.0);
}

FC_INLINE void macd_step(macd_state *s, const double *in, double *out, int commit)
{
    int ready = s->slow.seen >= s->slow.period - 1;
    double macd = fc_push_ema(&s->fast, in[0], commit) - fc_push_ema(&s->slow, in[0], commit), signal = NAN;
    if (ready)
        signal = fc_push_ema(&s->signal, macd, commit);
    out[0] = signal == signal ? macd : NAN;
    out[1] = signal;
    out[2] = macd - signal;
}

FC_STREAM(macd, macd_state, 1, 3, macd_step, FC_SKIP)
FC_KERNEL(macd, "ppp", 1, 3);
