/* Ehlers' measure of the dominant cycle by the Hilbert transform: smoothed price, phase, and mode. */
#include "indicators/operators/cycles.h"
#include "indicators/operators/elementary.h"
#include "indicators/waves.h"

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

static void hilbert_run(hilbert_state *state, const double *in, const double *gain, double *out, ptrdiff_t n) {
    double x[6 + CHUNK];
    memcpy(x, state->before, sizeof(state->before));
    memcpy(x + 6, in, (size_t)n * sizeof(double));
    for (ptrdiff_t t = 0; t < n; t++) {
        out[t] = transform(x + 6 + t) * gain[t];
    }
    memcpy(state->before, x + n, sizeof(state->before));
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

FC_INLINE int length_of(double period) { return (int)above(below(period + 0.5, FC_WAVE_MAX), 1.0); }

/* `price` and the bars before it, weighed with the sine and the cosine of a wave of that period: real and imag. The order
 * of the sums is that of the published listing, as prices are large compared with the sums. */
FC_INLINE void weigh(const double *price, double period, double *real, double *imag) {
    int length = length_of(period);
    const double *wave = fc_wave(length);
    *real = *imag = 0.0;
    for (int i = 0; i < length; i++) {
        *real += wave[2 * i] * price[-i];
        *imag += wave[2 * i + 1] * price[-i];
    }
}

/* The same of four bars; shorter waves go on with zeros. */
FC_INLINE void weigh_four(const double *price, const double *period, double *real, double *imag) {
    const double *wave[4];
    int longest = 0;
    for (int l = 0; l < 4; l++) {
        int length = length_of(period[l]);
        wave[l] = fc_wave(length);
        longest = length > longest ? length : longest;
    }
    v4 sines = v4_zero(), cosines = v4_zero();
    for (int i = 0; i < longest; i++) {
        v4 even = v4_load_two(wave[0] + 2 * i, wave[2] + 2 * i), odd = v4_load_two(wave[1] + 2 * i, wave[3] + 2 * i);
        v4 x = v4_load(price - i);
        sines = v4_add(sines, v4_mul(v4_zip_lowers(even, odd), x));
        cosines = v4_add(cosines, v4_mul(v4_zip_uppers(even, odd), x));
    }
    v4_store(real, sines);
    v4_store(imag, cosines);
}

/* From the direction to the phase. */
FC_INLINE double phase_from(double direction, double imag, double period) {
    double phase = direction + 90.0;
    phase += 360.0 / period; /* the smoothed price is one bar late */
    phase += imag < 0.0 ? 180.0 : 0.0;
    return phase - (phase > 315.0 ? 360.0 : 0.0);
}

static void cycle_phase_run(phase_state *state, const double *in, const double *period, double *out, ptrdiff_t n) {
    double price[FC_WAVE_MAX - 1 + CHUNK], real[CHUNK], imag[CHUNK], *now = price + FC_WAVE_MAX - 1, upright = 1.0;
    ptrdiff_t i = 0;
    memcpy(price, state->before, sizeof(state->before));
    for (; n && *period == 0.0; n--, period++) { /* before the first period */
        *out++ = 0.0;
        in++;
    }
    memcpy(now, in, (size_t)n * sizeof(double));
    for (; i + 4 <= n; i += 4) {
        weigh_four(now + i, period + i, real + i, imag + i);
    }
    for (; i < n; i++) {
        weigh(now + i, period[i], real + i, imag + i);
    }
    for (ptrdiff_t t = 0; t < n; t++) {
        out[t] = phase_from(fc_atan(real[t] / imag[t]) * (180.0 / 3.14159265358979323846), imag[t], period[t]);
        upright = imag[t] == 0.0 ? 0.0 : upright;
    }
    for (ptrdiff_t t = 0; upright == 0.0 && t < n; t++) {
        if (imag[t] == 0.0) {
            double last = t ? out[t - 1] : state->phase, turn = real[t] < 0.0 ? -90.0 : 90.0;
            out[t] = phase_from(real[t] != 0.0 ? last + turn : last, imag[t], period[t]);
        }
    }
    state->phase = n ? out[n - 1] : state->phase;
    memcpy(state->before, price + n, sizeof(state->before));
}

/* ---- these by chunks ---- */

#define SMOOTH_RUN(state, bars) cycle_smooth_run(state, in[0] + i, out + i, bars)
#define HILBERT_RUN(state, bars) hilbert_run(state, in[0] + i, in[1] + i, out + i, bars)
#define PHASE_RUN(state, bars) cycle_phase_run(state, in[0] + i, in[1] + i, out + i, bars)
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
