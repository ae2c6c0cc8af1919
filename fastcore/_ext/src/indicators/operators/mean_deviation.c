/* The mean distance of a window's bars from their mean.
 *
 * Narrow windows are looked through twice, as their mean moves. Of wide ones all values are sorted once, and a tree has the
 * sums of those that are in the window: the distances from the mean add up to twice those of the values below it. Sums are
 * of whole numbers: multiples of a quantum, so that no digit is lost, and a spike leaves nothing behind. Where windows have
 * so little deviation that the quantum counts, the bars are taken in smaller parts, which have one of their own.
 */
#include "indicators/operators/ring.h"
#include "indicators/operators/sorted_blocks.h"
#include "indicators/operators/window_lanes.h"
#include "indicators/sorted.h"
#include "indicators/sums_of.h"

#define FEW 32                /* bars whose windows are looked through */
#define GROUPS 4              /* of four windows, side by side: their sums do not wait for each other */
#define WIDE FC_SPREADING     /* windows up to this are looked through, and show what is NaN */
#define KEPT_IN_ORDER 256     /* of windows wider than this a bar's step keeps the values in order */

static ptrdiff_t window_lag(const double *par) { return (ptrdiff_t)par[0] - 1; }

/* ---- one bar: of a narrow window each is looked through, of a wide one the values are kept in order ---- */

static int in_order(const double *par) { return par[0] > KEPT_IN_ORDER; }

/* Behind the bars: those since the last gap that are in the next bar's window too. */
FC_INLINE fc_blocks *blocks_of(fc_ring_bars *s) { return (fc_blocks *)(void *)(s->mem + s->ring.width); }

static size_t mean_deviation_size(const double *par) {
    return fc_ring_bars_size(par) + (in_order(par) ? fc_blocks_size(par[0]) : 0);
}
static void mean_deviation_init(const double *par, void *state) {
    fc_ring_bars_init(par, state);
    if (in_order(par)) {
        FC(blocks_init)(blocks_of(state), par[0]);
    }
}
static int mean_deviation_valid(const double *par, const void *state) {
    const fc_ring *ring = &((const fc_ring_bars *)state)->ring;
    return fc_ring_bars_valid(par, state) &&
           (!in_order(par) || FC(blocks_valid)(blocks_of((fc_ring_bars *)state), par[0],
                                               ring->filled < ring->width ? ring->filled : ring->width - 1));
}

static void mean_deviation_gap(void *state) {
    fc_ring_bars *s = state;
    s->mem[s->ring.at] = NAN;
    fc_ring_turn(&s->ring);
    s->ring.filled = 0;
    if (s->ring.width > KEPT_IN_ORDER) {
        FC(blocks_clear)(blocks_of(s));
    }
}

/* The sum of how far n bars are from x, or of their absolute distances from x + off: four sums, by their places. */
FC_INLINE double sum_of_bars(const double *mem, int64_t n, double x, double off, int apart) {
    v4 base = v4_all(x), offs = v4_all(off), sum = v4_zero();
    double all[4];
    int64_t j = 0;
    for (; j + 4 <= n; j += 4) {
        v4 distance = v4_sub(v4_load(mem + j), base);
        sum = v4_add(sum, apart ? v4_abs(v4_sub(distance, offs)) : distance);
    }
    v4_store(all, sum);
    for (; j < n; j++) {
        all[j & 3] += apart ? fabs((mem[j] - x) - off) : mem[j] - x;
    }
    return (all[0] + all[1]) + (all[2] + all[3]);
}

/* x is at its place. */
static double look_at_bars(const fc_ring_bars *s, double x) {
    double width = (double)s->ring.width, off = sum_of_bars(s->mem, s->ring.width, x, 0.0, 0) / width;
    return sum_of_bars(s->mem, s->ring.width, x, off, 1) / width;
}

static FC_NOINLINE double ordered_step(fc_ring_bars *s, double x, int commit) {
    fc_blocks *blocks = blocks_of(s);
    double result = NAN, width = (double)s->ring.width;
    if (s->ring.filled >= s->ring.width - 1) {
        double off = FC(blocks_sum)(blocks, x) / width;
        result = (FC(blocks_apart)(blocks, x, off) + fabs(off)) / width;
        if (FC_UNLIKELY(!(result < INFINITY))) { /* a block's distances may overflow where those from x do not */
            double kept = s->mem[s->ring.at];
            s->mem[s->ring.at] = x;
            result = look_at_bars(s, x);
            s->mem[s->ring.at] = kept;
        }
    }
    if (commit) {
        s->mem[s->ring.at] = x;
        fc_ring_next(&s->ring);
        if (s->ring.filled == s->ring.width) {
            FC(blocks_replace)(blocks, s->mem[s->ring.at], x);
        } else {
            FC(blocks_insert)(blocks, x);
        }
    }
    return result;
}

static double mean_deviation_step(const double *par, void *state, const double *in, int commit) {
    fc_ring_bars *s = state;
    int64_t n = s->ring.width;
    double x = in[0], result = NAN, kept = s->mem[s->ring.at];
    if (in_order(par)) {
        return ordered_step(s, x, commit);
    }
    s->mem[s->ring.at] = x;
    if (s->ring.filled >= n - 1) {
        result = look_at_bars(s, x);
    }
    if (commit) {
        fc_ring_next(&s->ring);
    } else {
        s->mem[s->ring.at] = kept;
    }
    return result;
}

/* ---- many bars: each window is looked through ---- */

static FC_NOINLINE void look_through(const double *x, ptrdiff_t w, double *restrict out, ptrdiff_t n) {
    ptrdiff_t i = 0;
    double inverse1 = 1.0 / (double)w;
    v4 inverse = v4_all(inverse1);
    for (; i + 4 * GROUPS <= n; i += 4 * GROUPS) {
        v4 base[GROUPS], sum[GROUPS], off[GROUPS];
        for (int g = 0; g < GROUPS; g++) {
            base[g] = v4_load(x + i + 4 * g);
            sum[g] = off[g] = v4_zero();
        }
        for (ptrdiff_t j = 1; j < w; j++) {
            for (int g = 0; g < GROUPS; g++) {
                sum[g] = v4_add(sum[g], v4_sub(v4_load(x + i + 4 * g - j), base[g]));
            }
        }
        for (int g = 0; g < GROUPS; g++) {
            sum[g] = v4_mul(sum[g], inverse);
        }
        for (ptrdiff_t j = 0; j < w; j++) {
            for (int g = 0; g < GROUPS; g++) {
                v4 distance = v4_sub(v4_sub(v4_load(x + i + 4 * g - j), base[g]), sum[g]);
                off[g] = v4_add(off[g], v4_abs(distance));
            }
        }
        for (int g = 0; g < GROUPS; g++) {
            v4_store(out + i + 4 * g, v4_mul(off[g], inverse));
        }
    }
    for (; i < n; i++) {
        double sum = 0.0, off = 0.0;
        for (ptrdiff_t j = 1; j < w; j++) {
            sum += x[i - j] - x[i];
        }
        sum *= inverse1;
        for (ptrdiff_t j = 0; j < w; j++) {
            off += fabs((x[i - j] - x[i]) - sum);
        }
        out[i] = off * inverse1;
    }
}

/* ---- many bars: sorted ---- */

static int is_sorted(double width) { return width > WIDE && width <= FC_SORTED_WIDEST; }

static ptrdiff_t mean_deviation_scratch(const double *par) {
    ptrdiff_t w = (ptrdiff_t)par[0];
    return is_sorted(par[0]) ? fc_sums_room(w, fc_sorted_bars(w)) : 0;
}

FC_INLINE void sums_change(fc_sums_of *s, int64_t place, int64_t sign) {
    fc_present_change(&s->present, place, (int32_t)sign);
    for (int k = 0; k < s->n_parts; k++) {
        int64_t by = s->number[k][place] * sign, at = place;
        for (int l = 0; l < s->levels; l++) {
            s->sums[k][l][at] += by;
            at /= FC_BRANCHES;
        }
    }
}

static const int64_t before[2 * FC_BRANCHES] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};

/* The sum of what is taken before a place. */
FC_INLINE int64_t sums_before(const fc_sums_of *s, int k, int64_t place) {
    int64_t found[4] = {0};
#if defined(FC_VEC_AVX2)
    __m256i sum = _mm256_setzero_si256();
#endif
    for (int l = 0; l < s->levels; l++) {
        int64_t branch = place & (FC_BRANCHES - 1);
        const int64_t *node = s->sums[k][l] + (place - branch), *mask = before + FC_BRANCHES - branch;
        for (int b = 0; b < FC_BRANCHES; b += 4) {
#if defined(FC_VEC_AVX2)
            sum = _mm256_add_epi64(sum, _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(node + b)),
                                                         _mm256_loadu_si256((const __m256i *)(mask + b))));
#else
            for (int lane = 0; lane < 4; lane++) {
                found[lane] += node[b + lane] & mask[b + lane];
            }
#endif
        }
        place /= FC_BRANCHES;
    }
#if defined(FC_VEC_AVX2)
    _mm256_storeu_si256((__m256i *)found, sum);
#endif
    return found[0] + found[1] + found[2] + found[3];
}

/* The mean deviation of a window, in quanta. */
FC_INLINE double sums_deviation_at(const fc_sums_of *s, ptrdiff_t t, double inverse, double lower) {
    int64_t places = s->below[t], count = fc_present_before(&s->present, places);
    double half = (double)count * s->rest[t] * inverse;
    half += (double)(count * s->mean[0][t] - sums_before(s, 0, places));
    if (s->n_parts == 2) {
        half += (double)(count * s->mean[1][t] - sums_before(s, 1, places)) * lower;
    }
    return 2.0 * half * inverse;
}

/* n bars from x on, which has w - 1 bars before it. */
static void series(const double *x, ptrdiff_t w, double *out, ptrdiff_t n, int n_parts, double *scratch) {
    fc_sums_of made = {.width = w, .bars = n, .values = n + w - 1};
    if (n <= FEW || 4 * n < w || !fc_sums_sort(&made, x - (w - 1), n_parts, scratch)) {
        look_through(x, w, out, n);
        return;
    }
    fc_sums_of s = made; /* whose address is not known elsewhere: it stays in registers */
    double inverse = 1.0 / (double)w, lower = ldexp(1.0, s.bits), enough = 0x1p52 / (16.0 + 0.5 * (double)w);
    ptrdiff_t equal = 0, first = n, last = 0; /* equal: bars so far that have the value of the one before */
    for (ptrdiff_t t = 1 - w; t < n; t++) {
        sums_change(&s, s.place[t + w - 1], 1);
        equal = t > 1 - w && x[t] == x[t - 1] ? equal + 1 : 0;
        if (t < 0) {
            continue;
        }
        double quanta = sums_deviation_at(&s, t, inverse, lower), level = fabs(s.sorted[s.below[t] - (s.below[t] > 0)]);
        int bad = quanta < enough && s.quantum > 0x1p-53 * level && equal < w - 1;
        out[t] = quanta * s.quantum;
        first = bad && first == n ? t : first;
        last = bad ? t + 1 : last;
        sums_change(&s, s.place[t], -1);
    }
    if (first == n) {
        return;
    }
    if (s.n_parts == 1) {
        series(x + first, w, out + first, last - first, 2, scratch);
    } else {
        ptrdiff_t bars = last - first == n ? n / 2 : last - first;
        series(x + first, w, out + first, bars, 2, scratch);
        series(x + first + bars, w, out + first + bars, last - first - bars, 2, scratch);
    }
}

static int mean_deviation_block(const double *par, void *carry, const double *const *in, double *restrict out,
                                ptrdiff_t n, double *scratch) {
    ptrdiff_t w = (ptrdiff_t)par[0], parts = fc_sorted_parts(n, w);
    (void)carry;
    if (!is_sorted(par[0])) {
        look_through(in[0], w, out, n);
        return 0;
    }
    for (ptrdiff_t k = 0; k < parts; k++) {
        ptrdiff_t from = n * k / parts, bars = n * (k + 1) / parts - from;
        series(in[0] + from, w, out + from, bars, 1, scratch);
    }
    return 0;
}

const fc_operator FC(operator_mean_deviation) = {.name = "mean_deviation",
                                                 .par = "p",
                                                 .n_in = 1,
                                                 .kind = FC_LOOK_BACK,
                                                 .lag = window_lag,
                                                 .scratch = mean_deviation_scratch,
                                                 .nan = FC_NAN_SHOWN,
                                                 .block = mean_deviation_block,
                                                 .step = mean_deviation_step,
                                                 .size = mean_deviation_size,
                                                 .init = mean_deviation_init,
                                                 .valid = mean_deviation_valid,
                                                 .gap = mean_deviation_gap,
                                                 .across = mean_deviation_across,
                                                 .alone = in_order,
                                                 .rows = ring_rows,
                                                 .places = ring_places};
