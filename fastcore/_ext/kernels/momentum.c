/* rsi. */
#include "stages.h"

typedef struct {
    fc_ema gains, moves;
    double before;
    int64_t begun;
} rsi_state;

static fc_policy rsi_policy(const double *par)
{
    (void)par;
    return FC_RECURRENCE;
}
static ptrdiff_t rsi_lookback(const double *par) { return (ptrdiff_t)par[0]; }
static ptrdiff_t rsi_scratch(const double *par) { return FC_TILE + (ptrdiff_t)par[0]; }

/* From bar i - 1 to bar i: the rise, or 0, and the size of the move. */
FC_INLINE void moves_of(const double *x, double *gains, double *moves, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    v4 zero = v4_zero();
    for (; i + 4 <= n; i += 4) {
        v4 d = v4_sub(v4_load(x + i), v4_load(x + i - 1));
        v4_store(gains + i, v4_max(d, zero));
        v4_store(moves + i, v4_abs(d));
    }
    for (; i < n; i++) {
        double d = x[i] - x[i - 1];
        gains[i] = FC_GREATER(d, 0.0);
        moves[i] = fabs(d);
    }
}

static int rsi_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch)
{
    ptrdiff_t p = (ptrdiff_t)par[0];
    const double *x = in[0];
    double *to = out[0], *moves = scratch;
    fc_ema_plan plan;
    FC(ema_plan)(&plan, 1.0 / par[0], (par[0] - 1.0) / par[0]);
    moves_of(x + 1, to + 1, moves, p);
    double gain = fc_mean(to + 1, p), move = fc_mean(moves, p);
    to[p] = move != 0.0 ? 100.0 * (gain / move) : 0.0;
    for (ptrdiff_t from = p + 1; from < n; from += FC_TILE) {
        ptrdiff_t m = n - from < FC_TILE ? n - from : FC_TILE, i = 0;
        double *gains = to + from;
        v4 hundred = v4_all(100.0);
        moves_of(x + from, gains, moves, m);
        gain = FC(ema_run)(&plan, gains, gains, m, gain);
        move = FC(ema_run)(&plan, moves, moves, m, move);
        for (; i + 4 <= m; i += 4) {
            v4 all = v4_load(moves + i);
            v4_store(gains + i, v4_if_nonzero(all, v4_mul(hundred, v4_div(v4_load(gains + i), all))));
        }
        for (; i < m; i++)
            gains[i] = moves[i] != 0.0 ? 100.0 * (gains[i] / moves[i]) : 0.0;
    }
    fc_missing(to, p);
    return !fc_finite(move); /* a move from or to anything not finite stays in this average */
}

static size_t rsi_size(const double *par)
{
    (void)par;
    return sizeof(rsi_state);
}
static void rsi_init(const double *par, void *state)
{
    rsi_state *s = state;
    fc_ema_init(&s->gains, par[0], 1.0 / par[0], 0.0);
    fc_ema_init(&s->moves, par[0], 1.0 / par[0], 0.0);
    s->before = 0.0;
    s->begun = 0;
}
static int rsi_valid(const double *par, const void *state)
{
    const rsi_state *s = state;
    return fc_ema_valid(&s->gains, par[0], 1.0 / par[0], 0.0) && fc_ema_valid(&s->moves, par[0], 1.0 / par[0], 0.0);
}

FC_INLINE void rsi_step(rsi_state *s, const double *in, double *out, int commit)
{
    out[0] = NAN;
    if (s->begun) {
        double d = in[0] - s->before;
        double gain = fc_push_ema(&s->gains, FC_GREATER(d, 0.0), commit);
        double move = fc_push_ema(&s->moves, fabs(d), commit);
        out[0] = move != 0.0 ? 100.0 * (gain / move) : 0.0; /* NaN while either average is being seeded */
    }
    if (commit) {
        s->before = in[0];
        s->begun = 1;
    }
}

FC_STREAM(rsi, rsi_state, 1, 1, rsi_step, FC_SKIP)
FC_KERNEL(rsi, "p", 1, 1);
