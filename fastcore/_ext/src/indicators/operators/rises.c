/* rises: the share of the rises in Wilder's averages of all changes. */
#include "indicators/operators/lanes.h"
#include "indicators/operators/scan.h"

typedef struct {
    int64_t seen, period; /* changes, up to the period; -1 before the first value */
    double before, gain, move, share;
} rises_state;

static ptrdiff_t rises_count(const double *par) { return (ptrdiff_t)par[0]; }
static void rises_init(const double *par, void *state) {
    rises_state *s = state;
    s->seen = -1;
    s->period = (int64_t)par[0];
    s->gain = s->move = 0.0;
    s->before = s->share = NAN;
}
static int rises_valid(const double *par, const void *state) {
    const rises_state *s = state;
    return s->period == (int64_t)par[0] && s->seen >= -1 && s->seen <= s->period;
}
FC_INLINE double rises_push(const double *par, rises_state *s, const double *in, int commit) {
    rises_state next = *s;
    double x = in[0], n = par[0], change = s->seen < 0 ? 0.0 : x - s->before, rise = FC_GREATER(change, 0.0);
    int still = x == s->before;
    next.before = x;
    if (s->seen < s->period) {
        next.seen++;
        next.gain += rise;
        next.move += fabs(change);
        if (next.seen < s->period) {
            next.share = NAN;
        } else {
            next.gain /= n;
            next.move /= n;
            next.share = next.move != 0.0 ? next.gain / next.move : 0.0;
        }
    } else {
        double keep = (n - 1.0) / n;
        if (!(still && keep * s->move < fc_negligible(x))) { /* else both averages wait: only their ratio counts */
            next.gain = keep * s->gain + rise / n;
            next.move = keep * s->move + fabs(change) / n;
            if (next.gain < next.move * 0x1p-100) {
                next.gain = 0.0;
            }
            if (!still) {
                next.share = next.move != 0.0 ? next.gain / next.move : 0.0;
            }
        }
    }
    if (!fc_finite(next.move)) {
        return NAN;
    }
    if (commit) {
        *s = next;
    }
    return next.share;
}
static int rises_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                       double *scratch) {
    rises_state s = *(rises_state *)carry;
    const double *x = in[0];
    double period = par[0], keep = (par[0] - 1.0) / par[0];
    (void)scratch;
    for (ptrdiff_t i = 0; i < n;) {
        if (i == 0 || s.seen < s.period || s.before != x[i - 1]) {
            out[i] = rises_push(par, &s, x + i, 1);
            i++;
            continue;
        }
        double gain = s.gain, move = s.move, share = s.share;
        for (; i < n; i++) { /* as rises_push(), with the state in registers */
            double change = x[i] - x[i - 1], rise = FC_GREATER(change, 0.0);
            int still = x[i] == x[i - 1];
            double gains = keep * gain + rise / period, moves = keep * move + fabs(change) / period;
            if (FC_UNLIKELY(!fc_finite(moves))) {
                break;
            }
            if (!(still && keep * move < fc_negligible(x[i]))) {
                gain = gains < moves * 0x1p-100 ? 0.0 : gains;
                move = moves;
            }
            if (!still) {
                share = move != 0.0 ? gain / move : 0.0;
            }
            out[i] = share;
        }
        s.before = x[i - 1];
        s.gain = gain;
        s.move = move;
        s.share = share;
        if (i < n) {
            out[i++] = NAN;
        }
    }
    *(rises_state *)carry = s;
    return 0;
}
static ptrdiff_t rises_rows(const double *par) {
    (void)par;
    return 5;
}
static double rises_fresh(const double *par, ptrdiff_t row) {
    static const double fresh[5] = {-1.0, NAN, 0.0, 0.0, NAN};
    (void)par;
    return fresh[row];
}

static void rises_across(const double *par, const fc_lanes *l, const double *const *in, double *out, ptrdiff_t n) {
    const double period = par[0], keep = (par[0] - 1.0) / par[0];
    double *seen = fc_row(l, 0), *before = fc_row(l, 1), *gain = fc_row(l, 2), *move = fc_row(l, 3);
    double *share = fc_row(l, 4);
    if (*l->shared) {
        FC_INDEPENDENT
        for (ptrdiff_t i = 0; i < n; i++) {
            double x = in[0][i], change = x - before[i], rise = FC_GREATER(change, 0.0);
            int still = x == before[i];
            int waits = still & (keep * move[i] < fc_negligible(x));
            double gains = keep * gain[i] + rise / period, moves = keep * move[i] + fabs(change) / period;
            int there = moves - moves == 0.0;
            gains = gains < moves * 0x1p-100 ? 0.0 : gains;
            double quotient = gains / moves, shares = moves != 0.0 ? quotient : 0.0;
            int moved = there & !waits;
            gain[i] = moved ? gains : gain[i];
            move[i] = moved ? moves : move[i];
            share[i] = moved & !still ? shares : share[i];
            before[i] = there ? x : before[i];
            out[i] = there ? share[i] : NAN;
        }
        return;
    }
    int64_t begun = 1;
    for (ptrdiff_t i = 0; i < n; i++) {
        int64_t changes = seen[i] >= 0.0 && seen[i] <= period ? (int64_t)seen[i] : -1;
        rises_state s = {changes, (int64_t)period, before[i], gain[i], move[i], share[i]};
        double x = in[0][i];
        out[i] = NAN;
        if (x - x == 0.0) {
            out[i] = rises_push(par, &s, &x, 1);
            seen[i] = (double)s.seen;
            before[i] = s.before;
            gain[i] = s.gain;
            move[i] = s.move;
            share[i] = s.share;
        }
        begun &= s.seen >= s.period;
    }
    *l->shared = begun;
}

REMEMBERING(rises, "p", 1, rises_state, rises_push, rises_count, 0, .across = rises_across, .rows = rises_rows,
            .fresh = rises_fresh);
