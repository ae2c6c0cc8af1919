/* Exponential averages of one another as one operator: a bar passes through all of them in registers. As in
 * kernels/recurrence.c sixteen segments run side by side, and what each leaves is added to the next one. */
#include "indicators/operators/smoothing.h"

typedef struct {
    double number[FC_CHAIN]; /* of each average: see fc_chain */
    double before;           /* the latest bar */
} progress;

/* Groups of four segments from g on, two at once. */
FC_INLINE void run_groups(const fc_chain *c, const progress *p, const double *x, const v4 *before, double *out,
                          ptrdiff_t length, int g, const int stages, double ends[][FC_SEGMENTS]) {
    v4 keep[FC_CHAIN], weight[FC_CHAIN + 1], number[2][FC_CHAIN], had[2];
    weight[0] = v4_all(c->weight[0]);
    for (int i = 0; i < stages; i++) {
        keep[i] = v4_all(c->keep[i]);
        weight[i + 1] = v4_all(c->weight[i + 1]);
        number[0][i] = g ? v4_zero() : v4_alone(p->number[i]);
        number[1][i] = v4_zero();
    }
    had[0] = before[g];
    had[1] = before[g + 1];
    for (ptrdiff_t t = 0; t < length; t += 2) {
        for (int w = 0; w < 2; w++) {
            ptrdiff_t at = 4 * (g + w) * length + t;
            v4 bar[2];
            fc_ask_ahead(x + 16 * t + 8 * (g + w), out + 16 * t + 8 * (g + w));
            v4_load_bars(x + at, length, bar, bar + 1);
            for (int j = 0; j < 2; j++) {
                v4 step = v4_sub(had[w], bar[j]), apart = v4_zero(); /* small: added to the bar at last */
                had[w] = bar[j];
                for (int i = 0; i < stages; i++) {
                    v4 moved = v4_add(v4_mul(keep[i], number[w][i]), step);
                    apart = i ? v4_add(apart, v4_mul(weight[i + 1], moved)) : v4_mul(weight[1], moved);
                    step = number[w][i] = moved;
                }
                bar[j] = v4_add(v4_mul(weight[0], bar[j]), apart);
            }
            v4_store_bars(out + at, length, bar[0], bar[1]);
        }
    }
    for (int i = 0; i < stages; i++) {
        v4_store(ends[i] + 4 * g, number[0][i]);
        v4_store(ends[i] + 4 * g + 4, number[1][i]);
    }
}

/* Adds what each segment leaves to the results of the next one. */
FC_INLINE void join_segments(const fc_chain *c, progress *p, double *out, ptrdiff_t length, const int stages,
                             double ends[][FC_SEGMENTS]) {
    const double (*kept)[FC_CHAIN] = c->left[length / 4 - 1];
    for (int i = 0; i < stages; i++) {
        p->number[i] = ends[i][0];
    }
    for (int s = 1; s < FC_SEGMENTS; s++) {
        double *to = out + s * length, next[FC_CHAIN];
        v4 left[FC_CHAIN];
        for (int i = 0; i < stages; i++) {
            left[i] = v4_all(p->number[i]);
            next[i] = ends[i][s];
            for (int from = 0; from <= i; from++) {
                next[i] += kept[from][i] * p->number[from];
            }
        }
        for (ptrdiff_t t = 0; t < length; t += 4) {
            v4 apart = v4_mul(v4_load(c->result[0] + t), left[0]);
            for (int i = 1; i < stages; i++) {
                apart = v4_add(apart, v4_mul(v4_load(c->result[i] + t), left[i]));
            }
            v4_store(to + t, v4_add(v4_load(to + t), apart));
        }
        for (int i = 0; i < stages; i++) {
            p->number[i] = next[i];
        }
    }
}

FC_INLINE void segments_of(const fc_chain *c, progress *p, const double *x, double *out, ptrdiff_t length,
                           const int stages) {
    double ends[FC_CHAIN][FC_SEGMENTS];
    v4 before[FC_SEGMENTS / 4];
    for (int g = 0; g < FC_SEGMENTS / 4; g++) { /* before anything is written: out may be x */
        const double *x0 = x + 4 * g * length - 1;
        before[g] = v4_of(g ? x0[0] : p->before, x0[length], x0[2 * length], x0[3 * length]);
    }
    for (int g = 0; g < FC_SEGMENTS / 4; g += 2) {
        run_groups(c, p, x, before, out, length, g, stages, ends);
    }
    join_segments(c, p, out, length, stages, ends);
}

FC_INLINE void segments(const fc_chain *c, progress *p, const double *x, double *out, ptrdiff_t length,
                        const int stages) {
    if (length == FC_SEGMENT) {
        segments_of(c, p, x, out, FC_SEGMENT, stages);
    } else {
        segments_of(c, p, x, out, length, stages);
    }
}

ptrdiff_t FC(smooth_chain)(const fc_chain *c, void *const *carry, const double *in, double *out, ptrdiff_t n) {
    progress p = {.before = ((fc_smooth_carry *)carry[0])->average.before};
    ptrdiff_t done = 0;
    for (int i = 0; i < c->stages; i++) {
        double apart = ((fc_smooth_carry *)carry[i])->average.apart;
        p.number[i] = apart != 0.0 ? apart / c->reach[i] : 0.0;
    }
    for (ptrdiff_t length; (length = fc_segment_of(n - done)) > 0; done += FC_SEGMENTS * length) {
        double latest = in[done + FC_SEGMENTS * length - 1], value = latest;
        if (latest == 0.0) { /* bar by bar a distance from 0 is dropped where it no longer shows */
            break;
        }
        if (c->stages == 2) {
            segments(c, &p, in + done, out + done, length, 2);
        } else if (c->stages == 3) {
            segments(c, &p, in + done, out + done, length, 3);
        } else { /* averages that are not there keep and weigh nothing */
            segments(c, &p, in + done, out + done, length, FC_CHAIN);
        }
        p.before = latest;
        for (int i = 0; i < c->stages; i++) {
            fc_average *average = &((fc_smooth_carry *)carry[i])->average;
            average->before = value;
            average->apart = fc_settled(p.number[i] * c->reach[i], value);
            p.number[i] = average->apart == 0.0 ? 0.0 : p.number[i];
            value += average->apart;
        }
        if (!fc_finite(value)) {
            return -1; /* what is not finite never leaves a recurrence */
        }
    }
    return done;
}
