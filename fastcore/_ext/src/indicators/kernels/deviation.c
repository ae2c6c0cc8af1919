/* stddev, bbands. */
#include "indicators/kernels/stages.h"

/* ---- stddev ---- */

typedef struct {
    fc_moments moments;
    double by;
    double mem[];
} stddev_state;

#define stddev_policy fc_by_window
static ptrdiff_t stddev_lookback(const double *par) { return (ptrdiff_t)par[0] - 1; }
static ptrdiff_t stddev_scratch(const double *par) { return fc_window_scratch(par[0]); }

static int stddev_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    ptrdiff_t w = (ptrdiff_t)par[0];
    fc_missing(out[0], w - 1);
    return FC(roll_std)(in[0], n, w, par[1], out[0], scratch);
}

static size_t stddev_size(const double *par) {
    return sizeof(stddev_state) + 2 * fc_window_room(par[0]) * sizeof(double);
}
static void stddev_init(const double *par, void *state) {
    stddev_state *s = state;
    fc_moments_init(&s->moments, par[0]);
    s->by = par[1];
}
static int stddev_valid(const double *par, const void *state) {
    return fc_window_valid(&((const stddev_state *)state)->moments.window, par[0]);
}

FC_INLINE void stddev_step(stddev_state *s, const double *in, double *out, int commit) {
    double mean = NAN;
    out[0] = sqrt(fc_push_moments(&s->moments, s->mem, in[0], &mean, commit)) * s->by;
}
#define STDDEV_GAP(s) fc_window_gap(&(s)->moments.window)

#define STDDEV_AHEAD(s, bytes) fc_moments_ahead(&(s)->moments, (s)->mem, bytes)

FC_STREAM(stddev, stddev_state, 1, 1, stddev_step, STDDEV_GAP, STDDEV_AHEAD)
FC_KERNEL(stddev, "pf", 1, 1, FC_NAN_SHOWN);

/* ---- bbands ---- */

typedef struct {
    fc_moments moments;
    fc_ema ema;
    double up, down;
    int64_t by_ema;
    double mem[];
} bbands_state;

static fc_policy bbands_policy(const double *par) { return par[3] == 0.0 ? FC_WINDOW : FC_MIXED; }
static ptrdiff_t bbands_lookback(const double *par) { return (ptrdiff_t)par[0] - 1; }
static ptrdiff_t bbands_scratch(const double *par) { return fc_window_scratch(par[0]); }

/* Bands of a mean other than the window's own; the deviation stands in `upper`. */
static void bands_about(const double *middle, double up, double down, double *upper, double *lower, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        double deviation = upper[i];
        upper[i] = middle[i] + deviation * up;
        lower[i] = middle[i] - deviation * down;
    }
}

static int bbands_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    ptrdiff_t w = (ptrdiff_t)par[0];
    int missed;
    if (par[3] == 0.0) {
        missed = FC(roll_bands)(in[0], n, w, par[1], par[2], out[0], out[1], out[2], scratch);
    } else {
        fc_average average;
        missed = FC(roll_std)(in[0], n, w, 1.0, out[0], scratch);
        FC(average_begin)(&average, (par[0] - 1.0) / (par[0] + 1.0), in[0], w);
        out[1][w - 1] = average.before + average.apart;
        missed |= FC(average_run)(&average, in[0] + w, out[1] + w, n - w);
        bands_about(out[1] + w - 1, par[1], par[2], out[0] + w - 1, out[2] + w - 1, n - w + 1);
    }
    for (int j = 0; j < 3; j++) {
        fc_missing(out[j], w - 1);
    }
    return missed;
}

static size_t bbands_size(const double *par) {
    return sizeof(bbands_state) + 2 * fc_window_room(par[0]) * sizeof(double);
}
static void bbands_init(const double *par, void *state) {
    bbands_state *s = state;
    fc_moments_init(&s->moments, par[0]);
    fc_ema_init(&s->ema, par[0], (par[0] - 1.0) / (par[0] + 1.0), 0.0);
    s->up = par[1];
    s->down = par[2];
    s->by_ema = par[3] != 0.0;
}
static int bbands_valid(const double *par, const void *state) {
    const bbands_state *s = state;
    return fc_window_valid(&s->moments.window, par[0]) &&
           fc_ema_valid(&s->ema, par[0], (par[0] - 1.0) / (par[0] + 1.0), 0.0) && s->by_ema == (par[3] != 0.0);
}

FC_INLINE void bbands_bar(bbands_state *s, const double *in, double *out, int commit) {
    double mean = NAN, variance = NAN;
    if (fc_finite(in[0])) {
        variance = fc_push_moments(&s->moments, s->mem, in[0], &mean, commit);
        if (s->by_ema) {
            mean = fc_push_ema(&s->ema, in[0], commit);
        }
    } else if (commit) {
        fc_window_gap(&s->moments.window);
    }
    double deviation = sqrt(variance);
    out[0] = mean + deviation * s->up;
    out[1] = deviation == deviation ? mean : NAN; /* the three are there together or not at all */
    out[2] = mean - deviation * s->down;
}

FC_STREAM_WITH(bbands, bbands_state, 1, 3, bbands_bar, STDDEV_AHEAD)
FC_KERNEL(bbands, "pffm", 1, 3, FC_NAN_SHOWN);
