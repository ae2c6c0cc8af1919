/* Exponential averages over whole series. */
#include "stages.h"

void FC(ema_plan)(fc_ema_plan *plan, double k, double q)
{
    double p[9] = {1.0};
    for (int i = 1; i < 9; i++)
        p[i] = p[i - 1] * q;
    plan->from[0] = v4_of(k, k * p[1], k * p[2], k * p[3]);
    plan->from[1] = v4_of(0.0, k, k * p[1], k * p[2]);
    plan->from[2] = v4_of(0.0, 0.0, k, k * p[1]);
    plan->from[3] = v4_of(0.0, 0.0, 0.0, k);
    plan->near = v4_of(p[1], p[2], p[3], p[4]);
    plan->far = v4_of(p[5], p[6], p[7], p[8]);
    plan->all = v4_all(p[8]);
    plan->k = k;
    plan->q = q;
}

FC_INLINE v4 own(const fc_ema_plan *plan, const double *x)
{
    v4 a = v4_add(v4_mul(plan->from[0], v4_all(x[0])), v4_mul(plan->from[1], v4_all(x[1])));
    v4 b = v4_add(v4_mul(plan->from[2], v4_all(x[2])), v4_mul(plan->from[3], v4_all(x[3])));
    return v4_add(a, b);
}

double FC(ema_run)(const fc_ema_plan *plan, const double *x, double *out, ptrdiff_t n, double last)
{
    const fc_ema_plan c = *plan;
    ptrdiff_t i = 0;
    for (; i < n && x[i] == last; i++) /* while nothing moves the average is exactly that */
        out[i] = last;
    v4 y = v4_all(last);
    for (; i + 8 <= n; i += 8) {
        v4 first = own(&c, x + i), second = own(&c, x + i + 4);
        v4 joined = v4_add(second, v4_mul(v4_last(first), c.near));
        v4_store(out + i, v4_add(first, v4_mul(y, c.near)));
        v4_store(out + i + 4, v4_add(joined, v4_mul(y, c.far)));
        y = v4_add(v4_last(joined), v4_mul(y, c.all)); /* the chain: one product and one sum for eight bars */
    }
    last = v4_one(y);
    for (; i < n; i++)
        out[i] = last = last + c.k * (x[i] - last);
    return last;
}
