/* Trailing stops: state machines that turn at a price. They hold their state over missing bars. */
#include "indicators/operators/operator.h"
#include "indicators/operators/scan.h"

/* ---- trail_below, trail_above: a band that moves towards the price only, until the price has passed it ---- */

typedef struct {
    double band, price; /* NAN before the first bar; of the bar before */
} trail_state;

static void trail_below_init(const double *par, void *state) {
    (void)par;
    *(trail_state *)state = (trail_state){NAN, NAN};
}
#define trail_above_init trail_below_init
#define trail_below_valid any_valid
#define trail_above_valid any_valid

/* Without branches, as the price passes a band at random. */
#define TRAIL(name, CLOSER, PASSED)                                                                                    \
    FC_INLINE double name##_push(const double *par, trail_state *s, const double *in, int commit) {                    \
        (void)par;                                                                                                     \
        double stays = s->price PASSED s->band ? in[0] : s->band;                                                      \
        double band = stays CLOSER in[0] ? stays : in[0];                                                              \
        if (commit) {                                                                                                  \
            s->band = band;                                                                                            \
            s->price = in[1];                                                                                          \
        }                                                                                                              \
        return band;                                                                                                   \
    }                                                                                                                  \
    SCAN(name, "", 2, trail_state, name##_push, NULL)

TRAIL(trail_below, >, <);
TRAIL(trail_above, <, >);

/* ---- side: 1 above a band, -1 below another; what it was between them, 1 at first ---- */

typedef struct {
    double side; /* 0 before the first bar */
} side_state;

static void side_init(const double *par, void *state) {
    (void)par;
    ((side_state *)state)->side = 0.0;
}
#define side_valid any_valid
FC_INLINE double side_push(const double *par, side_state *s, const double *in, int commit) {
    (void)par;
    double below = in[0] < in[1] ? -1.0 : 1.0, above = in[0] > in[2] ? 1.0 : -1.0;
    double side = s->side > 0.0 ? below : above;
    side = s->side == 0.0 ? 1.0 : side;
    if (commit) {
        s->side = side;
    }
    return side;
}
SCAN(side, "", 3, side_state, side_push, NULL);

/* ---- parabolic: Wilder's stop and reverse ----
 * A short position is a long one in prices of the other sign: all is kept as of a long one.
 */

enum { START, OFFSET, LONG, SHORT = 5, SHORT_BY = 8 }; /* of the parameters; of each side: first, step, most */

typedef struct {
    double turn;             /* 1 long, -1 short; 0 while fewer than two bars have come */
    double stop, peak, rate; /* of the next bar, unless that passes it; the best price of the position */
    double high, low;        /* of the bar before */
} parabolic_state;

static void parabolic_init(const double *par, void *state) {
    (void)par;
    *(parabolic_state *)state = (parabolic_state){0.0, 0.0, 0.0, 0.0, NAN, NAN};
}
#define parabolic_valid any_valid
static ptrdiff_t parabolic_lag(const double *par) {
    (void)par;
    return 1;
}

/* At first. */
FC_INLINE double parabolic_rate(const double *par, int is_short) {
    const double *side = par + (is_short ? SHORT : LONG);
    return FC_SMALLER(side[0], side[2]);
}

/* The position that the second bar is met with. */
FC_INLINE void parabolic_open(const double *par, parabolic_state *s, double high, double low) {
    double rise = high - s->high, fall = s->low - low;
    int is_short = par[START] == 0.0 ? fall > 0.0 && fall > rise : par[START] < 0.0;
    s->turn = is_short ? -1.0 : 1.0;
    s->stop = par[START] != 0.0 ? par[START] : is_short ? -s->high : s->low;
    s->peak = is_short ? -low : high;
    s->rate = parabolic_rate(par, is_short);
    s->high = high;
    s->low = low;
}

/* The next bar's stop. */
FC_INLINE double parabolic_next(double stop, double rate, double peak, double floor) {
    double moved = stop + rate * (peak - stop);
    return FC_SMALLER(moved, floor);
}

/* The bar has passed the stop: closes the position and opens the opposite one. */
FC_INLINE void parabolic_turn(const double *par, parabolic_state *s, double high, double low) {
    int was_short = s->turn < 0.0;
    double before = was_short ? -s->low : s->high, now = was_short ? -low : high;
    double stop = FC_GREATER(before, now);
    stop = FC_GREATER(stop, s->peak);
    stop += stop * (was_short ? -par[OFFSET] : par[OFFSET]);
    s->turn = -s->turn;
    s->stop = -stop;
    s->peak = was_short ? high : -low;
    s->rate = parabolic_rate(par, !was_short);
}

FC_INLINE double parabolic_push(const double *par, parabolic_state *kept, const double *in, int commit) {
    parabolic_state s = *kept;
    double result = NAN;
    if (s.high == s.high) { /* not the first bar */
        if (s.turn == 0.0) {
            parabolic_open(par, &s, in[0], in[1]);
        }
        double high = s.turn < 0.0 ? -in[1] : in[0], low = s.turn < 0.0 ? -in[0] : in[1];
        result = s.stop;
        if (low <= s.stop) {
            parabolic_turn(par, &s, in[0], in[1]);
            result = s.stop;
        } else if (high > s.peak) {
            const double *side = par + (s.turn < 0.0 ? SHORT : LONG);
            double faster = s.rate + side[1];
            s.peak = high;
            s.rate = FC_SMALLER(faster, side[2]);
        }
        int is_short = s.turn < 0.0;
        double before = is_short ? -s.high : s.low, now = is_short ? -in[0] : in[1];
        s.stop = parabolic_next(s.stop, s.rate, s.peak, FC_SMALLER(before, now));
        result = is_short ? -result * par[SHORT_BY] : result;
    }
    s.high = in[0];
    s.low = in[1];
    if (commit) {
        *kept = s;
    }
    return result;
}

/* x or 0, and the larger one: compilers make branches of the plain forms, which new peaks would send astray. */
FC_INLINE double if_so(int condition, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    bits &= 0 - (uint64_t)condition;
    memcpy(&x, &bits, sizeof(bits));
    return x;
}

FC_INLINE double larger(double a, double b) { return v4_one(v4_max(v4_all(a), v4_all(b))); }

/* The same from bar to bar, without branches but for a turn; s is that of a position, and the bar before at in[-1]. */
static void parabolic_run(const double *par, parabolic_state *s, const double *const *in, double *restrict out,
                          ptrdiff_t n) {
    int is_short = s->turn < 0.0;
    double turn = s->turn, stop = s->stop, peak = s->peak, rate = s->rate, by = is_short ? -par[SHORT_BY] : 1.0;
    const double *ups = in[is_short], *downs = in[!is_short], *side = par + (is_short ? SHORT : LONG);
    double step = side[1], most = side[2];
    double up_before = turn * (is_short ? s->low : s->high), down_before = turn * (is_short ? s->high : s->low);
    for (ptrdiff_t i = 0; i < n; i++) {
        double up = turn * ups[i], down = turn * downs[i], floor = FC_SMALLER(down_before, down);
        if (FC_UNLIKELY(down <= stop)) {
            const double *other = ups;
            double roof = larger(up_before, up), top = larger(roof, peak), bottom = down;
            stop = -(top + top * (turn * par[OFFSET]));
            floor = -roof;
            down = -up;
            up = peak = -bottom;
            turn = -turn;
            ups = downs;
            downs = other;
            side = par + (turn < 0.0 ? SHORT : LONG);
            step = side[1];
            most = side[2];
            rate = FC_SMALLER(side[0], most);
            by = turn < 0.0 ? -par[SHORT_BY] : 1.0;
            out[i] = stop * by;
        } else {
            out[i] = stop * by;
            rate += if_so(up > peak, step);
            rate = FC_SMALLER(rate, most);
            peak = larger(up, peak);
        }
        stop = parabolic_next(stop, rate, peak, floor);
        up_before = up;
        down_before = down;
    }
    *s = (parabolic_state){turn, stop, peak, rate, in[0][n - 1], in[1][n - 1]};
}

static int parabolic_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                           double *scratch) {
    parabolic_state *s = carry;
    ptrdiff_t i = 0;
    (void)scratch;
    for (; i < n && s->turn == 0.0; i++) {
        double bar[2] = {in[0][i], in[1][i]};
        out[i] = parabolic_push(par, s, bar, 1);
    }
    if (i < n) {
        const double *from[2] = {in[0] + i, in[1] + i};
        parabolic_run(par, s, from, out + i, n - i);
    }
    return 0;
}
REMEMBERING(parabolic, "fffffffff", 2, parabolic_state, parabolic_push, parabolic_lag, 0);
