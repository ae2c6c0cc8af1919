/* Rolling sums, extrema and moments over whole series; stages.h says how windows are cut.
 *
 * Block k's tails fold the w - 1 bars before its first one, backwards; its heads fold its own bars, forwards; the window
 * ending at its bar t is tail t with head t. Tails of many blocks are made before they are used: read back at once they
 * would still be in the store buffer, where a load may be matched to the wrong store and the pipeline start again.
 */
#include <float.h>

#include "indicators/kernels/blocks.h"
#include "indicators/kernels/stages.h"

/* Up to this width folding each window by itself is faster than cutting into blocks: of extremes, sums, sums of squares. */
#define FEW_EXTREMES 9
#define FEW_SUMS 6
#define FEW_MOMENTS 7

static ptrdiff_t pitch_of(ptrdiff_t w) { return (w + 7) & ~(ptrdiff_t)3; }

static ptrdiff_t blocks_of(ptrdiff_t w) {
    ptrdiff_t blocks = FC_TAILS / pitch_of(w);
    return blocks > 1 ? blocks : 1;
}

/* How many bars each of the next blocks has, if they are taken side by side; else 0: of few bars each they have long tails. */
static ptrdiff_t lanes_of(ptrdiff_t *b, ptrdiff_t n, ptrdiff_t w) {
    ptrdiff_t bars = w <= FC_LANES_WIDEST ? fc_block_bars(b, n, w, w - 1, FC_BLOCKS) : 0;
    return 4 * bars >= w ? bars : 0;
}

/* One extremum from its operation in two spellings; SCAN and SCAN_BACK fold within four bars, NEUTRAL changes nothing. An
 * extremum would hide a bar that is not finite, so each is looked at. */
#define ROLL(name, OP4, OP1, SCAN, SCAN_BACK, NEUTRAL)                                                                 \
    static int name##_few(const double *x, ptrdiff_t n, ptrdiff_t w, double *out) {                                    \
        double bad1 = 0.0;                                                                                             \
        v4 bad = v4_zero();                                                                                            \
        ptrdiff_t i = w - 1;                                                                                           \
        for (; i + 8 <= n; i += 8) {                                                                                   \
            v4 a = v4_load(x + i), b = v4_load(x + i + 4);                                                             \
            bad = v4_note(v4_note(bad, a), b);                                                                         \
            for (ptrdiff_t j = 1; j < w; j++) {                                                                        \
                a = OP4(a, v4_load(x + i - j));                                                                        \
                b = OP4(b, v4_load(x + i + 4 - j));                                                                    \
            }                                                                                                          \
            v4_store(out + i, a);                                                                                      \
            v4_store(out + i + 4, b);                                                                                  \
        }                                                                                                              \
        for (; i < n; i++) {                                                                                           \
            double a = x[i];                                                                                           \
            bad1 += a - a;                                                                                             \
            for (ptrdiff_t j = 1; j < w; j++)                                                                          \
                a = OP1(a, x[i - j]);                                                                                  \
            out[i] = a;                                                                                                \
        }                                                                                                              \
        return !(v4_clean(bad) && bad1 == 0.0 && FC(all_finite)(x, w - 1));                                            \
    }                                                                                                                  \
    FC_INLINE void name##_tails(const double *before, ptrdiff_t w, double *tail) {                                     \
        ptrdiff_t t = w - 1;                                                                                           \
        double fold = NEUTRAL;                                                                                         \
        v4_store(tail + t, v4_all(NEUTRAL));                                                                           \
        for (; t & 3; t--)                                                                                             \
            tail[t - 1] = fold = OP1(fold, before[t - 1]);                                                             \
        v4 carry = v4_all(fold);                                                                                       \
        for (; t > 0; t -= 4) {                                                                                        \
            v4 folded = SCAN_BACK(v4_load(before + t - 4));                                                            \
            v4_store(tail + t - 4, OP4(carry, folded));                                                                \
            carry = OP4(carry, v4_first(folded));                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    FC_INLINE void name##_tail_bars(v4 *fold, const double *x, ptrdiff_t bars, double *tail) {                         \
        v4 one, two;                                                                                                   \
        v4_load_bars(x, bars, &one, &two);                                                                             \
        two = OP4(two, *fold);                                                                                         \
        *fold = OP4(one, two);                                                                                         \
        v4_store(tail, two);                                                                                           \
        v4_store(tail - FC_BLOCKS, *fold);                                                                             \
    }                                                                                                                  \
    FC_INLINE void name##_head_bars(v4 *fold, v4 *sum, const double *x, ptrdiff_t bars, double *out,                   \
                                    const double *tail) {                                                              \
        v4 one, two;                                                                                                   \
        v4_load_bars(x, bars, &one, &two);                                                                             \
        *sum = v4_add(v4_add(*sum, one), two);                                                                         \
        one = OP4(*fold, one);                                                                                         \
        *fold = OP4(one, two);                                                                                         \
        v4_store_bars(out, bars, OP4(one, v4_load(tail)), OP4(*fold, v4_load(tail + FC_BLOCKS)));                      \
    }                                                                                                                  \
    FC_INLINE void name##_head_bar(v4 fold, v4 *sum, const double *x, ptrdiff_t bars, double *out, v4 tail) {          \
        v4 one = v4_load_apart(x, bars);                                                                               \
        *sum = v4_add(*sum, one);                                                                                      \
        v4_store_apart(out, bars, OP4(OP4(fold, one), tail));                                                          \
    }                                                                                                                  \
    /* Blocks of `bars` from x on. Returns the sum of their bars, which is finite only if all of them are. */          \
    FC_INLINE v4 name##_lanes(const double *x, ptrdiff_t w, ptrdiff_t bars, double *restrict out, double *tails) {     \
        const ptrdiff_t step = FC_BLOCKS, group = 4 * bars;                                                            \
        const double *before = x - w;                                                                                  \
        v4 fold1 = v4_all(NEUTRAL), fold2 = fold1, sum1 = v4_zero(), sum2 = sum1;                                      \
        ptrdiff_t t = w - 1;                                                                                           \
        v4_store(tails + step * t, fold1);                                                                             \
        v4_store(tails + step * t + 4, fold2);                                                                         \
        for (; t > 1; t -= 2) {                                                                                        \
            name##_tail_bars(&fold1, before + t - 1, bars, tails + step * (t - 1));                                    \
            name##_tail_bars(&fold2, before + group + t - 1, bars, tails + step * (t - 1) + 4);                        \
        }                                                                                                              \
        if (t > 0) {                                                                                                   \
            v4_store(tails, OP4(v4_load_apart(before + 1, bars), fold1));                                              \
            v4_store(tails + 4, OP4(v4_load_apart(before + group + 1, bars), fold2));                                  \
        }                                                                                                              \
        fold1 = fold2 = v4_all(NEUTRAL);                                                                               \
        for (t = 0; t + 2 <= bars; t += 2) {                                                                           \
            fc_ask_ahead(x + step * t, out + step * t);                                                                \
            fc_ask_ahead(x + step * (t + 1), out + step * (t + 1));                                                    \
            name##_head_bars(&fold1, &sum1, x + t, bars, out + t, tails + step * t);                                   \
            name##_head_bars(&fold2, &sum2, x + group + t, bars, out + group + t, tails + step * t + 4);               \
        }                                                                                                              \
        if (t < bars) {                                                                                                \
            name##_head_bar(fold1, &sum1, x + t, bars, out + t, v4_load(tails + step * t));                            \
            name##_head_bar(fold2, &sum2, x + group + t, bars, out + group + t, v4_load(tails + step * t + 4));        \
        }                                                                                                              \
        return v4_add(sum1, sum2);                                                                                     \
    }                                                                                                                  \
    int FC(name)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch) {                            \
        if (w <= FEW_EXTREMES)                                                                                         \
            return name##_few(x, n, w, out);                                                                           \
        double bad1 = 0.0;                                                                                             \
        ptrdiff_t pitch = pitch_of(w), blocks = blocks_of(w), b = w - 1, bars;                                         \
        v4 bad = v4_zero();                                                                                            \
        for (; (bars = lanes_of(&b, n, w)) > 0; b += FC_BLOCKS * bars)                                                 \
            bad = v4_note(bad, name##_lanes(x + b, w, bars, out + b, scratch));                                        \
        while (b < n) {                                                                                                \
            double *tail = scratch;                                                                                    \
            ptrdiff_t stop = n - b < blocks * w ? n : b + blocks * w;                                                  \
            for (ptrdiff_t c = b; c < stop; c += w, tail += pitch)                                                     \
                name##_tails(x + c - w + 1, w, tail);                                                                  \
            for (tail = scratch; b < stop; b += w, tail += pitch) {                                                    \
                const double *from = x + b;                                                                            \
                double *to = out + b;                                                                                  \
                ptrdiff_t m = n - b < w ? n - b : w, end = n - b - m >= 3 ? m + 3 : m, t = 0;                          \
                v4 carry = v4_all(NEUTRAL);                                                                            \
                for (; t + 4 <= end; t += 4) { /* the last may reach into the next block, which writes there later */  \
                    v4 bars = v4_load(from + t), folded = SCAN(bars);                                                  \
                    bad = v4_note(bad, bars);                                                                          \
                    v4_store(to + t, OP4(OP4(carry, folded), v4_load(tail + t)));                                      \
                    carry = OP4(carry, v4_last(folded));                                                               \
                }                                                                                                      \
                double fold = v4_one(carry);                                                                           \
                for (; t < m; t++) {                                                                                   \
                    fold = OP1(fold, from[t]);                                                                         \
                    bad1 += from[t] - from[t];                                                                         \
                    to[t] = OP1(fold, tail[t]);                                                                        \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        return !(v4_clean(bad) && bad1 == 0.0 && FC(all_finite)(x, w - 1));                                            \
    }

ROLL(roll_max, v4_max, FC_GREATER, v4_max_scan, v4_max_scan_back, -INFINITY)
ROLL(roll_min, v4_min, FC_SMALLER, v4_min_scan, v4_min_scan_back, INFINITY)

/* What is made of moments, and where it goes. A sum is of the bars themselves, the others count from a bar. */
typedef enum { MEAN, SUM, VARIANCE, DEVIATION, BANDS } moments_kind;

typedef struct {
    double up, down;
    double *upper, *middle, *lower;
} moments_out;

typedef struct {
    v4 upper, middle, lower;
} made4;

FC_INLINE made4 make4(const moments_out *o, v4 base, v4 sum, v4 squares, v4 inverse, moments_kind kind) {
    made4 r;
    r.upper = r.middle = r.lower = v4_zero();
    if (kind == SUM) {
        r.middle = sum;
        return r;
    }
    v4 offset = v4_mul(sum, inverse), mean = v4_add(base, offset);
    r.middle = mean;
    if (kind == MEAN) {
        return r;
    }
    v4 variance = v4_sub(v4_mul(squares, inverse), v4_min(v4_mul(offset, offset), v4_all(DBL_MAX)));
    r.upper = v4_max(v4_zero(), variance); /* NaN where that is NaN */
    if (kind == VARIANCE) {
        return r;
    }
    v4 deviation = v4_sqrt(r.upper), high = v4_mul(deviation, v4_all(o->up));
    r.upper = kind == BANDS ? v4_add(mean, high) : high;
    r.lower = v4_sub(mean, v4_mul(deviation, v4_all(o->down)));
    return r;
}

FC_INLINE v4 apart4(v4 x, v4 base, moments_kind kind) { return kind == SUM ? x : v4_sub(x, base); }
FC_INLINE double apart1(double x, double base, moments_kind kind) { return kind == SUM ? x : x - base; }

/* Which of the three are given. */
FC_INLINE int has_middle(moments_kind kind) { return kind != VARIANCE && kind != DEVIATION; }
FC_INLINE int has_upper(moments_kind kind) { return kind > SUM; }

FC_INLINE void put4(const moments_out *o, ptrdiff_t i, v4 base, v4 sum, v4 squares, v4 inverse, moments_kind kind) {
    made4 r = make4(o, base, sum, squares, inverse, kind);
    if (has_middle(kind)) {
        v4_store(o->middle + i, r.middle);
    }
    if (has_upper(kind)) {
        v4_store(o->upper + i, r.upper);
    }
    if (kind == BANDS) {
        v4_store(o->lower + i, r.lower);
    }
}

FC_INLINE void put1(const moments_out *o, ptrdiff_t i, double base, double sum, double squares, double inverse,
                    moments_kind kind) {
    if (kind == SUM) {
        o->middle[i] = sum;
        return;
    }
    double offset = sum * inverse, mean = base + offset;
    if (kind == MEAN || kind == BANDS) {
        o->middle[i] = mean;
    }
    if (kind == MEAN) {
        return;
    }
    /* Infinite, not NaN, where squares overflow. */
    double variance = squares * inverse - FC_SMALLER(offset * offset, DBL_MAX);
    variance = variance <= 0.0 ? 0.0 : variance;
    if (kind == VARIANCE) {
        o->upper[i] = variance;
        return;
    }
    double deviation = sqrt(variance);
    o->upper[i] = kind == BANDS ? mean + deviation * o->up : deviation * o->up;
    if (kind == BANDS) {
        o->lower[i] = mean - deviation * o->down;
    }
}

FC_INLINE int moments_few(const double *x, ptrdiff_t n, ptrdiff_t w, const moments_out *o, moments_kind kind) {
    double inverse1 = 1.0 / (double)w, bad1 = 0.0;
    v4 inverse = v4_all(inverse1), bad = v4_zero();
    ptrdiff_t i = w - 1;
    for (; i + 4 <= n; i += 4) {
        v4 base = v4_load(x + i), sum = apart4(base, base, kind), squares = kind > SUM ? sum : v4_zero(); /* 0 or NaN */
        bad = v4_note(bad, base);
        for (ptrdiff_t j = 1; j < w; j++) {
            v4 d = apart4(v4_load(x + i - j), base, kind);
            sum = v4_add(sum, d);
            if (kind > SUM) {
                squares = v4_add(squares, v4_mul(d, d));
            }
        }
        put4(o, i, base, sum, squares, inverse, kind);
    }
    for (; i < n; i++) {
        double base = x[i], sum = apart1(base, base, kind), squares = kind > SUM ? sum : 0.0;
        bad1 += base - base;
        for (ptrdiff_t j = 1; j < w; j++) {
            double d = apart1(x[i - j], base, kind);
            sum += d;
            squares += d * d;
        }
        put1(o, i, base, sum, squares, inverse1, kind);
    }
    return !(v4_clean(bad) && bad1 == 0.0 && FC(all_finite)(x, w - 1));
}

FC_INLINE void moments_tails(const double *before, ptrdiff_t w, double base1, double *sums, double *squares,
                             moments_kind kind) {
    ptrdiff_t t = w - 1;
    double s1 = 0.0, s2 = 0.0;
    v4_store(sums + t, v4_zero());
    if (kind > SUM) {
        v4_store(squares + t, v4_zero());
    }
    for (; t & 3; t--) {
        double d = apart1(before[t - 1], base1, kind);
        sums[t - 1] = s1 += d;
        if (kind > SUM) {
            squares[t - 1] = s2 += d * d;
        }
    }
    v4 base = v4_all(base1), sum = v4_all(s1), square = v4_all(s2);
    for (; t > 0; t -= 4) {
        v4 d = apart4(v4_load(before + t - 4), base, kind), folded = v4_scan_back(d);
        v4_store(sums + t - 4, v4_add(sum, folded));
        sum = v4_add(sum, v4_first(folded));
        if (kind <= SUM) {
            continue;
        }
        v4 folded2 = v4_scan_back(v4_mul(d, d));
        v4_store(squares + t - 4, v4_add(square, folded2));
        square = v4_add(square, v4_first(folded2));
    }
}

/* Four blocks side by side: their first bars, and what their bars come to about these so far. */
typedef struct {
    v4 base, sum, square;
} four_moments;

FC_INLINE void moments_tail(four_moments *f, v4 x, double *sum, double *square, moments_kind kind) {
    v4 d = apart4(x, f->base, kind);
    f->sum = v4_add(f->sum, d);
    v4_store(sum, f->sum);
    if (kind > SUM) {
        f->square = v4_add(f->square, v4_mul(d, d));
        v4_store(square, f->square);
    }
}

FC_INLINE void moments_tail_bars(four_moments *f, const double *x, ptrdiff_t bars, double *sum, double *square,
                                 moments_kind kind) {
    v4 one, two;
    v4_load_bars(x, bars, &one, &two);
    moments_tail(f, two, sum, square, kind);
    moments_tail(f, one, sum - FC_BLOCKS, square - FC_BLOCKS, kind);
}

FC_INLINE made4 moments_head(four_moments *f, v4 x, const moments_out *o, v4 inverse, const double *sum,
                             const double *square, moments_kind kind) {
    v4 d = apart4(x, f->base, kind), squares = v4_zero();
    f->sum = v4_add(f->sum, d);
    if (kind > SUM) {
        f->square = v4_add(f->square, v4_mul(d, d));
        squares = v4_add(f->square, v4_load(square));
    }
    return make4(o, f->base, v4_add(f->sum, v4_load(sum)), squares, inverse, kind);
}

FC_INLINE void moments_head_bars(four_moments *f, const double *x, ptrdiff_t i, ptrdiff_t bars, const moments_out *o,
                                 v4 inverse, const double *sum, const double *square, moments_kind kind) {
    v4 one, two;
    v4_load_bars(x + i, bars, &one, &two);
    made4 a = moments_head(f, one, o, inverse, sum, square, kind);
    made4 b = moments_head(f, two, o, inverse, sum + FC_BLOCKS, square + FC_BLOCKS, kind);
    if (has_middle(kind)) {
        v4_store_bars(o->middle + i, bars, a.middle, b.middle);
    }
    if (has_upper(kind)) {
        v4_store_bars(o->upper + i, bars, a.upper, b.upper);
    }
    if (kind == BANDS) {
        v4_store_bars(o->lower + i, bars, a.lower, b.lower);
    }
}

FC_INLINE void moments_head_bar(four_moments *f, const double *x, ptrdiff_t i, ptrdiff_t bars, const moments_out *o,
                                v4 inverse, const double *sum, const double *square, moments_kind kind) {
    made4 a = moments_head(f, v4_load_apart(x + i, bars), o, inverse, sum, square, kind);
    if (has_middle(kind)) {
        v4_store_apart(o->middle + i, bars, a.middle);
    }
    if (has_upper(kind)) {
        v4_store_apart(o->upper + i, bars, a.upper);
    }
    if (kind == BANDS) {
        v4_store_apart(o->lower + i, bars, a.lower);
    }
}

FC_INLINE void ask_ahead(const double *x, ptrdiff_t i, const moments_out *o, moments_kind kind) {
    fc_ask_ahead(x + i, (has_middle(kind) ? o->middle : o->upper) + i);
    if (kind == BANDS) {
        fc_ask_ahead(o->upper + i, o->lower + i);
    }
}

/* Blocks of `bars` from x + b on, as four at a time in lanes. Returns the sum of what tells of their bars. */
FC_INLINE v4 moments_lanes(const double *x, ptrdiff_t b, ptrdiff_t w, ptrdiff_t bars, const moments_out *o, v4 inverse,
                           double *tails, moments_kind kind) {
    const ptrdiff_t step = FC_BLOCKS, group = 4 * bars;
    const double *before = x + b - w;
    double *tails2 = kind > SUM ? tails + step * w : tails;
    v4 zero = v4_zero();
    four_moments one = {v4_load_apart(x + b, bars), zero, zero};
    four_moments two = {v4_load_apart(x + b + group, bars), zero, zero};
    ptrdiff_t t = w - 1;
    for (int k = 0; k < FC_BLOCKS; k += 4) {
        v4_store(tails + step * t + k, zero);
        v4_store(tails2 + step * t + k, zero);
    }
    for (; t > 1; t -= 2) {
        double *sum = tails + step * (t - 1), *square = tails2 + step * (t - 1);
        moments_tail_bars(&one, before + t - 1, bars, sum, square, kind);
        moments_tail_bars(&two, before + group + t - 1, bars, sum + 4, square + 4, kind);
    }
    if (t > 0) {
        moments_tail(&one, v4_load_apart(before + 1, bars), tails, tails2, kind);
        moments_tail(&two, v4_load_apart(before + group + 1, bars), tails + 4, tails2 + 4, kind);
    }
    v4 told = v4_add(one.sum, two.sum);
    one.sum = one.square = two.sum = two.square = zero;
    for (t = 0; t + 2 <= bars; t += 2) {
        const double *sum = tails + step * t, *square = tails2 + step * t;
        ask_ahead(x, b + step * t, o, kind);
        ask_ahead(x, b + step * (t + 1), o, kind);
        moments_head_bars(&one, x, b + t, bars, o, inverse, sum, square, kind);
        moments_head_bars(&two, x, b + group + t, bars, o, inverse, sum + 4, square + 4, kind);
    }
    if (t < bars) {
        const double *sum = tails + step * t, *square = tails2 + step * t;
        moments_head_bar(&one, x, b + t, bars, o, inverse, sum, square, kind);
        moments_head_bar(&two, x, b + group + t, bars, o, inverse, sum + 4, square + 4, kind);
    }
    return v4_add(told, v4_add(one.sum, two.sum));
}

/* Each block counts from its first bar, which lies in every window that ends in it: the mean of equal values is that
 * value, and their deviation 0. It goes on to the end where a bar is NaN, and makes NaN of the windows that have one. */
FC_INLINE int moments(const double *x, ptrdiff_t n, ptrdiff_t w, const moments_out *o, double *scratch,
                      moments_kind kind) {
    if (w <= (kind <= SUM ? FEW_SUMS : FEW_MOMENTS)) {
        return moments_few(x, n, w, o, kind);
    }
    double inverse1 = 1.0 / (double)w, bad1 = 0.0;
    ptrdiff_t pitch = pitch_of(w), blocks = blocks_of(w), b = w - 1, bars;
    v4 inverse = v4_all(inverse1), bad = v4_zero();
    for (; (bars = lanes_of(&b, n, w)) > 0; b += FC_BLOCKS * bars) {
        bad = v4_note(bad, moments_lanes(x, b, w, bars, o, inverse, scratch, kind));
    }
    while (b < n) {
        double *sums = scratch, *squares = scratch + blocks * pitch;
        ptrdiff_t stop = n - b < blocks * w ? n : b + blocks * w;
        for (ptrdiff_t c = b, k = 0; c < stop; c += w, k += pitch) {
            moments_tails(x + c - w + 1, w, x[c], sums + k, squares + k, kind);
        }
        if (b == w - 1) {
            bad1 += sums[0] - sums[0];
        }
        for (; b < stop; b += w, sums += pitch, squares += pitch) {
            const double *from = x + b;
            ptrdiff_t m = n - b < w ? n - b : w, end = n - b - m >= 3 ? m + 3 : m, t = 0;
            v4 base = v4_all(from[0]), sum = v4_zero(), square = v4_zero();
            for (; t + 4 <= end; t += 4) { /* the last may reach into the next block, which writes there later */
                v4 d = apart4(v4_load(from + t), base, kind), folded = v4_scan(d), folded2 = v4_zero(),
                   all2 = v4_zero();
                if (kind > SUM) {
                    folded2 = v4_scan(v4_mul(d, d));
                    all2 = v4_add(v4_add(square, folded2), v4_load(squares + t));
                }
                put4(o, b + t, base, v4_add(v4_add(sum, folded), v4_load(sums + t)), all2, inverse, kind);
                sum = v4_add(sum, v4_last(folded));
                square = v4_add(square, v4_last(folded2));
            }
            double s1 = v4_one(sum), s2 = v4_one(square);
            for (; t < m; t++) {
                double d = apart1(from[t], from[0], kind);
                s1 += d;
                s2 += d * d;
                put1(o, b + t, from[0], s1 + sums[t], kind <= SUM ? 0.0 : s2 + squares[t], inverse1, kind);
            }
            bad1 += s1 - s1; /* the sum tells of all bars of the block */
        }
    }
    return !(v4_clean(bad) && bad1 == 0.0);
}

int FC(roll_mean)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch) {
    moments_out to = {0.0, 0.0, NULL, out, NULL};
    return moments(x, n, w, &to, scratch, MEAN);
}

int FC(roll_sum)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch) {
    moments_out to = {0.0, 0.0, NULL, out, NULL};
    return moments(x, n, w, &to, scratch, SUM);
}

int FC(roll_variance)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch) {
    moments_out to = {0.0, 0.0, out, NULL, NULL};
    return moments(x, n, w, &to, scratch, VARIANCE);
}

int FC(roll_std)(const double *x, ptrdiff_t n, ptrdiff_t w, double by, double *out, double *scratch) {
    moments_out to = {by, 0.0, out, NULL, NULL};
    return moments(x, n, w, &to, scratch, DEVIATION);
}

int FC(roll_bands)(const double *x, ptrdiff_t n, ptrdiff_t w, double up, double down, double *upper, double *middle,
                   double *lower, double *scratch) {
    moments_out to = {up, down, upper, middle, lower};
    return moments(x, n, w, &to, scratch, BANDS);
}
