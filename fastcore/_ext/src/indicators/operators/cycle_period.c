/* cycle_period: the period of the dominant cycle by the Hilbert transform. */
#include "indicators/kernels/overlapping.h"
#include "indicators/operators/cycles.h"
#include "indicators/waves.h"

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
static FC_NOINLINE void cycle_period_run(period_state *state, const double *in, double *out, ptrdiff_t n) {
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

#define PERIOD_RUN(state, bars) cycle_period_run(state, in[0] + i, out + i, bars)

static ptrdiff_t one_by_one(period_state *state, const double *in, double *out, ptrdiff_t n) {
    for (ptrdiff_t i = 0, bars; i < n; i += bars) {
        bars = n - i < CHUNK ? n - i : CHUNK;
        cycle_period_run(state, in + i, out + i, bars);
    }
    return n;
}

/* ---- many bars: segments of them side by side, a lane each ----
 *
 * A bar waits for the one before. But what a bar was measured with is forgotten: WARM bars on, two measures that began
 * differently hardly ever differ by more than rounding does. So all segments but the first begin as many bars early,
 * from a guess. Where a segment ends, its measure is compared with what the next one has there. If that is not the same
 * to CLOSE, the next one is taken again, bar by bar.
 */

#define WARM 512
#define LEAST 128 /* bars of a segment */
#define CLOSE 0x1p-46
#define GUESS 15.0 /* the period */

/* Four measures, a lane each; the lines with room for a chunk. */
enum { LAST, GAIN, I1, Q1, REAL, IMAG, NUMBERS }; /* as in period_state, from `period` on */
typedef struct {
    v4 numbers[NUMBERS];
    v4 least, bad; /* the least of what must not be small; 0 unless something was not finite */
} four_values;
typedef struct {
    v4 smooth[6 + CHUNK], detrended[DETREND + CHUNK], quadrature[6 + CHUNK];
    four_values values;
} four_periods;

FC_INLINE v4 earlier4(const v4 *x) {
    return v4_sub(v4_mul(v4_all(OUTER), x[-2]), v4_add(v4_mul(v4_all(INNER), x[-6]), v4_mul(v4_all(OUTER), x[-4])));
}
FC_INLINE v4 transform4(const v4 *x) {
    v4 inner = v4_sub(v4_mul(v4_all(INNER), x[0]), v4_mul(v4_all(INNER), x[-6]));
    return v4_add(v4_sub(inner, v4_mul(v4_all(OUTER), x[-4])), v4_mul(v4_all(OUTER), x[-2]));
}

/* Of the first four, or the last four, of each lane's polynomial. */
FC_INLINE void terms4(const double *const *c, v4 *term) {
    v4 a = v4_load(c[0]), b = v4_load(c[1]), d = v4_load(c[2]), e = v4_load(c[3]);
    v4 ab = v4_zip_lowers(a, b), de = v4_zip_lowers(d, e);
    term[0] = v4_low_low(ab, de);
    term[2] = v4_high_high(ab, de);
    ab = v4_zip_uppers(a, b);
    de = v4_zip_uppers(d, e);
    term[1] = v4_low_low(ab, de);
    term[3] = v4_high_high(ab, de);
}

/* fc_period_of() of four. */
FC_INLINE v4 period_of4(v4 cotangent) {
    double lane[4], part[4];
    const double *c[4], *high[4];
    v4 low_terms[4], terms[4];
    v4_store(lane, v4_max(v4_min(cotangent, v4_all(7.99)), v4_all(0.5)));
    for (int l = 0; l < 4; l++) {
        c[l] = fc_period_terms(lane[l], part + l);
        high[l] = c[l] + 4;
    }
    v4 x = v4_of(part[0], part[1], part[2], part[3]), x2 = v4_mul(x, x), x4 = v4_mul(x2, x2);
    terms4(c, low_terms);
    terms4(high, terms);
    v4 low = v4_add(v4_add(low_terms[0], v4_mul(low_terms[1], x)),
                    v4_mul(v4_add(low_terms[2], v4_mul(low_terms[3], x)), x2));
    v4 top = v4_add(v4_add(terms[0], v4_mul(terms[1], x)), v4_mul(v4_add(terms[2], v4_mul(terms[3], x)), x2));
    return v4_add(low, v4_mul(top, x4));
}

/* As cycle_period_run() where nothing is too small or too large, with the same digits. */
FC_INLINE v4 period4(four_values *v, const v4 *smooth, v4 *d, v4 *q) {
    const v4 inner = v4_all(INNER), fifth = v4_all(0.2), most_of = v4_all(0.8);
    v4 i1 = v->numbers[I1], q1 = v->numbers[Q1], gain = v->numbers[GAIN], last = v->numbers[LAST];
    v4 price = transform4(smooth), rest_d = earlier4(d), rest_q = earlier4(q), turned = transform4(d - 3);
    v4 near1 = v4_mul(inner, price), near2 = v4_mul(inner, near1), near_d = v4_mul(inner, rest_d);
    v4 i2 = v4_add(v4_mul(fifth, d[-3]), v4_mul(most_of, i1)), q2 = v4_mul(most_of, q1);
    v4 kept_real = v4_add(v4_mul(most_of, v->numbers[REAL]), v4_mul(fifth, v4_mul(i2, i1)));
    v4 kept_imag = v4_add(v4_mul(most_of, v->numbers[IMAG]), v4_mul(fifth, v4_mul(i2, q1)));
    v4 six = v4_all(6.0), fifty = v4_all(50.0);
    v4 least = v4_min(v4_max(v4_mul(v4_all(0.67), last), six), fifty);
    v4 most = v4_min(v4_max(v4_mul(v4_all(1.5), last), six), fifty);
    v4 kept = v4_mul(most_of, last), next_gain = v4_add(v4_mul(v4_all(0.06), last), v4_all(0.54));

    v4 turned_q = v4_mul(v4_add(v4_mul(v4_add(v4_mul(near2, gain), near_d), gain), rest_q), gain);
    q[0] = v4_mul(v4_add(v4_mul(near1, gain), rest_d), gain);
    d[0] = v4_mul(price, gain);
    q2 = v4_add(q2, v4_mul(fifth, v4_add(q[0], v4_mul(turned, gain))));
    v4 real = v4_sub(v4_add(kept_real, v4_mul(v4_mul(fifth, q1), q2)), v4_mul(v4_mul(v4_all(0.04), i1), turned_q));
    v4 imag = v4_sub(v4_sub(kept_imag, v4_mul(v4_mul(fifth, i1), q2)), v4_mul(v4_mul(v4_all(0.04), q1), turned_q));
    v->numbers[I1] = v4_sub(i2, v4_mul(fifth, turned_q));
    v->numbers[Q1] = q2;
    v->numbers[REAL] = real;
    v->numbers[IMAG] = imag;
    v4 size = v4_min(v4_min(v4_abs(real), v4_abs(imag)), v4_add(v4_abs(v->numbers[I1]), v4_abs(q2)));
    v->least = v4_min(size, v->least);
    v->bad = v4_note(v->bad, v4_add(real, imag));
    v4 period = v4_max(v4_min(period_of4(v4_div(real, imag)), most), least);
    v->numbers[LAST] = v4_add(v4_mul(fifth, period), kept);
    v->numbers[GAIN] = v4_add(v4_mul(v4_all(0.015), period), next_gain);
    return v->numbers[LAST];
}

/* The next m bars, an even number up to CHUNK, of all segments, which begin `apart` from each other. */
static FC_NOINLINE void run_periods(four_periods *f, const double *in, ptrdiff_t apart, double *out, ptrdiff_t m,
                                    int warm) {
    four_values one = f[0].values, two = f[1].values;
    for (ptrdiff_t t = 0; t < m; t += 2) {
        v4 *x1 = f[0].smooth + 6 + t, *d1 = f[0].detrended + DETREND + t, *q1 = f[0].quadrature + 6 + t;
        v4 *x2 = f[1].smooth + 6 + t, *d2 = f[1].detrended + DETREND + t, *q2 = f[1].quadrature + 6 + t;
        v4_load_bars(in + t, apart, x1, x1 + 1);
        v4_load_bars(in + 4 * apart + t, apart, x2, x2 + 1);
        v4 made1[2], made2[2];
        for (int j = 0; j < 2; j++) {
            made1[j] = period4(&one, x1 + j, d1 + j, q1 + j);
            made2[j] = period4(&two, x2 + j, d2 + j, q2 + j);
        }
        fc_overlapping_keep(out + t, apart, 0, made1, warm);
        fc_overlapping_keep(out + t, apart, 1, made2, warm);
    }
    f[0].values = one;
    f[1].values = two;
    for (int g = 0; g < 2; g++) {
        memmove(f[g].smooth, f[g].smooth + m, 6 * sizeof(v4));
        memmove(f[g].detrended, f[g].detrended + m, DETREND * sizeof(v4));
        memmove(f[g].quadrature, f[g].quadrature + m, 6 * sizeof(v4));
    }
}

/* Between lanes and a state for each: of `count` numbers in a row, the first of which is `at` bytes from where a state
 * begins. */
static FC_NOINLINE void to_lanes(const char *states, size_t at, v4 *lanes, int count) {
    for (int i = 0; i < count; i++) {
        double lane[4];
        for (int l = 0; l < 4; l++) {
            memcpy(lane + l, states + l * sizeof(period_state) + at + i * sizeof(double), sizeof(double));
        }
        lanes[i] = v4_load(lane);
    }
}
static FC_NOINLINE void from_lanes(char *states, size_t at, const v4 *lanes, int count) {
    for (int i = 0; i < count; i++) {
        double lane[4];
        v4_store(lane, lanes[i]);
        for (int l = 0; l < 4; l++) {
            memcpy(states + l * sizeof(period_state) + at + i * sizeof(double), lane + l, sizeof(double));
        }
    }
}
#define EACH_FIELD(MOVE)                                                                                               \
    for (int g = 0; g < 2; g++) {                                                                                      \
        MOVE(states + 4 * g * sizeof(period_state), offsetof(period_state, smooth), f[g].smooth, 6);                   \
        MOVE(states + 4 * g * sizeof(period_state), offsetof(period_state, detrended), f[g].detrended, DETREND);       \
        MOVE(states + 4 * g * sizeof(period_state), offsetof(period_state, quadrature), f[g].quadrature, 6);           \
        MOVE(states + 4 * g * sizeof(period_state), offsetof(period_state, period), f[g].values.numbers, NUMBERS);     \
    }
static FC_NOINLINE void periods_in(const char *states, four_periods *f) { EACH_FIELD(to_lanes) }
static FC_NOINLINE void periods_out(char *states, const four_periods *f) { EACH_FIELD(from_lanes) }

static int are_close(const double *a, const double *b, int n) {
    double most = 0.0, off = 0.0;
    for (int i = 0; i < n; i++) {
        most = above(fabs(b[i]), most);
        off = above(fabs(a[i] - b[i]), off);
    }
    return off <= most * CLOSE;
}
static int states_agree(const period_state *a, const period_state *b) {
    double waves_a[] = {a->i2, a->q2}, waves_b[] = {b->i2, b->q2};
    double turns_a[] = {a->real, a->imag}, turns_b[] = {b->real, b->imag};
    return are_close(a->detrended, b->detrended, DETREND) && are_close(a->quadrature, b->quadrature, 6) &&
           are_close(waves_a, waves_b, 2) && are_close(turns_a, turns_b, 2) && are_close(&a->period, &b->period, 1);
}

static void set_flags(four_periods *f) {
    for (int g = 0; g < 2; g++) {
        f[g].values.least = v4_all(1.0);
        f[g].values.bad = v4_zero();
    }
}
/* Bit l: whether a number of lane l was too small or not finite. */
static int flags_of(const four_periods *f) {
    double least[FC_OVERLAPPING], bad[FC_OVERLAPPING];
    int flags = 0;
    for (int g = 0; g < 2; g++) {
        v4_store(least + 4 * g, f[g].values.least);
        v4_store(bad + 4 * g, f[g].values.bad);
    }
    for (int l = 0; l < FC_OVERLAPPING; l++) {
        flags |= !(least[l] > HELD && bad[l] == 0.0) << l;
    }
    return flags;
}

/* Of segments of `length` bars; returns how many bars are done. `again`: plus the segments that were taken again. */
static ptrdiff_t periods_side_by_side(period_state *state, const double *in, double *out, ptrdiff_t length,
                                      int *again) {
    ptrdiff_t all = length + WARM;
    period_state begun[FC_OVERLAPPING] = {*state}, ended[FC_OVERLAPPING];
    four_periods f[2];
    int flags = 0;
    for (int l = 1; l < FC_OVERLAPPING; l++) {
        begun[l] = (period_state){.period = GUESS, .gain = 0.54 + 0.075 * GUESS};
        memcpy(begun[l].smooth, in + l * length - 6, sizeof(begun[l].smooth));
    }
    memcpy(ended, begun, sizeof(begun)); /* none skips bars */
    periods_in((const char *)begun, f);
    set_flags(f);
    for (ptrdiff_t t = 0, m; t < all; t += m) {
        m = all - t < CHUNK ? all - t : CHUNK;
        if (t == WARM) { /* a multiple of CHUNK */
            flags = flags_of(f) & 1;
            periods_out((char *)begun, f);
            set_flags(f);
        }
        run_periods(f, in + t, length, out + t, m, t < WARM);
    }
    flags |= flags_of(f);
    periods_out((char *)ended, f);
    if (flags & 1) {
        *again = FC_OVERLAPPING;
        return 0;
    }
    for (int l = 1; l < FC_OVERLAPPING; l++) {
        if (flags >> l & 1 || !states_agree(begun + l, ended + l - 1)) {
            ptrdiff_t from = l * length + WARM;
            ended[l] = ended[l - 1];
            one_by_one(ended + l, in + from, out + from, length);
            ++*again;
        }
    }
    *state = ended[FC_OVERLAPPING - 1];
    return FC_OVERLAPPING * length + WARM;
}

typedef struct {
    period_state state;
    int64_t wait, next; /* parts that are taken bar by bar, as segments did not agree; and after the next time */
} period_carry;

static void cycle_period_begin(const double *par, void *carry) {
    memset(carry, 0, sizeof(period_carry));
    cycle_period_init(par, carry);
}

static int cycle_period_block(const double *par, void *carry, const double *const *in, double *restrict out,
                              ptrdiff_t n, double *scratch) {
    period_carry *c = carry;
    (void)par;
    (void)scratch;
    for (ptrdiff_t i = 0, end; i < n; i = end) {
        end = n - i < FC_OVERLAPPED + FC_OVERLAPPED / 2 ? n : i + FC_OVERLAPPED;
        if (c->state.real == 0.0) { /* the first bars, or prices that do not move */
            i += one_by_one(&c->state, in[0] + i, out + i, end - i < CHUNK ? end - i : CHUNK);
        }
        ptrdiff_t length = fc_overlapping_bars(end - i, WARM, LEAST);
        if (c->wait) {
            c->wait--;
        } else if (c->state.real != 0.0 && length) {
            int again = 0;
            i += periods_side_by_side(&c->state, in[0] + i, out + i, length, &again);
            c->wait = c->next = again > FC_OVERLAPPING / 2 ? 2 * c->next + 1 : 0;
        }
        one_by_one(&c->state, in[0] + i, out + i, end - i);
    }
    return 0;
}

CHUNK_STEP(cycle_period, 1, period_state, PERIOD_RUN)
const fc_operator FC(operator_cycle_period) = {.name = "cycle_period",
                                               .par = "c",
                                               .n_in = 1,
                                               .kind = FC_REMEMBER,
                                               .block = cycle_period_block,
                                               .many = FC_OVERLAPPED,
                                               .carry = sizeof(period_carry),
                                               .begin = cycle_period_begin,
                                               .step = cycle_period_step,
                                               .size = cycle_period_size,
                                               .init = cycle_period_init,
                                               .valid = cycle_period_valid};
