/* The sum over a window of one series. */
#include "indicators/operators/window_lanes.h"

/* A window up to WIDE bars is made of sums of 16, 8, 4 and 1 bars, each made of two of the next: few additions a bar, none
 * of a value outside the window. Wider ones are cut into blocks, as in kernels/window.c. */
#define WIDE 63
#define DIRECT 6  /* up to this width bar by bar */
#define CHUNK 512 /* bars of which sums are kept at a time */
#define ROOM (CHUNK + WIDE + 1)
#define TERMS 8 /* that a window is made of at most */

static ptrdiff_t window_lag(const double *par) { return (ptrdiff_t)par[0] - 1; }
static ptrdiff_t sum_scratch(const double *par) { return par[0] > WIDE ? fc_window_scratch(par[0]) : 3 * ROOM; }

/* The sums of 4, of 8 and, if wide, of 16 bars that end at each bar from x[0] on; of the first four bars `absent` are not
 * there, and count as 0. n is 8 or more. */
FC_INLINE void add_up(const double *x, ptrdiff_t absent, double *fours, double *eights, double *sixteens, ptrdiff_t n,
                      int wide) {
    double first[4] = {0.0};
    v4 last = v4_zero(), two = last, four = last, eight = last, eight_before = last;
    ptrdiff_t i = 0;
    for (ptrdiff_t k = absent; k < 4; k++) {
        first[k] = x[k];
    }
    for (; i + 4 <= n; i += 4) {
        v4 bars = v4_load(i > 0 ? x + i : first), back = v4_high_low(last, bars);
        v4 twos = v4_add(bars, v4_uppers_lowers(back, bars)), sums = v4_add(twos, v4_high_low(two, twos));
        v4 double_sums = v4_add(sums, four);
        v4_store(fours + i, sums);
        v4_store(eights + i, double_sums);
        if (wide) {
            v4_store(sixteens + i, v4_add(double_sums, eight_before));
        }
        last = bars;
        two = twos;
        four = sums;
        eight_before = eight;
        eight = double_sums;
    }
    for (; i < n; i++) {
        fours[i] = (x[i] + x[i - 1]) + (x[i - 2] + x[i - 3]);
        eights[i] = fours[i] + fours[i - 4];
        sixteens[i] = wide ? eights[i] + eights[i - 8] : 0.0;
    }
}

typedef struct {
    const double *of[TERMS]; /* what is added for the chunk's first bar */
    int n;
} terms;

/* Adds `times` sums of `bars` bars, the first ending `done` bars before; returns how many bars are done then. */
static ptrdiff_t take(terms *t, const double *sums, ptrdiff_t bars, ptrdiff_t times, ptrdiff_t done) {
    for (; times > 0; times--, done += bars) {
        t->of[t->n++] = sums - done;
    }
    return done;
}

/* out[i] is the sum of the terms' values at i; returns 0 times all of them, which is 0 if all are finite. */
static double add_terms(const terms *t, double *out, ptrdiff_t n) {
    ptrdiff_t i = 0;
    v4 zero = v4_zero(), bad = zero;
    for (; i + 16 <= n; i += 16) {
        const double *x = t->of[0] + i;
        v4 a = v4_load(x), b = v4_load(x + 4), c = v4_load(x + 8), d = v4_load(x + 12);
        for (int k = 1; k < t->n; k++) {
            x = t->of[k] + i;
            a = v4_add(a, v4_load(x));
            b = v4_add(b, v4_load(x + 4));
            c = v4_add(c, v4_load(x + 8));
            d = v4_add(d, v4_load(x + 12));
        }
        v4_store(out + i, a);
        v4_store(out + i + 4, b);
        v4_store(out + i + 8, c);
        v4_store(out + i + 12, d);
        bad = v4_add(bad, v4_mul(v4_add(v4_add(a, b), v4_add(c, d)), zero));
    }
    double bad1 = v4_clean(bad) ? 0.0 : NAN;
    for (; i < n; i++) {
        double sum = t->of[0][i];
        for (int k = 1; k < t->n; k++) {
            sum += t->of[k][i];
        }
        out[i] = sum;
        bad1 += sum * 0.0;
    }
    return bad1;
}

static int sum_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                     double *scratch) {
    ptrdiff_t w = (ptrdiff_t)par[0], lag = w - 1, absent = -lag & 3, begin = lag + absent;
    double *fours = scratch, *eights = scratch + ROOM, *sixteens = scratch + 2 * ROOM, bad = 0.0;
    (void)carry;
    if (w > WIDE) {
        return FC(roll_sum)(in[0] - lag, n + lag, w, out - lag, scratch);
    }
    for (ptrdiff_t from = 0; from < n; from += CHUNK) {
        const double *x = in[0] + from;
        ptrdiff_t m = n - from < CHUNK ? n - from : CHUNK, done = 0;
        terms t = {.n = 0};
        if (w >= 16) {
            add_up(x - begin, absent, fours, eights, sixteens, begin + m, 1);
            done = take(&t, sixteens + begin, 16, w / 16, 0);
        } else if (w > DIRECT) {
            add_up(x - begin, absent, fours, eights, sixteens, begin + m, 0);
        }
        if (w > DIRECT) {
            done = take(&t, eights + begin, 8, w % 16 / 8, done);
            done = take(&t, fours + begin, 4, w % 8 / 4, done);
        }
        take(&t, x, 1, w - done, done);
        bad += add_terms(&t, out + from, m);
    }
    return bad != 0.0;
}

/* ---- one bar ---- */

typedef struct {
    fc_moments moments;
    double mem[];
} sum_state;

static size_t sum_size(const double *par) { return sizeof(sum_state) + fc_window_room(par[0]) * sizeof(double); }
static void sum_init(const double *par, void *state) { fc_moments_init(&((sum_state *)state)->moments, par[0]); }
static int sum_valid(const double *par, const void *state) {
    return fc_window_valid(&((const sum_state *)state)->moments.window, par[0]);
}
/* A gap takes its place in the window: windows that move on together stay together. */
static void sum_gap(void *state) {
    sum_state *s = state;
    fc_sums all;
    fc_push_sums(&s->moments, s->mem, NAN, &all, 0, 1);
    fc_window_gap(&s->moments.window);
}
static double sum_step(const double *par, void *state, const double *in, int commit) {
    sum_state *s = state;
    fc_sums all;
    return fc_push_sums(&s->moments, s->mem, in[0], &all, 0, commit) ? all.base * par[0] + all.sum : NAN;
}

SUMS_ACROSS(sum, 0)
const fc_operator FC(operator_sum) = {.name = "sum",
                                      .par = "p",
                                      .n_in = 1,
                                      .kind = FC_LOOK_BACK,
                                      .declines = 1,
                                      .lag = window_lag,
                                      .scratch = sum_scratch,
                                      .block = sum_block,
                                      .step = sum_step,
                                      .size = sum_size,
                                      .init = sum_init,
                                      .valid = sum_valid,
                                      .gap = sum_gap,
                                      .across = sum_across,
                                      .rows = sums_rows,
                                      .places = halves_places};
