/* Ehlers' measure of the dominant cycle by the Hilbert transform: smoothed price, period, phase, and mode.
 *
 * A block copies what it looks back to and up to CHUNK bars next to each other, so that no bar asks where it is. Bars
 * before the first count as zeros.
 */
#include "indicators/operators/scan.h"
#include "indicators/waves.h"

#define INNER 0.0962 /* what the Hilbert transform weighs its bars with */
#define OUTER 0.5769
#define CHUNK 64

static double above(double a, double b) { return a > b ? a : b; }
static double below(double a, double b) { return a < b ? a : b; }

/* ---- cycle_smooth: the mean of four bars with weights 4 to 1 ---- */

#define SPIKE 0x1p20 /* so much larger than a sum, a value that has passed through it has taken its digits */

typedef struct {
    int64_t seen; /* up to 3 */
    double before[4], sum, weighted, worst; /* worst: the largest value that the sums have seen */
} smooth_state;

static ptrdiff_t smooth_lag(const double *par) {
    (void)par;
    return 3;
}
static void cycle_smooth_init(const double *par, void *state) {
    (void)par;
    memset(state, 0, sizeof(smooth_state));
}
static int cycle_smooth_valid(const double *par, const void *state) {
    const smooth_state *s = state;
    (void)par;
    return s->seen >= 0 && s->seen <= 3;
}
/* Sums run on, in the order of the published listing: straight lines have cycles made of their last digits alone. */
static void cycle_smooth_run(smooth_state *state, const double *in, double *out, ptrdiff_t n) {
    double price[4 + CHUNK], sum = state->sum, weighted = state->weighted, worst = state->worst;
    memcpy(price, state->before, sizeof(state->before));
    memcpy(price + 4, in, (size_t)n * sizeof(double));
    for (ptrdiff_t t = 0; t < n; t++) {
        const double *x = price + 4 + t;
        worst = above(worst, fabs(x[0]));
        sum = (sum + x[0]) - x[-4];
        if (FC_UNLIKELY(state->seen < 3)) {
            state->seen++;
            weighted += x[0] * (double)state->seen;
            out[t] = NAN;
            continue;
        }
        weighted += x[0] * 4.0;
        out[t] = weighted * 0.1;
        weighted -= sum;
        if (FC_UNLIKELY(!(worst <= fabs(sum) * SPIKE) || weighted - weighted != 0.0)) {
            out[t] = (((4.0 * x[0] + 3.0 * x[-1]) + 2.0 * x[-2]) + x[-3]) * 0.1;
            sum = ((x[0] + x[-1]) + x[-2]) + x[-3];
            weighted = (3.0 * x[0] + 2.0 * x[-1]) + x[-2];
            worst = above(above(fabs(x[0]), fabs(x[-1])), above(fabs(x[-2]), fabs(x[-3])));
        }
    }
    memcpy(state->before, price + n, sizeof(state->before));
    state->sum = sum;
    state->weighted = weighted;
    state->worst = worst;
}

/* ---- hilbert: the transform of a series, times a gain ---- */

typedef struct {
    double before[6];
} hilbert_state;

static void hilbert_init(const double *par, void *state) {
    (void)par;
    memset(state, 0, sizeof(hilbert_state));
}
#define hilbert_valid any_valid

/* x[0], with six bars before it. */
FC_INLINE double transform(const double *x) {
    return ((-(INNER * x[-6]) + INNER * x[0]) - OUTER * x[-4]) + OUTER * x[-2];
}
/* The same without x[0]. */
FC_INLINE double earlier(const double *x) { return (-(INNER * x[-6]) - OUTER * x[-4]) + OUTER * x[-2]; }

static void hilbert_run(hilbert_state *state, const double *in, const double *gain, double *out, ptrdiff_t n) {
    double x[6 + CHUNK];
    memcpy(x, state->before, sizeof(state->before));
    memcpy(x + 6, in, (size_t)n * sizeof(double));
    for (ptrdiff_t t = 0; t < n; t++) {
        out[t] = transform(x + 6 + t) * gain[t];
    }
    memcpy(state->before, x + n, sizeof(state->before));
}

/* ---- cycle_period: the period of the dominant cycle ---- */

#define DETREND 9 /* earlier bars of the detrended price: three for its in-phase part, six for that one's transform */
#define HELD 0x1p-500 /* real and imaginary part stop here: their quotient counts, and they would become subnormal */

typedef struct {
    int64_t skip; /* bars to come that are left out */
    double smooth[6], detrended[DETREND], quadrature[6];
    double period, gain, i2, q2, real, imag;
} period_state;

static void cycle_period_init(const double *par, void *state) {
    memset(state, 0, sizeof(period_state));
    ((period_state *)state)->skip = (int64_t)par[0];
    ((period_state *)state)->gain = 0.54;
}

static int cycle_period_valid(const double *par, const void *state) {
    const period_state *s = state;
    return s->skip >= 0 && s->skip <= (int64_t)par[0];
}

/* Bars that are skipped have the period 0; as if there were no bars before the next one.
 * What does not wait for the newest gain comes first, and factors are multiplied out: a bar waits for the one before. */
static void cycle_period_run(period_state *state, const double *in, double *out, ptrdiff_t n) {
    for (; FC_UNLIKELY(state->skip && n); state->skip--, n--) {
        *out++ = 0.0;
        in++;
    }
    double smooth[6 + CHUNK], detrended[DETREND + CHUNK], quadrature[6 + CHUNK];
    double last = state->period, gain = state->gain, i1 = state->i2, q1 = state->q2;
    double real = state->real, imag = state->imag;
    memcpy(smooth, state->smooth, sizeof(state->smooth));
    memcpy(detrended, state->detrended, sizeof(state->detrended));
    memcpy(quadrature, state->quadrature, sizeof(state->quadrature));
    memcpy(smooth + 6, in, (size_t)n * sizeof(double));
    for (ptrdiff_t t = 0; t < n; t++) {
        double *d = detrended + DETREND + t, *q = quadrature + 6 + t;
        double price = transform(smooth + 6 + t), rest_d = earlier(d), rest_q = earlier(q);
        double turned = transform(d - 3), near1 = INNER * price, near2 = INNER * near1, near_d = INNER * rest_d;
        double i2 = 0.2 * d[-3] + 0.8 * i1, q2 = 0.8 * q1;
        double keep = fabs(real) + fabs(imag) > HELD ? 0.8 : 1.0;
        double kept_real = keep * real + 0.2 * (i2 * i1), kept_imag = keep * imag + 0.2 * (i2 * q1);
        double least = below(above(0.67 * last, 6.0), 50.0), most = below(above(1.5 * last, 6.0), 50.0);
        double kept = 0.8 * last, next_gain = 0.06 * last + 0.54;

        double turned_q = ((near2 * gain + near_d) * gain + rest_q) * gain;
        q[0] = (near1 * gain + rest_d) * gain;
        d[0] = price * gain;
        q2 += 0.2 * (q[0] + turned * gain);
        real = (kept_real + (0.2 * q1) * q2) - (0.04 * i1) * turned_q;
        imag = (kept_imag - (0.2 * i1) * q2) - (0.04 * q1) * turned_q;
        i1 = i2 - 0.2 * turned_q;
        q1 = q2;
        double period = fc_period_of(real / imag);
        if (FC_UNLIKELY(real == 0.0 || imag == 0.0)) {
            period = last;
        }
        if (FC_UNLIKELY(fabs(i1) + fabs(q1) < HELD)) {
            i1 = q1 = 0.0;
        }
        if (FC_UNLIKELY((real + imag) - (real + imag) != 0.0)) { /* prices whose squares are too large */
            i1 = q1 = real = imag = 0.0;
            period = last;
        }
        period = above(below(period, most), least);
        last = out[t] = 0.2 * period + kept;
        gain = 0.015 * period + next_gain;
    }
    memcpy(state->smooth, smooth + n, sizeof(state->smooth));
    memcpy(state->detrended, detrended + n, sizeof(state->detrended));
    memcpy(state->quadrature, quadrature + n, sizeof(state->quadrature));
    state->period = last;
    state->gain = gain;
    state->i2 = i1;
    state->q2 = q1;
    state->real = real;
    state->imag = imag;
}

/* ---- cycle_phase: where in its dominant cycle the price stands, in degrees ---- */

typedef struct {
    double before[FC_WAVE_MAX - 1], phase;
} phase_state;

static void cycle_phase_init(const double *par, void *state) {
    (void)par;
    memset(state, 0, sizeof(phase_state));
}

#define cycle_phase_valid any_valid

/* `price` and the bars before it, weighed with the sine and the cosine of a wave of that period. */
FC_INLINE double phase_of(const double *price, double period, double before) {
    const double degrees = 180.0 / 3.14159265358979323846;
    int length = (int)above(below(period + 0.5, FC_WAVE_MAX), 1.0);
    const double (*wave)[2] = fc_wave(length);
    double real = 0.0, imag = 0.0, phase = before;
    for (int i = 0; i < length; i++) {
        real += wave[i][0] * price[-i];
        imag += wave[i][1] * price[-i];
    }
    if (imag != 0.0) {
        phase = atan(real / imag) * degrees;
    } else if (real != 0.0) {
        phase += real < 0.0 ? -90.0 : 90.0;
    }
    phase += 90.0;
    phase += 360.0 / period; /* the smoothed price is one bar late */
    if (imag < 0.0) {
        phase += 180.0;
    }
    return phase > 315.0 ? phase - 360.0 : phase;
}

static void cycle_phase_run(phase_state *state, const double *in, const double *period, double *out, ptrdiff_t n) {
    double price[FC_WAVE_MAX - 1 + CHUNK];
    memcpy(price, state->before, sizeof(state->before));
    for (; n && *period == 0.0; n--, period++) { /* before the first period */
        *out++ = 0.0;
        in++;
    }
    memcpy(price + FC_WAVE_MAX - 1, in, (size_t)n * sizeof(double));
    for (ptrdiff_t t = 0; t < n; t++) {
        state->phase = out[t] = phase_of(price + FC_WAVE_MAX - 1 + t, period[t], state->phase);
    }
    memcpy(state->before, price + n, sizeof(state->before));
}

/* ---- these by chunks ---- */

#define CHUNKS(op, kinds, inputs, STATE, RUN, LAG)                                                                     \
    FIXED(op, STATE)                                                                                                   \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        (void)par;                                                                                                     \
        (void)scratch;                                                                                                 \
        for (ptrdiff_t i = 0, bars; i < n; i += bars) {                                                                \
            bars = n - i < CHUNK ? n - i : CHUNK;                                                                      \
            RUN((STATE *)carry, bars);                                                                                 \
        }                                                                                                              \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static double op##_step(const double *par, void *state, const double *bar, int commit) {                           \
        STATE copy;                                                                                                    \
        const double *in[] = {bar, bar + (inputs) - 1};                                                                \
        double result[1], *out = result;                                                                               \
        ptrdiff_t i = 0;                                                                                               \
        (void)par;                                                                                                     \
        if (!commit) {                                                                                                 \
            copy = *(STATE *)state;                                                                                    \
            state = &copy;                                                                                             \
        }                                                                                                              \
        RUN((STATE *)state, 1);                                                                                        \
        return result[0];                                                                                              \
    }                                                                                                                  \
    REMEMBERED(op, kinds, inputs, STATE, LAG, .declines = 0)

#define PERIOD_RUN(state, bars) cycle_period_run(state, in[0] + i, out + i, bars)
#define SMOOTH_RUN(state, bars) cycle_smooth_run(state, in[0] + i, out + i, bars)
#define HILBERT_RUN(state, bars) hilbert_run(state, in[0] + i, in[1] + i, out + i, bars)
#define PHASE_RUN(state, bars) cycle_phase_run(state, in[0] + i, in[1] + i, out + i, bars)
CHUNKS(cycle_period, "c", 1, period_state, PERIOD_RUN, NULL);
CHUNKS(cycle_smooth, "", 1, smooth_state, SMOOTH_RUN, smooth_lag);
CHUNKS(hilbert, "", 2, hilbert_state, HILBERT_RUN, NULL);
CHUNKS(cycle_phase, "", 2, phase_state, PHASE_RUN, NULL);

/* ---- cycle_mode: 1 in a trend, 0 in a cycle ---- */

typedef struct {
    double days, phase, seen; /* seen: 0 before the first bar */
} mode_state;

static void cycle_mode_init(const double *par, void *state) {
    (void)par;
    memset(state, 0, sizeof(mode_state));
}
#define cycle_mode_valid any_valid

/* Where the sine is above the one of 45 degrees later: 1, below: -1; before the first bar both are 0. */
FC_INLINE int crossed(double phase) {
    return phase > 67.5 && phase < 247.5 ? 1 : phase < 67.5 || phase > 247.5 ? -1 : 0;
}
FC_INLINE double cycle_mode_push(const double *par, mode_state *state, const double *in, int commit) {
    mode_state s = *state;
    double phase = in[0], period = in[1], turned = phase - s.phase, mode = 1.0;
    int now = crossed(phase), before = s.seen != 0.0 ? crossed(s.phase) : 0;
    (void)par;
    if (period == 0.0) {
        return 0.0;
    }
    if ((now > 0 && before <= 0) || (now < 0 && before >= 0)) {
        s.days = mode = 0.0;
    }
    s.days += 1.0;
    if (s.days < 0.5 * period) {
        mode = 0.0;
    }
    if (turned > 0.67 * 360.0 / period && turned < 1.5 * 360.0 / period) {
        mode = 0.0;
    }
    s.phase = phase;
    s.seen = 1.0;
    if (commit) {
        *state = s;
    }
    return mode;
}
SCAN(cycle_mode, "", 2, mode_state, cycle_mode_push, NULL);
