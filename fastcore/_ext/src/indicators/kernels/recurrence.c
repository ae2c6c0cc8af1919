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

double FC(decay_run)(const fc_decay *plan, const double *x, double *out, ptrdiff_t n, double last) {
    return run(plan, x, NULL, out, n, last);
}

void FC(steps_back)(const double *x, double before, double *out, ptrdiff_t n) {
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
    double base = x[0], sum = 0.0;
    for (ptrdiff_t i = 1; i < n; i++) {
        sum += x[i] - base;
    }
    FC(decay_init)(&a->decay, q, q);
    a->before = x[n - 1];
    a->apart = (base - a->before) + sum / (double)n;
}

int FC(average_run)(fc_average *a, const double *x, double *out, ptrdiff_t n) {
    double steps[FC_TILE];
    for (ptrdiff_t from = 0; from < n; from += FC_TILE) {
        ptrdiff_t m = n - from < FC_TILE ? n - from : FC_TILE;
        double latest = x[from + m - 1];
        FC(steps_back)(x + from, a->before, steps, m);
        a->apart = fc_settled(run(&a->decay, steps, x + from, out + from, m, a->apart), latest);
        a->before = latest;
        if (!fc_finite(a->apart)) {
            return 1; /* what is not finite never leaves a recurrence */
        }
    }
    return !fc_finite(a->apart);
}
