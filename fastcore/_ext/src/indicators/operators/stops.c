/* Trailing stops: state machines that turn at a price. They hold their state over missing bars. */
#include "indicators/kernels/overlapping.h"
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
static FC_NOINLINE void parabolic_run(const double *par, parabolic_state *s, const double *const *in,
                                      double *restrict out, ptrdiff_t n) {
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

/* ---- many bars: segments of them side by side, a lane each ----
 *
 * A bar waits for the one before, but a turn forgets all but the peak: two positions that turn at one bar are usually the
 * same from there on. So all segments but the first begin early, as if the position had turned at each bar before, as it
 * does where a price stands still. Where a segment ends with another position than the next one has there, the next one is
 * taken again, bar by bar.
 */

typedef struct {
    v4 turn, stop, peak, rate, up, down;
} four_positions;

typedef struct {
    v4 offset, short_by, first[2], step[2], most[2]; /* of long, then of short positions */
} both_sides;

static both_sides sides_of(const double *par) {
    both_sides c = {.offset = v4_all(par[OFFSET]), .short_by = v4_all(-par[SHORT_BY])};
    for (int j = 0; j < 2; j++) {
        const double *side = par + (j ? SHORT : LONG);
        c.first[j] = v4_all(parabolic_rate(par, j));
        c.step[j] = v4_all(side[1]);
        c.most[j] = v4_all(side[2]);
    }
    return c;
}

/* As a bar of parabolic_run(), with the same digits. */
FC_INLINE v4 position4(four_positions *s, const both_sides *c, v4 high, v4 low) {
    const v4 zero = v4_zero(), other = v4_all(-1.0);
    v4 turn = s->turn, stop = s->stop, peak = s->peak;
    v4 up = v4_mul(turn, v4_pick_gt(turn, zero, high, low)), down = v4_mul(turn, v4_pick_gt(turn, zero, low, high));
    v4 step = v4_pick_gt(turn, zero, c->step[0], c->step[1]), most = v4_pick_gt(turn, zero, c->most[0], c->most[1]);
    v4 first = v4_pick_gt(turn, zero, c->first[1], c->first[0]); /* of the position after a turn */
    v4 rate = v4_min(v4_add(s->rate, v4_if_gt(up, peak, step)), most);
    v4 roof = v4_max(s->up, up), top = v4_max(roof, peak), below = v4_mul(down, other);
    v4 turned = v4_mul(v4_add(top, v4_mul(top, v4_mul(turn, c->offset))), other);
    v4 floor = v4_pick_gt(down, stop, v4_min(s->down, down), v4_mul(roof, other));
    s->turn = v4_pick_gt(down, stop, turn, v4_mul(turn, other));
    s->rate = v4_pick_gt(down, stop, rate, first);
    s->peak = v4_pick_gt(down, stop, v4_max(up, peak), below);
    s->up = v4_pick_gt(down, stop, up, below);
    s->down = v4_pick_gt(down, stop, down, v4_mul(up, other));
    stop = v4_pick_gt(down, stop, stop, turned);
    s->stop = v4_min(v4_add(stop, v4_mul(s->rate, v4_sub(s->peak, stop))), floor);
    return v4_mul(stop, v4_pick_gt(s->turn, zero, v4_all(1.0), c->short_by));
}

/* The next n bars, an even number, of all segments, which begin `apart` from each other; while `warm` only the results
 * of the first one are kept. */
static FC_NOINLINE void run_positions(four_positions *s, const both_sides *sides, const double *high, const double *low,
                                      ptrdiff_t apart, double *restrict out, ptrdiff_t n, int warm) {
    const both_sides c = *sides;
    four_positions one = s[0], two = s[1];
    for (ptrdiff_t t = 0; t < n; t += 2) {
        v4 highs[4], lows[4], made[4];
        v4_load_bars(high + t, apart, highs, highs + 1);
        v4_load_bars(low + t, apart, lows, lows + 1);
        v4_load_bars(high + 4 * apart + t, apart, highs + 2, highs + 3);
        v4_load_bars(low + 4 * apart + t, apart, lows + 2, lows + 3);
        for (int j = 0; j < 2; j++) {
            made[j] = position4(&one, &c, highs[j], lows[j]);
            made[2 + j] = position4(&two, &c, highs[2 + j], lows[2 + j]);
        }
        fc_overlapping_keep(out + t, apart, 0, made, warm);
        fc_overlapping_keep(out + t, apart, 1, made + 2, warm);
    }
    s[0] = one;
    s[1] = two;
}

/* The position of each lane at the next bar of its segment, the first of which is at in[...] + at. */
static FC_NOINLINE void positions_at(const four_positions *f, const double *const *in, ptrdiff_t at, ptrdiff_t apart,
                                     parabolic_state *states) {
    double turn[FC_OVERLAPPING], stop[FC_OVERLAPPING], peak[FC_OVERLAPPING], rate[FC_OVERLAPPING];
    for (int g = 0; g < 2; g++) {
        v4_store(turn + 4 * g, f[g].turn);
        v4_store(stop + 4 * g, f[g].stop);
        v4_store(peak + 4 * g, f[g].peak);
        v4_store(rate + 4 * g, f[g].rate);
    }
    for (int l = 0; l < FC_OVERLAPPING; l++) {
        ptrdiff_t before = at + l * apart - 1;
        states[l] = (parabolic_state){turn[l], stop[l], peak[l], rate[l], in[0][before], in[1][before]};
    }
}

static void positions_of(const parabolic_state *states, four_positions *f) {
    for (int g = 0; g < 2; g++) {
        const parabolic_state *s = states + 4 * g;
        double up[4], down[4];
        for (int l = 0; l < 4; l++) {
            int is_short = s[l].turn < 0.0;
            up[l] = is_short ? -s[l].low : s[l].high;
            down[l] = is_short ? -s[l].high : s[l].low;
        }
        f[g] = (four_positions){v4_of(s[0].turn, s[1].turn, s[2].turn, s[3].turn),
                                v4_of(s[0].stop, s[1].stop, s[2].stop, s[3].stop),
                                v4_of(s[0].peak, s[1].peak, s[2].peak, s[3].peak),
                                v4_of(s[0].rate, s[1].rate, s[2].rate, s[3].rate),
                                v4_load(up),
                                v4_load(down)};
    }
}

/* Returns how many bars are done, 0 if they are too few; s is the state of a position. */
static ptrdiff_t parabolic_side_by_side(const double *par, parabolic_state *s, const double *const *in,
                                        double *restrict out, ptrdiff_t n) {
    ptrdiff_t warm = fc_stop_warm(n), length = fc_overlapping_bars(n, warm, FC_STOP_LEAST);
    const both_sides sides = sides_of(par);
    parabolic_state begun[FC_OVERLAPPING] = {*s}, ended[FC_OVERLAPPING];
    four_positions f[2];
    if (!length) {
        return 0;
    }
    for (int l = 1; l < FC_OVERLAPPING; l++) {
        double high = in[0][l * length - 1], low = in[1][l * length - 1];
        int is_short = (s->turn < 0.0) ^ (int)(l * length & 1);
        begun[l] = (parabolic_state){is_short ? -1.0 : 1.0,
                                     is_short ? -high : low,
                                     is_short ? -low : high,
                                     parabolic_rate(par, is_short),
                                     high,
                                     low};
    }
    positions_of(begun, f);
    run_positions(f, &sides, in[0], in[1], length, out, warm, 1);
    positions_at(f, in, warm, length, begun);
    run_positions(f, &sides, in[0] + warm, in[1] + warm, length, out + warm, length, 0);
    positions_at(f, in, warm + length, length, ended);
    for (int l = 1; l < FC_OVERLAPPING; l++) {
        const parabolic_state *a = begun + l, *b = ended + l - 1;
        if (a->turn != b->turn || a->stop != b->stop || a->peak != b->peak || a->rate != b->rate) {
            ptrdiff_t from = l * length + warm;
            const double *again[2] = {in[0] + from, in[1] + from};
            ended[l] = *b;
            parabolic_run(par, ended + l, again, out + from, length);
        }
    }
    *s = ended[FC_OVERLAPPING - 1];
    return FC_OVERLAPPING * length + warm;
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
        const double *rest[2] = {in[0] + i, in[1] + i};
        i += parabolic_side_by_side(par, s, rest, out + i, n - i);
    }
    if (i < n) {
        const double *from[2] = {in[0] + i, in[1] + i};
        parabolic_run(par, s, from, out + i, n - i);
    }
    return 0;
}
REMEMBERING(parabolic, "fffffffff", 2, parabolic_state, parabolic_push, parabolic_lag, 0, .many = FC_OVERLAPPED);
