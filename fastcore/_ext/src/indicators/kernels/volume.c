/* obv, vwap: running totals over volume. */
#include "indicators/kernels/stages.h"

/* ---- obv ---- */

typedef struct {
    double total, before;
    int64_t begun;
} obv_state;

#define obv_policy recurrence
#define obv_lookback none
#define obv_scratch none

static int obv_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    const double *x = in[0], *volume = in[1];
    double *to = out[0], bad1 = x[0] - x[0];
    (void)par;
    (void)scratch;
    v4 total = v4_all(volume[0]), bad = v4_zero();
    to[0] = volume[0];
    ptrdiff_t i = 1;
    for (ptrdiff_t end; i + 4 <= n;) {
        for (end = FC_SMALLER(i + FC_TILE, n - 3); i < end; i += 4) {
            v4 now = v4_load(x + i), before = v4_load(x + i - 1), v = v4_load(volume + i);
            v4 change = v4_scan(v4_sub(v4_if_gt(now, before, v), v4_if_gt(before, now, v)));
            bad = v4_add(bad, v4_add(v4_sub(now, now), v4_sub(v, v)));
            v4_store(to + i, v4_add(total, change));
            total = v4_add(total, v4_last(change));
        }
        if (!v4_clean(bad)) {
            return 1; /* the rest would be computed for nothing */
        }
    }
    double sum = v4_one(total);
    for (; i < n; i++) {
        sum += x[i] > x[i - 1] ? volume[i] : x[i] < x[i - 1] ? -volume[i] : 0.0;
        bad1 += (x[i] - x[i]) + (volume[i] - volume[i]);
        to[i] = sum;
    }
    return !(v4_clean(bad) && bad1 == 0.0 && fc_finite(sum));
}

static size_t obv_size(const double *par) {
    (void)par;
    return sizeof(obv_state);
}
static void obv_init(const double *par, void *state) {
    (void)par;
    memset(state, 0, sizeof(obv_state));
}
static int any_state(const double *par, const void *state) {
    (void)par;
    (void)state;
    return 1;
}
#define obv_valid any_state

FC_INLINE void obv_step(obv_state *s, const double *in, double *out, int commit) {
    double total = !s->begun           ? in[1]
                   : in[0] > s->before ? s->total + in[1]
                   : in[0] < s->before ? s->total - in[1]
                                       : s->total;
    out[0] = fc_finite(total) ? total : NAN; /* what overflows is left out */
    if (commit) {
        s->total = fc_finite(total) ? total : s->total;
        s->before = in[0];
        s->begun = 1;
    }
}

FC_STREAM(obv, obv_state, 2, 1, obv_step, FC_SKIP, FC_NO_MORE)
FC_KERNEL(obv, "", 2, 1, FC_NAN_ANYHOW);

/* ---- vwap: from the first bar on; it stays where it was, at first at 0, while the volume does not exceed 0 ---- */

/* Counted from the first price that was traded at: the average of equal prices is that price. */
typedef struct {
    double base, value, volume, last;
    int64_t begun;
} vwap_state;

#define vwap_policy recurrence
#define vwap_lookback none
#define vwap_scratch none

FC_INLINE double typical(double high, double low, double close) {
    return close + ((high - close) + (low - close)) / 3.0; /* three equal prices give exactly that price */
}

static int vwap_batch(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    const double *high = in[0], *low = in[1], *close = in[2], *volume = in[3];
    double *to = out[0], bad1 = 0.0;
    (void)par;
    (void)scratch;
    ptrdiff_t i = 0;
    for (; i < n && volume[i] == 0.0; i++) {
        bad1 += (high[i] - high[i]) + (low[i] - low[i]) + (close[i] - close[i]);
        to[i] = 0.0;
    }
    double base1 = i < n ? typical(high[i], low[i], close[i]) : 0.0;
    v4 value = v4_zero(), total = v4_zero(), bad = v4_zero(), three = v4_all(3.0), base = v4_all(base1);
    for (ptrdiff_t end; i + 4 <= n;) {
        for (end = FC_SMALLER(i + FC_TILE, n - 3); i < end; i += 4) {
            v4 v = v4_load(volume + i), c = v4_load(close + i);
            v4 beyond = v4_add(v4_sub(v4_load(high + i), c), v4_sub(v4_load(low + i), c));
            v4 price = v4_sub(v4_add(c, v4_div(beyond, three)), base);
            v4 worth = v4_scan(v4_mul(price, v)), traded = v4_scan(v);
            v4 all = v4_add(total, traded);
            bad = v4_note(bad, price);
            if (FC_UNLIKELY(!v4_positive(all))) {
                return 1;
            }
            v4_store(to + i, v4_add(base, v4_div(v4_add(value, worth), all)));
            value = v4_add(value, v4_last(worth));
            total = v4_add(total, v4_last(traded));
        }
        if (!v4_clean(bad)) {
            return 1; /* the rest would be computed for nothing */
        }
    }
    double sum = v4_one(value), traded = v4_one(total);
    for (; i < n; i++) {
        double price = typical(high[i], low[i], close[i]) - base1;
        sum += price * volume[i];
        traded += volume[i];
        bad1 += price - price;
        if (!(traded > 0.0)) {
            return 1;
        }
        to[i] = base1 + sum / traded;
    }
    return !(v4_clean(bad) && bad1 == 0.0 && fc_finite(traded) && fc_finite(sum));
}

static size_t vwap_size(const double *par) {
    (void)par;
    return sizeof(vwap_state);
}
static void vwap_init(const double *par, void *state) {
    (void)par;
    memset(state, 0, sizeof(vwap_state));
}
#define vwap_valid any_state

FC_INLINE void vwap_step(vwap_state *s, const double *in, double *out, int commit) {
    double price = typical(in[0], in[1], in[2]), base = s->begun ? s->base : price;
    double sum = s->value + (price - base) * in[3], traded = s->volume + in[3];
    double value = fc_finite(sum) ? sum : s->value, volume = fc_finite(traded) ? traded : s->volume;
    double last = volume > 0.0 ? base + value / volume : s->last;
    out[0] = fc_finite(sum) && fc_finite(traded) && fc_finite(last) ? last : NAN; /* what overflows is left out */
    if (commit) {
        s->base = base;
        s->begun |= in[3] != 0.0 && fc_finite(price);
        s->value = value;
        s->volume = volume;
        s->last = fc_finite(out[0]) ? last : s->last;
    }
}

FC_STREAM(vwap, vwap_state, 4, 1, vwap_step, FC_SKIP, FC_NO_MORE)
FC_KERNEL(vwap, "", 4, 1, FC_NAN_ANYHOW);
