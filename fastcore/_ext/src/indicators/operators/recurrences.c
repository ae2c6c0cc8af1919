/* Operators that remember: smoothing, running totals, what came before. A bar at which one would overflow is left out. */
#include "indicators/operators/recurrence_lanes.h"
#include "indicators/operators/scan.h"
#include "indicators/operators/smoothing.h"

#define LANES(op, ROWS) .across = op##_across, .rows = ROWS, .fresh = op##_fresh

/* ---- after: without the first values ---- */

typedef struct {
    int64_t left;
} after_state;

static ptrdiff_t count_of(const double *par) { return (ptrdiff_t)par[0]; }
static void after_init(const double *par, void *state) { ((after_state *)state)->left = (int64_t)par[0]; }
static int after_valid(const double *par, const void *state) {
    const after_state *s = state;
    return s->left >= 0 && s->left <= (int64_t)par[0];
}
FC_INLINE double after_push(const double *par, after_state *s, const double *in, int commit) {
    (void)par;
    if (s->left == 0) {
        return in[0];
    }
    s->left -= commit;
    return NAN;
}
SCAN(after, "c", 1, after_state, after_push, count_of, LANES(after, one_row));

/* ---- previous, total, hold, first: one number ---- */

typedef struct {
    double value;
} memory;

static ptrdiff_t previous_lag(const double *par) { return par[0] != par[0]; }
static void previous_init(const double *par, void *state) { ((memory *)state)->value = par[0]; }
#define previous_valid any_valid
FC_INLINE double previous_push(const double *par, memory *s, const double *in, int commit) {
    double before = s->value;
    (void)par;
    if (commit) {
        s->value = in[0];
    }
    return before;
}
ONE_ROW(previous, 1, memory, value, previous_push)
static int previous_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                          double *scratch) {
    memory *s = carry;
    (void)par;
    (void)scratch;
    const double *x = in[0];
    ptrdiff_t i = 1;
    out[0] = s->value;
    for (; i + 4 <= n; i += 4) {
        v4_store(out + i, v4_load(x + i - 1));
    }
    for (; i < n; i++) {
        out[i] = x[i - 1];
    }
    s->value = x[n - 1];
    return 0;
}
REMEMBERING(previous, "f", 1, memory, previous_push, previous_lag, 0, LANES(previous, one_row));

static void hold_init(const double *par, void *state) {
    (void)par;
    ((memory *)state)->value = 0.0;
}
#define hold_valid any_valid
FC_INLINE double hold_push(const double *par, memory *s, const double *in, int commit) {
    (void)par;
    if (!(in[1] > 0.0)) {
        return s->value;
    }
    if (commit) {
        s->value = in[0];
    }
    return in[0];
}
ONE_ROW(hold, 2, memory, value, hold_push)
/* Of four bars each takes the value of the latest one before it that has a weight: a neighbour, then the first half. */
static int hold_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                      double *scratch) {
    memory s = *(memory *)carry;
    v4 zero = v4_zero(), held = v4_all(s.value);
    ptrdiff_t i = 0;
    (void)scratch;
    for (; i + 4 <= n; i += 4) {
        v4 x = v4_load(in[0] + i), weight = v4_load(in[1] + i);
        x = v4_pick_gt(weight, zero, x, v4_raised(x));
        weight = v4_max(weight, v4_raised(weight));
        x = v4_pick_gt(weight, zero, x, v4_zero_low(v4_uppers(x)));
        weight = v4_max(weight, v4_zero_low(v4_uppers(weight)));
        held = v4_pick_gt(weight, zero, x, held);
        v4_store(out + i, held);
        held = v4_last(held);
    }
    s.value = v4_one(held);
    for (; i < n; i++) {
        double bar[2] = {in[0][i], in[1][i]};
        out[i] = hold_push(par, &s, bar, 1);
    }
    *(memory *)carry = s;
    return 0;
}
REMEMBERING(hold, "", 2, memory, hold_push, NULL, 0, LANES(hold, one_row));

static void first_init(const double *par, void *state) {
    (void)par;
    ((memory *)state)->value = NAN;
}
#define first_valid any_valid
FC_INLINE double first_push(const double *par, memory *s, const double *in, int commit) {
    (void)par;
    if (s->value == s->value) {
        return s->value;
    }
    if (commit && in[1] != 0.0) {
        s->value = in[0];
    }
    return in[0];
}
ONE_ROW(first, 2, memory, value, first_push)
SCAN(first, "", 2, memory, first_push, NULL, LANES(first, one_row));

static void product_init(const double *par, void *state) {
    (void)par;
    ((memory *)state)->value = 1.0;
}
#define product_valid any_valid
FC_INLINE double product_push(const double *par, memory *s, const double *in, int commit) {
    double product = fc_or_missing(s->value * in[0]);
    (void)par;
    if (commit) {
        s->value = product == product ? product : s->value;
    }
    return product;
}
ONE_ROW(product, 1, memory, value, product_push)
/* Of factors between them five have a product that is finite and not subnormal. */
#define LEAST_FACTOR 0x1p-200
#define MOST_FACTOR 0x1p200
static int product_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                         double *scratch) {
    memory s = *(memory *)carry;
    ptrdiff_t i = 0;
    (void)scratch;
    for (; i + 4 <= n; i += 4) { /* of four bars first: only the last one's product is waited for */
        const double *x = in[0] + i, value = fabs(s.value);
        v4 size = v4_abs(v4_load(x));
        int moderate = v4_positive(v4_min(v4_sub(size, v4_all(LEAST_FACTOR)), v4_sub(v4_all(MOST_FACTOR), size)));
        if (FC_UNLIKELY(!(moderate && value > LEAST_FACTOR && value < MOST_FACTOR))) {
            for (int j = 0; j < 4; j++) {
                out[i + j] = product_push(par, &s, x + j, 1);
            }
            continue;
        }
        double two = x[0] * x[1], four = two * (x[2] * x[3]);
        v4_store(out + i, v4_mul(v4_all(s.value), v4_of(x[0], two, two * x[2], four)));
        s.value *= four;
    }
    for (; i < n; i++) {
        out[i] = product_push(par, &s, in[0] + i, 1);
    }
    *(memory *)carry = s;
    return 0;
}
REMEMBERING(product, "", 1, memory, product_push, NULL, 0, LANES(product, one_row));

#define follow_init first_init
#define follow_valid any_valid
FC_INLINE double follow_push(const double *par, memory *s, const double *in, int commit) {
    double y = s->value == s->value ? s->value : in[2];
    (void)par;
    y = fc_or_missing(y + in[1] * (in[0] - y));
    if (commit) {
        s->value = y == y ? y : s->value;
    }
    return y;
}
ONE_ROW(follow, 3, memory, value, follow_push)

/* The average is kept as its distance from the latest value, as in stages.h: apart[i] = keep[i] * (apart[i-1] + x[i-1] -
 * x[i]). Over four bars that is factor * apart + rest; only the last one is waited for. */
FC_INLINE int follow_four(const double *x, const double *rate, double before, double *apart, double *out) {
    double k[4], u[4];
    v4 now = v4_load(x);
    v4_store(k, v4_sub(v4_all(1.0), v4_load(rate)));
    v4_store(u, v4_sub(v4_of(before, x[0], x[1], x[2]), now));
    double two = k[0] * k[1], three = two * k[2], four = three * k[3];
    double rest1 = k[0] * u[0], rest2 = k[1] * (rest1 + u[1]), rest3 = k[2] * (rest2 + u[2]);
    double rest4 = k[3] * (rest3 + u[3]), last = four * *apart + rest4;
    if (FC_UNLIKELY(!(fabs(four) <= 1.0))) { /* a rate that is none may make too much of the factors */
        return 0;
    }
    v4 moved = v4_add(v4_mul(v4_of(k[0], two, three, four), v4_all(*apart)), v4_of(rest1, rest2, rest3, rest4));
    v4_store(out, v4_add(now, moved));
    *apart = FC_UNLIKELY(fabs(last) < fc_negligible(x[3])) ? 0.0 : last;
    return 1;
}

/* As in kernels/recurrence.c: sixteen segments of `length` bars side by side. What a segment leaves is added to the bars of
 * the next one times the products of what these keep. Returns 0 if a bar keeps more than all. */
FC_INLINE int follow_segments(const double *x, const double *rate, double before, double *apart, double *restrict out,
                              ptrdiff_t length) {
    double products[FC_SEGMENTS * FC_SEGMENT], ends[FC_SEGMENTS], kept[FC_SEGMENTS];
    v4 had[FC_SEGMENTS / 4], y[FC_SEGMENTS / 4], product[FC_SEGMENTS / 4], most = v4_zero(), one = v4_all(1.0);
    for (int g = 0; g < FC_SEGMENTS / 4; g++) {
        const double *x0 = x + 4 * g * length - 1;
        had[g] = v4_of(g ? x0[0] : before, x0[length], x0[2 * length], x0[3 * length]);
        y[g] = g ? v4_zero() : v4_alone(*apart);
        product[g] = one;
    }
    for (ptrdiff_t t = 0; t < length; t += 2) {
        for (int g = 0; g < FC_SEGMENTS / 4; g++) {
            ptrdiff_t i = 4 * g * length + t;
            v4 now[2], keep[2], result[2], made[2];
            fc_ask_ahead(x + 16 * t + 8 * g, out + 16 * t + 8 * g);
            v4_load_bars(x + i, length, now, now + 1);
            v4_load_bars(rate + i, length, keep, keep + 1);
            for (int j = 0; j < 2; j++) {
                keep[j] = v4_sub(one, keep[j]);
                most = v4_max(most, v4_abs(keep[j]));
                y[g] = v4_mul(keep[j], v4_add(y[g], v4_sub(had[g], now[j])));
                made[j] = product[g] = v4_mul(product[g], keep[j]);
                result[j] = v4_add(now[j], y[g]);
                had[g] = now[j];
            }
            v4_store_bars(out + i, length, result[0], result[1]);
            v4_store_bars(products + i, length, made[0], made[1]);
        }
    }
    for (int g = 0; g < FC_SEGMENTS / 4; g++) {
        v4_store(ends + 4 * g, y[g]);
        v4_store(kept + 4 * g, product[g]);
    }
    v4_store(products, most);
    if (!(products[0] <= 1.0 && products[1] <= 1.0 && products[2] <= 1.0 && products[3] <= 1.0)) {
        return 0;
    }
    double last = ends[0];
    for (int s = 1; s < FC_SEGMENTS; s++) {
        v4 left = v4_all(last);
        for (ptrdiff_t i = s * length; i < (s + 1) * length; i += 4) {
            v4_store(out + i, v4_add(v4_load(out + i), v4_mul(v4_load(products + i), left)));
        }
        last = ends[s] + kept[s] * last;
    }
    *apart = fc_settled(last, x[FC_SEGMENTS * length - 1]);
    return 1;
}

static int follow_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                        double *scratch) {
    memory *s = carry;
    const double *x = in[0], *rate = in[1];
    ptrdiff_t i = 0;
    double before = s->value == s->value ? s->value : in[2][0], apart = 0.0;
    (void)par;
    (void)scratch;
    for (ptrdiff_t length; (length = fc_segment_of(n - i)) > 0; i += FC_SEGMENTS * length) {
        if (!follow_segments(x + i, rate + i, before, &apart, out + i, length)) {
            break;
        }
        before = x[i + FC_SEGMENTS * length - 1];
    }
    for (; i + 4 <= n; i += 4) {
        if (!follow_four(x + i, rate + i, before, &apart, out + i)) {
            break;
        }
        before = x[i + 3];
    }
    double y = before + apart;
    for (; i < n; i++) {
        out[i] = y += rate[i] * (x[i] - y);
    }
    s->value = y;
    return !fc_finite(y); /* what is not finite never leaves the average */
}
REMEMBERING(follow, "", 3, memory, follow_push, NULL, 3, LANES(follow, one_row)); /* of starts it reads one */

#define total_init hold_init
#define total_valid any_valid
FC_INLINE double total_push(const double *par, memory *s, const double *in, int commit) {
    double sum = fc_or_missing(s->value + in[0]);
    (void)par;
    if (commit) {
        s->value = sum == sum ? sum : s->value;
    }
    return sum;
}
ONE_ROW(total, 1, memory, value, total_push)
/* Of bars, or of the products of two series. */
FC_INLINE int totals(memory *s, const double *const *in, double *restrict out, ptrdiff_t n, int products) {
    v4 all = v4_all(s->value);
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4) {
        v4 x = v4_load(in[0] + i), sums = v4_scan(products ? v4_mul(x, v4_load(in[1] + i)) : x);
        v4_store(out + i, v4_add(all, sums));
        all = v4_add(all, v4_last(sums));
    }
    double sum = v4_one(all);
    for (; i < n; i++) {
        out[i] = sum += products ? in[0][i] * in[1][i] : in[0][i];
    }
    s->value = sum;
    return !fc_finite(sum); /* what is not finite never leaves the sum */
}
static int total_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                       double *scratch) {
    (void)par;
    (void)scratch;
    return totals(carry, in, out, n, 0);
}
static int total_of_products(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                             double *scratch) {
    (void)par;
    (void)scratch;
    return totals(carry, in, out, n, 1);
}
static const fc_taking total_taking[] = {{{"mul", NULL}, total_of_products, NULL}, {{NULL, NULL}, NULL, NULL}};
REMEMBERING(total, "", 1, memory, total_push, NULL, 1, .taking = total_taking, LANES(total, one_row));

/* ---- smooth, apart: exponential averages ---- */

static ptrdiff_t period_lag(const double *par) { return (ptrdiff_t)par[0] - 1; }
FIXED(smooth, fc_ema)
static void smooth_init(const double *par, void *state) { fc_ema_init(state, par[0], par[1], 0.0); }
static int smooth_valid(const double *par, const void *state) { return fc_ema_valid(state, par[0], par[1], 0.0); }

static double smooth_step(const double *par, void *state, const double *in, int commit) {
    (void)par;
    return fc_push_ema(state, in[0], commit);
}
static double apart_step(const double *par, void *state, const double *in, int commit) {
    (void)par;
    return fc_push_apart(state, in[0], commit);
}

static void smooth_begin(const double *par, void *carry) {
    fc_smooth_carry *s = carry;
    smooth_init(par, &s->start);
    FC(decay_init)(&s->average.decay, par[1], par[1]);
}

/* Takes bars until the average is seeded, at out[i]; returns how many it took, or -1 if one is not finite. */
static ptrdiff_t seed(fc_smooth_carry *s, const double *x, double *out, ptrdiff_t n, int apart) {
    fc_ema *start = &s->start;
    ptrdiff_t left = (ptrdiff_t)(start->period - start->seen), m = n < left ? n : left;
    if (m <= 0) {
        return 0;
    }
    double base = start->seen ? start->before : x[0], latest = x[m - 1], distance = 0.0;
    start->before = base;
    start->apart += fc_sum_from(x, base, m);
    start->seen += m;
    fc_missing(out, m);
    if (m == left) {
        distance = (base - latest) + start->apart / (double)start->period;
        out[m - 1] = apart ? distance : latest + distance;
    }
    s->average.before = latest;
    s->average.apart = distance;
    return fc_finite(start->apart + distance) ? m : -1;
}

static int smooth_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                        double *scratch) {
    fc_smooth_carry *s = carry;
    (void)par;
    (void)scratch;
    ptrdiff_t i = seed(s, in[0], out, n, 0);
    return i < 0 || (i < n && FC(average_run)(&s->average, in[0] + i, out + i, n - i));
}

static int apart_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                       double *scratch) {
    fc_smooth_carry *s = carry;
    (void)par;
    (void)scratch;
    ptrdiff_t i = seed(s, in[0], out, n, 1);
    return i < 0 || (i < n && FC(apart_run)(&s->average, in[0] + i, out + i, n - i));
}

#define SMOOTHING(op, CHAIN)                                                                                           \
    const fc_operator FC(operator_##op) = {.name = #op,                                                                \
                                           .par = "pf",                                                                \
                                           .n_in = 1,                                                                  \
                                           .kind = FC_REMEMBER,                                                        \
                                           .lag = period_lag,                                                          \
                                           .block = op##_block,                                                        \
                                           .chain = CHAIN,                                                             \
                                           .declines = 1,                                                              \
                                           .carry = sizeof(fc_smooth_carry),                                           \
                                           .begin = smooth_begin,                                                      \
                                           .step = op##_step,                                                          \
                                           .size = smooth_size,                                                        \
                                           .init = smooth_init,                                                        \
                                           .valid = smooth_valid,                                                      \
                                           .across = op##_across,                                                      \
                                           .rows = smooth_rows,                                                        \
                                           .fresh = smooth_fresh}
SMOOTHING(smooth, FC(smooth_chain));
SMOOTHING(apart, NULL);
