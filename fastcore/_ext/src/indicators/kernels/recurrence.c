/* Exponential averages over whole series. */
#include "indicators/kernels/stages.h"

void FC(decay_init)(fc_decay *plan, double k, double q) {
    double p[9] = {1.0};
    for (int i = 1; i < 9; i++) {
        p[i] = p[i - 1] * q;
    }
    plan->from[0] = v4_of(k, k * p[1], k * p[2], k * p[3]);
    plan->from[1] = v4_of(0.0, k, k * p[1], k * p[2]);
    plan->from[2] = v4_of(0.0, 0.0, k, k * p[1]);
    plan->from[3] = v4_of(0.0, 0.0, 0.0, k);
    plan->first = v4_of(p[1], p[2], p[3], p[4]);
    plan->second = v4_of(p[5], p[6], p[7], p[8]);
    plan->all = v4_all(p[8]);
    plan->k = k;
    plan->q = q;
}

FC_INLINE v4 own(const fc_decay *plan, const double *x) {
    v4 a = v4_add(v4_mul(plan->from[0], v4_all(x[0])), v4_mul(plan->from[1], v4_all(x[1])));
    v4 b = v4_add(v4_mul(plan->from[2], v4_all(x[2])), v4_mul(plan->from[3], v4_all(x[3])));
    return v4_add(a, b);
}

/* The recurrence, and `plus` added to what is stored unless that is NULL. */
FC_INLINE double run(const fc_decay *plan, const double *x, const double *plus, double *out, ptrdiff_t n, double last) {
    const fc_decay c = *plan;
    ptrdiff_t i = 0;
    v4 y = v4_all(last);
    for (; i + 8 <= n; i += 8) {
        v4 own1 = own(&c, x + i), own2 = own(&c, x + i + 4);
        v4 joined = v4_add(own2, v4_mul(v4_last(own1), c.first));
        v4 first = v4_add(own1, v4_mul(y, c.first)), second = v4_add(joined, v4_mul(y, c.second));
        v4_store(out + i, plus ? v4_add(v4_load(plus + i), first) : first);
        v4_store(out + i + 4, plus ? v4_add(v4_load(plus + i + 4), second) : second);
        y = v4_add(v4_last(joined), v4_mul(y, c.all)); /* the chain: one product and one sum for eight bars */
    }
    last = v4_one(y);
    for (; i < n; i++) {
        last = c.q * last + c.k * x[i];
        out[i] = plus ? plus[i] + last : last;
    }
    return last;
}

/* ---- many bars: sixteen segments of equal length side by side, a lane each ----
 * The first segment goes on from the value before; the others begin with 0, and what the segments before them leave is
 * added once it is known: powers of q times the last value. */

typedef enum { AVERAGE, APART, DECAY } run_kind; /* x + apart, apart, and q * y + k * x */

typedef struct {
    v4 before, y;
} four_segments;

FC_INLINE v4 segments_step(four_segments *s, v4 x, v4 q, v4 k, run_kind kind) {
    if (kind == DECAY) {
        s->y = v4_add(v4_mul(q, s->y), v4_mul(k, x));
        return s->y;
    }
    s->y = v4_mul(q, v4_add(s->y, v4_sub(s->before, x)));
    s->before = x;
    return kind == APART ? s->y : v4_add(x, s->y);
}

FC_INLINE double segments_of(const fc_decay *plan, const double *x, double before, double *out, ptrdiff_t length,
                             double last, run_kind kind) {
    const fc_decay c = *plan;
    v4 q = v4_all(c.q), k = v4_all(c.k), power[FC_SEGMENT / 4] = {c.first, c.second};
    four_segments four[FC_SEGMENTS / 4];
    double ends[FC_SEGMENTS], whole;
    for (int g = 0; g < FC_SEGMENTS / 4; g++) {
        const double *x0 = x + 4 * g * length - 1;
        four[g].before = kind == DECAY ? q : v4_of(g ? x0[0] : before, x0[length], x0[2 * length], x0[3 * length]);
        four[g].y = g ? v4_zero() : v4_alone(last);
    }
    for (ptrdiff_t t = 0; t < length; t += 2) {
        for (int g = 0; g < FC_SEGMENTS / 4; g++) {
            v4 one, two;
            fc_ask_ahead(x + 16 * t + 8 * g, out + 16 * t + 8 * g);
            v4_load_bars(x + 4 * g * length + t, length, &one, &two);
            one = segments_step(four + g, one, q, k, kind);
            two = segments_step(four + g, two, q, k, kind);
            v4_store_bars(out + 4 * g * length + t, length, one, two);
        }
    }
    for (int g = 0; g < FC_SEGMENTS / 4; g++) {
        v4_store(ends + 4 * g, four[g].y);
    }
    for (int j = 2; j < FC_SEGMENT / 4; j++) {
        power[j] = v4_mul(power[j - 2], c.all);
    }
    whole = v4_one(v4_last(power[length / 4 - 1]));
    last = ends[0];
    for (int s = 1; s < FC_SEGMENTS; s++) {
        v4 left = v4_all(last);
        double *to = out + s * length;
        for (ptrdiff_t j = 0; j < length / 4; j++) {
            v4_store(to + 4 * j, v4_add(v4_load(to + 4 * j), v4_mul(power[j], left)));
        }
        last = ends[s] + whole * last;
    }
    return last;
}

/* Goes on from `last`, where the value before x[0] is `before`; returns the new last. out may be x itself. */
FC_INLINE double segments(const fc_decay *plan, const double *x, double before, double *out, ptrdiff_t length,
                          double last, run_kind kind) {
    return length == FC_SEGMENT ? segments_of(plan, x, before, out, FC_SEGMENT, last, kind)
                                : segments_of(plan, x, before, out, length, last, kind);
}

double FC(decay_run)(const fc_decay *plan, const double *x, double *out, ptrdiff_t n, double last) {
    ptrdiff_t done = 0;
    for (ptrdiff_t length; (length = fc_segment_of(n - done)) > 0; done += FC_SEGMENTS * length) {
        last = segments(plan, x + done, 0.0, out + done, length, last, DECAY);
    }
    return run(plan, x + done, NULL, out + done, n - done, last);
}

/* out[i] = x[i-1] - x[i] */
FC_INLINE void steps_back(const double *x, double before, double *out, ptrdiff_t n) {
    if (n > 0) {
        out[0] = before - x[0];
    }
    ptrdiff_t i = 1;
    for (; i + 4 <= n; i += 4) {
        v4_store(out + i, v4_sub(v4_load(x + i - 1), v4_load(x + i)));
    }
    for (; i < n; i++) {
        out[i] = x[i - 1] - x[i];
    }
}

void FC(average_begin)(fc_average *a, double q, const double *x, ptrdiff_t n) {
    double base = x[0], sum = fc_sum_from(x, base, n);
    FC(decay_init)(&a->decay, q, q);
    a->before = x[n - 1];
    a->apart = (base - a->before) + sum / (double)n;
}

/* Bar by bar a distance from 0 is dropped at the first bar where it no longer shows: here too. */
static FC_NOINLINE void drop(const double *x, double *out, ptrdiff_t n) {
    double shows = fc_negligible(0.0);
    for (ptrdiff_t i = n - 1; i >= 0 && fabs(out[i]) < shows && (x == out || x[i] == 0.0); i--) {
        out[i] = 0.0;
    }
}

FC_INLINE int average(fc_average *a, const double *x, double *out, ptrdiff_t n, run_kind kind) {
    double steps[FC_SEGMENTS * 8];
    for (ptrdiff_t from = 0, m; from < n; from += m) {
        ptrdiff_t length = fc_segment_of(n - from);
        m = length ? FC_SEGMENTS * length : n - from < FC_SEGMENTS * 8 ? n - from : FC_SEGMENTS * 8;
        double latest = x[from + m - 1], had = a->apart, apart;
        if (length) {
            apart = segments(&a->decay, x + from, a->before, out + from, length, a->apart, kind);
        } else {
            steps_back(x + from, a->before, steps, m);
            apart = run(&a->decay, steps, kind == APART ? NULL : x + from, out + from, m, a->apart);
        }
        a->apart = fc_settled(apart, latest);
        a->before = latest;
        if (FC_UNLIKELY(had != 0.0 && a->apart == 0.0 && latest == 0.0)) {
            drop(x + from, out + from, m);
        }
        if (!fc_finite(a->apart)) {
            return 1; /* what is not finite never leaves a recurrence */
        }
    }
    return !fc_finite(a->apart);
}

int FC(average_run)(fc_average *a, const double *x, double *out, ptrdiff_t n) { return average(a, x, out, n, AVERAGE); }

int FC(apart_run)(fc_average *a, const double *x, double *out, ptrdiff_t n) { return average(a, x, out, n, APART); }
