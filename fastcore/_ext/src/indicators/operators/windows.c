/* Operators over a window of one series: lags, sums, moments, extremes. */
#include "indicators/operators/operator.h"
#include "indicators/operators/ring.h"
#include "indicators/operators/window_lanes.h"

static ptrdiff_t window_lag(const double *par) { return (ptrdiff_t)par[0] - 1; }
static ptrdiff_t window_scratch(const double *par) { return fc_window_scratch(par[0]); }

/* ---- lag ---- */

static ptrdiff_t lag_lag(const double *par) { return (ptrdiff_t)par[0]; }
static int lag_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                     double *scratch) {
    (void)carry;
    (void)scratch;
    memcpy(out, in[0] - (ptrdiff_t)par[0], (size_t)n * sizeof(double));
    return 0;
}
static double lag_step(const double *par, void *state, const double *in, int commit) {
    fc_ring_bars *s = state;
    (void)par;
    if (s->ring.width == 0) {
        return in[0];
    }
    double result = s->ring.filled == s->ring.width ? s->mem[s->ring.at] : NAN;
    if (commit) {
        s->mem[s->ring.at] = in[0];
        fc_ring_next(&s->ring);
    }
    return result;
}
static void lag_gap(void *state) {
    fc_ring *ring = &((fc_ring_bars *)state)->ring;
    fc_ring_turn(ring);
    ring->filled = 0;
}

const fc_operator FC(operator_lag) = {.name = "lag",
                                      .par = "c",
                                      .n_in = 1,
                                      .kind = FC_LOOK_BACK,
                                      .lag = lag_lag,
                                      .block = lag_block,
                                      .step = lag_step,
                                      .size = fc_ring_bars_size,
                                      .init = fc_ring_bars_init,
                                      .valid = fc_ring_bars_valid,
                                      .gap = lag_gap,
                                      .across = lag_across,
                                      .rows = lag_rows,
                                      .places = lag_places,
                                      .fresh = lag_fresh};

/* ---- what rolls: block by a function over whole series, which finds what is not finite itself ---- */

#define ROLL(op, roll, NAN_THERE, SIZE, INIT, VALID, GAP, ROWS)                                                        \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        ptrdiff_t lag = (ptrdiff_t)par[0] - 1;                                                                         \
        (void)carry;                                                                                                   \
        return roll(in[0] - lag, n + lag, lag + 1, out - lag, scratch);                                                \
    }                                                                                                                  \
    const fc_operator FC(operator_##op) = {.name = #op,                                                                \
                                           .par = "p",                                                                 \
                                           .n_in = 1,                                                                  \
                                           .kind = FC_LOOK_BACK,                                                       \
                                           .lag = window_lag,                                                          \
                                           .scratch = window_scratch,                                                  \
                                           .block = op##_block,                                                        \
                                           .declines = 1,                                                              \
                                           .nan = NAN_THERE,                                                           \
                                           .step = op##_step,                                                          \
                                           .size = SIZE,                                                               \
                                           .init = INIT,                                                               \
                                           .valid = VALID,                                                             \
                                           .gap = GAP,                                                                 \
                                           .across = op##_across,                                                      \
                                           .rows = ROWS,                                                               \
                                           .places = halves_places}

typedef struct {
    fc_moments moments;
    double mem[];
} sums_state; /* with twice the room where squares are summed too */

static size_t sums_size(const double *par) { return sizeof(sums_state) + fc_window_room(par[0]) * sizeof(double); }
static size_t moments_size(const double *par) {
    return sizeof(sums_state) + 2 * fc_window_room(par[0]) * sizeof(double);
}
static void sums_init(const double *par, void *state) { fc_moments_init(&((sums_state *)state)->moments, par[0]); }
static int sums_valid(const double *par, const void *state) {
    return fc_window_valid(&((const sums_state *)state)->moments.window, par[0]);
}

/* A gap takes its place in the window: windows that move on together stay together. */
FC_INLINE void miss(sums_state *s, int squared) {
    fc_sums all;
    fc_push_sums(&s->moments, s->mem, NAN, &all, squared, 1);
    fc_window_gap(&s->moments.window);
}
static void sums_gap(void *state) { miss(state, 0); }
static void moments_gap(void *state) { miss(state, 1); }

static double sum_step(const double *par, void *state, const double *in, int commit) {
    sums_state *s = state;
    fc_sums all;
    return fc_push_sums(&s->moments, s->mem, in[0], &all, 0, commit) ? all.base * par[0] + all.sum : NAN;
}
static double mean_step(const double *par, void *state, const double *in, int commit) {
    sums_state *s = state;
    (void)par;
    return fc_push_mean(&s->moments, s->mem, in[0], commit);
}
static double variance_step(const double *par, void *state, const double *in, int commit) {
    sums_state *s = state;
    double mean;
    (void)par;
    return fc_push_moments(&s->moments, s->mem, in[0], &mean, commit);
}
static double deviation_step(const double *par, void *state, const double *in, int commit) {
    return sqrt(variance_step(par, state, in, commit));
}

FC_INLINE int roll_deviation(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch) {
    return FC(roll_std)(x, n, w, 1.0, out, scratch);
}
SUMS_ACROSS(sum, 0)
SUMS_ACROSS(mean, 0)
SUMS_ACROSS(variance, 1)
SUMS_ACROSS(deviation, 1)
ROLL(sum, FC(roll_sum), FC_NAN_SHOWN, sums_size, sums_init, sums_valid, sums_gap, sums_rows);
ROLL(mean, FC(roll_mean), FC_NAN_SHOWN, sums_size, sums_init, sums_valid, sums_gap, sums_rows);
ROLL(variance, FC(roll_variance), FC_NAN_SHOWN, moments_size, sums_init, sums_valid, moments_gap, moments_rows);
ROLL(deviation, roll_deviation, FC_NAN_SHOWN, moments_size, sums_init, sums_valid, moments_gap, moments_rows);

/* ---- extremes ---- */

typedef struct {
    fc_extremum extremum;
    double mem[];
} extreme_state;

static size_t extreme_size(const double *par) {
    return sizeof(extreme_state) + fc_window_room(par[0]) * sizeof(double);
}
static void extreme_init(const double *par, void *state) {
    fc_extremum_init(&((extreme_state *)state)->extremum, par[0]);
}
static int extreme_valid(const double *par, const void *state) {
    return fc_window_valid(&((const extreme_state *)state)->extremum.window, par[0]);
}
static void extreme_gap(void *state) {
    extreme_state *s = state;
    fc_push_max(&s->extremum, s->mem, NAN, 1);
    fc_window_gap(&s->extremum.window);
}

#define EXTREME_STEP(op, push)                                                                                         \
    static double op##_step(const double *par, void *state, const double *in, int commit) {                            \
        extreme_state *s = state;                                                                                      \
        (void)par;                                                                                                     \
        return push(&s->extremum, s->mem, in[0], commit);                                                              \
    }
EXTREME_STEP(highest, fc_push_max)
EXTREME_STEP(lowest, fc_push_min)
EXTREME_ACROSS(highest)
EXTREME_ACROSS(lowest)
ROLL(highest, FC(roll_max), FC_NAN_CONFINED, extreme_size, extreme_init, extreme_valid, extreme_gap, extreme_rows);
ROLL(lowest, FC(roll_min), FC_NAN_CONFINED, extreme_size, extreme_init, extreme_valid, extreme_gap, extreme_rows);
