/* rsi. */
#include "indicators/kernels/stages.h"

typedef struct {
    int64_t begun, seen, period; /* whether there is a price before, and how many changes there are, up to the period */
    double keep, share; /* weights of the average before, and of a new change */
    double gain, move; /* until seeded: sums */
    double before, last;
} rsi_state;

#define rsi_policy recurrence
static ptrdiff_t rsi_lookback(const double *par) { return (ptrdiff_t)par[0]; }
static ptrdiff_t rsi_scratch(const double *par) { return FC_TILE + (ptrdiff_t)par[0]; }

/* From bar i - 1 to bar i: the rise, or 0, and the size of the move. */
FC_INLINE void moves_of(const double *x, double *gains, double *moves, ptrdiff_t n) {
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

/* The averages fall together while nothing moves and only their ratio counts: they are kept from falling so far that the
 * processor takes many times as long. A move of another price outweighs them by far either way. */
FC_INLINE void rsi_settle(double *gain, double *move, double x) {
    double floor = fc_negligible(x);
    if (*gain < *move * 0x1p-100) {
        *gain = 0.0;
    }
    if (*move < floor && *move > 0.0) {
        int up = ilogb(floor) - ilogb(*move);
        *gain = ldexp(*gain, up);
        *move = ldexp(*move, up);
    }
}

FC_INLINE double rsi_of(double gain, double move) { return move != 0.0 ? 100.0 * (gain / move) : 0.0; }

static int rsi_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    ptrdiff_t p = (ptrdiff_t)par[0];
    const double *x = in[0];
    double *to = out[0], *moves = scratch;
    fc_decay decay;
    FC(decay_init)(&decay, 1.0 / par[0], (par[0] - 1.0) / par[0]);
    moves_of(x + 1, to + 1, moves, p);
    double gain = 0.0, move = 0.0;
    for (ptrdiff_t i = 0; i < p; i++) {
        gain += to[1 + i];
        move += moves[i];
    }
    gain /= par[0];
    move /= par[0];
    double last = to[p] = rsi_of(gain, move);
    for (ptrdiff_t from = p + 1; from < n; from += FC_TILE) {
        ptrdiff_t m = n - from < FC_TILE ? n - from : FC_TILE, i = 0;
        double *gains = to + from;
        const double *now = x + from;
        v4 hundred = v4_all(100.0);
        moves_of(now, gains, moves, m);
        gain = FC(decay_run)(&decay, gains, gains, m, gain);
        move = FC(decay_run)(&decay, moves, moves, m, move);
        if (!fc_finite(move)) {
            return 1; /* a move from or to anything not finite stays in this average */
        }
        for (; i + 4 <= m; i += 4) { /* where nothing moves the value stays */
            v4 all = v4_load(moves + i), here = v4_load(now + i), before = v4_load(now + i - 1);
            v4_store(gains + i, v4_if_nonzero(all, v4_mul(hundred, v4_div(v4_load(gains + i), all))));
            if (v4_any_equal(here, before)) {
                if (v4_equal_bits(here, before) == 15) {
                    v4_store(gains + i, v4_all(last));
                    continue;
                }
                for (int j = 0; j < 4; j++) {
                    gains[i + j] = last = now[i + j] == now[i + j - 1] ? last : gains[i + j];
                }
            }
            last = gains[i + 3];
        }
        for (; i < m; i++) {
            gains[i] = last = now[i] == now[i - 1] ? last : rsi_of(gains[i], moves[i]);
        }
        rsi_settle(&gain, &move, now[m - 1]);
    }
    fc_missing(to, p);
    return !fc_finite(move);
}

static size_t rsi_size(const double *par) {
    (void)par;
    return sizeof(rsi_state);
}
static void rsi_init(const double *par, void *state) {
    rsi_state *s = state;
    memset(s, 0, sizeof(*s));
    s->period = (int64_t)par[0];
    s->keep = (par[0] - 1.0) / par[0];
    s->share = 1.0 / par[0];
}
static int rsi_valid(const double *par, const void *state) {
    const rsi_state *s = state;
    return s->period == (int64_t)par[0] && s->keep == (par[0] - 1.0) / par[0] && s->share == 1.0 / par[0] &&
           s->seen >= 0 && s->seen <= s->period;
}

FC_INLINE void rsi_step(rsi_state *s, const double *in, double *out, int commit) {
    double change = in[0] - s->before, rise = FC_GREATER(change, 0.0), gain = s->gain, move = s->move, result = NAN;
    int64_t seen = s->seen + (s->begun && s->seen < s->period);
    if (FC_LIKELY(s->seen == s->period)) {
        if (in[0] == s->before) {
            double fade =
                s->keep * move < fc_negligible(in[0]) ? 1.0 : s->keep; /* only their ratio counts: they wait */
            gain *= fade;
            move *= fade;
            result = s->last;
        } else {
            gain = s->keep * gain + s->share * rise;
            move = s->keep * move + s->share * fabs(change);
            result = rsi_of(gain, move);
        }
        gain = gain < move * 0x1p-100 ? 0.0 : gain;
    } else if (s->begun) {
        gain += rise;
        move += fabs(change);
        if (seen == s->period) {
            gain /= (double)seen;
            move /= (double)seen;
            result = rsi_of(gain, move);
        }
    }
    out[0] = fc_finite(move) ? result : NAN;
    if (commit && fc_finite(move)) { /* else the bar is left out */
        s->gain = gain;
        s->move = move;
        s->seen = seen;
        s->before = in[0];
        s->last = result;
        s->begun = 1;
    }
}

FC_STREAM(rsi, rsi_state, 1, 1, rsi_step, FC_SKIP, FC_NO_MORE)
FC_KERNEL(rsi, "p", 1, 1, FC_NAN_ANYHOW);
