/* Rolling sums, extrema and moments over whole series; stages.h says how windows are cut.
 *
 * Block k's tails fold the w - 1 bars before its first one, backwards; its heads fold its own bars, forwards; the window
 * ending at its bar t is tail t with head t. Tails of many blocks are made before they are used: read back at once they
 * would still be in the store buffer, where a load may be matched to the wrong store and the pipeline start again.
 */
#include <float.h>

#include "indicators/kernels/stages.h"

/* Up to this width folding each window by itself is faster than cutting into blocks: of extremes, sums, sums of squares. */
#define FEW_EXTREMES 9
#define FEW_SUMS 6
#define FEW_MOMENTS 7

int FC(all_finite)(const double *x, ptrdiff_t n) { /* a finite x times 0 is 0 */
    double bad1 = 0.0;
    v4 bad[8], zero = v4_zero();
    ptrdiff_t i = 0;
    for (int l = 0; l < 8; l++) {
        bad[l] = zero;
    }
    for (; i + 32 <= n; i += 32) {
        for (int l = 0; l < 8; l++) {
            bad[l] = v4_add(bad[l], v4_mul(v4_load(x + i + 4 * l), zero));
        }
    }
    for (; i < n; i++) {
        bad1 += x[i] * 0.0;
    }
    for (int l = 1; l < 8; l++) {
        bad[0] = v4_add(bad[0], bad[l]);
    }
    return v4_clean(bad[0]) && bad1 == 0.0;
}

static ptrdiff_t pitch_of(ptrdiff_t w) { return (w + 7) & ~(ptrdiff_t)3; }

static ptrdiff_t blocks_of(ptrdiff_t w) {
    ptrdiff_t blocks = FC_TAILS / pitch_of(w);
    return blocks > 1 ? blocks : 1;
}

/* Windows up to this width are cut into blocks that are taken side by side, a lane each: `groups` times four of them. What
 * the tails of a group's bars come to lies bar after bar in the scratch. */
#define LANES_WIDEST 64
#define GROUPS 2

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
    /* Eight blocks from x on. Returns the sum of their bars, which is finite only if all of them are. */              \
    FC_INLINE v4 name##_lanes(const double *x, ptrdiff_t w, double *restrict out, double *tails) {                     \
        v4 fold[GROUPS], one, two, sum[GROUPS];                                                                        \
        ptrdiff_t t = w - 1;                                                                                           \
        for (int g = 0; g < GROUPS; g++) {                                                                             \
            fold[g] = v4_all(NEUTRAL);                                                                                 \
            sum[g] = v4_zero();                                                                                        \
            v4_store(tails + 4 * (GROUPS * t + g), fold[g]);                                                           \
        }                                                                                                              \
        for (; t > 1; t -= 2) {                                                                                        \
            for (int g = 0; g < GROUPS; g++) {                                                                         \
                v4_load_bars(x + (4 * g - 1) * w + t - 1, w, &one, &two);                                              \
                fold[g] = OP4(two, fold[g]);                                                                           \
                v4_store(tails + 4 * (GROUPS * (t - 1) + g), fold[g]);                                                 \
                fold[g] = OP4(one, fold[g]);                                                                           \
                v4_store(tails + 4 * (GROUPS * (t - 2) + g), fold[g]);                                                 \
            }                                                                                                          \
        }                                                                                                              \
        for (int g = 0; g < GROUPS; g++) {                                                                             \
            if (t > 0)                                                                                                 \
                v4_store(tails + 4 * g, OP4(v4_load_apart(x + (4 * g - 1) * w + 1, w), fold[g]));                      \
            fold[g] = v4_all(NEUTRAL);                                                                                 \
        }                                                                                                              \
        for (t = 0; t + 2 <= w; t += 2) {                                                                              \
            for (int g = 0; g < GROUPS; g++) {                                                                         \
                const double *tail = tails + 4 * (GROUPS * t + g);                                                     \
                v4_load_bars(x + 4 * g * w + t, w, &one, &two);                                                        \
                sum[g] = v4_add(v4_add(sum[g], one), two);                                                             \
                one = OP4(fold[g], one);                                                                               \
                fold[g] = OP4(one, two);                                                                               \
                v4_store_bars(out + 4 * g * w + t, w, OP4(one, v4_load(tail)),                                         \
                              OP4(fold[g], v4_load(tail + 4 * GROUPS)));                                               \
            }                                                                                                          \
        }                                                                                                              \
        for (int g = 0; g < GROUPS && t < w; g++) { /* the tail of the last bar is empty */                            \
            one = v4_load_apart(x + 4 * g * w + t, w);                                                                 \
            sum[g] = v4_add(sum[g], one);                                                                              \
            v4_store_apart(out + 4 * g * w + t, w, OP4(fold[g], one));                                                 \
        }                                                                                                              \
        return v4_add(sum[0], sum[GROUPS - 1]);                                                                        \
    }                                                                                                                  \
    int FC(name)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch) {                            \
        if (w <= FEW_EXTREMES)                                                                                         \
            return name##_few(x, n, w, out);                                                                           \
        double bad1 = 0.0;                                                                                             \
        ptrdiff_t pitch = pitch_of(w), blocks = blocks_of(w), b = w - 1;                                               \
        v4 bad = v4_zero();                                                                                            \
        for (; w <= LANES_WIDEST && b + 4 * GROUPS * w <= n; b += 4 * GROUPS * w)                                      \
            bad = v4_note(bad, name##_lanes(x + b, w, out + b, scratch));                                              \
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
            if (!v4_clean(bad) || bad1 != 0.0)                                                                         \
                return 1;                                                                                              \
        }                                                                                                              \
        return !FC(all_finite)(x, w - 1);                                                                              \
    }

ROLL(roll_max, v4_max, FC_GREATER, v4_max_scan, v4_max_scan_back, -INFINITY)
ROLL(roll_min, v4_min, FC_SMALLER, v4_min_scan, v4_min_scan_back, INFINITY)

/* What is made of moments, and where it goes. */
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
        r.middle = v4_add(v4_mul(base, v4_all(o->up)), sum);
        return r;
    }
    v4 offset = v4_mul(sum, inverse), mean = v4_add(base, offset);
    r.middle = mean;
    if (kind == MEAN) {
        return r;
    }
    v4 variance = v4_sub(v4_mul(squares, inverse), v4_min(v4_mul(offset, offset), v4_all(DBL_MAX)));
    r.upper = v4_max(variance, v4_zero());
    if (kind == VARIANCE) {
        return r;
    }
    v4 deviation = v4_sqrt(r.upper), high = v4_mul(deviation, v4_all(o->up));
    r.upper = kind == BANDS ? v4_add(mean, high) : high;
    r.lower = v4_sub(mean, v4_mul(deviation, v4_all(o->down)));
    return r;
}

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
        o->middle[i] = base * o->up + sum;
        return;
    }
    double offset = sum * inverse, mean = base + offset;
    if (kind == MEAN || kind == BANDS) {
        o->middle[i] = mean;
    }
    if (kind == MEAN) {
        return;
    }
    /* Infinite, not NaN and so 0, where squares overflow. */
    double variance = squares * inverse - FC_SMALLER(offset * offset, DBL_MAX);
    if (kind == VARIANCE) {
        o->upper[i] = variance > 0.0 ? variance : 0.0;
        return;
    }
    double deviation = sqrt(variance > 0.0 ? variance : 0.0);
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
        v4 base = v4_load(x + i), sum = v4_zero(), squares = v4_zero();
        bad = v4_note(bad, base);
        for (ptrdiff_t j = 1; j < w; j++) {
            v4 d = v4_sub(v4_load(x + i - j), base);
            sum = v4_add(sum, d);
            if (kind > SUM) {
                squares = v4_add(squares, v4_mul(d, d));
            }
        }
        put4(o, i, base, sum, squares, inverse, kind);
    }
    for (; i < n; i++) {
        double base = x[i], sum = 0.0, squares = 0.0;
        bad1 += base - base;
        for (ptrdiff_t j = 1; j < w; j++) {
            double d = x[i - j] - base;
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
        double d = before[t - 1] - base1;
        sums[t - 1] = s1 += d;
        if (kind > SUM) {
            squares[t - 1] = s2 += d * d;
        }
    }
    v4 base = v4_all(base1), sum = v4_all(s1), square = v4_all(s2);
    for (; t > 0; t -= 4) {
        v4 d = v4_sub(v4_load(before + t - 4), base), folded = v4_scan_back(d);
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

/* Eight blocks from x + b on, as four at a time in lanes. Returns the sum of what tells of their bars. */
FC_INLINE v4 moments_lanes(const double *x, ptrdiff_t b, ptrdiff_t w, const moments_out *o, v4 inverse, double *tails,
                           moments_kind kind) {
    const int squared = kind > SUM, step = 4 * GROUPS;
    double *tails2 = tails + step * w;
    v4 base[GROUPS], sum[GROUPS], square[GROUPS], d[2], told = v4_zero();
    ptrdiff_t t = w - 1;
    x += b;
    for (int g = 0; g < GROUPS; g++) {
        base[g] = v4_load_apart(x + 4 * g * w, w);
        sum[g] = square[g] = v4_zero();
        v4_store(tails + step * t + 4 * g, sum[g]);
        v4_store(tails2 + (squared ? step * t + 4 * g : 0), sum[g]);
    }
    for (; t > 0; t -= 2) {
        for (int g = 0; g < GROUPS; g++) {
            const double *before = x + (4 * g - 1) * w + t;
            if (t > 1) {
                v4_load_bars(before - 1, w, d + 1, d);
            } else {
                d[0] = v4_load_apart(before, w);
            }
            for (int j = 0; j < (t > 1 ? 2 : 1); j++) {
                v4 away = v4_sub(d[j], base[g]);
                sum[g] = v4_add(sum[g], away);
                v4_store(tails + step * (t - 1 - j) + 4 * g, sum[g]);
                if (squared) {
                    square[g] = v4_add(square[g], v4_mul(away, away));
                    v4_store(tails2 + step * (t - 1 - j) + 4 * g, square[g]);
                }
            }
        }
    }
    for (int g = 0; g < GROUPS; g++) {
        told = v4_add(told, sum[g]);
        sum[g] = square[g] = v4_zero();
    }
    for (t = 0; t < w; t += 2) {
        for (int g = 0; g < GROUPS; g++) {
            ptrdiff_t i = 4 * g * w + t;
            const double *tail = tails + step * t + 4 * g, *tail2 = squared ? tails2 + step * t + 4 * g : tail;
            int pair = t + 2 <= w;
            made4 r[2];
            if (pair) {
                v4_load_bars(x + i, w, d, d + 1);
            } else {
                d[0] = v4_load_apart(x + i, w);
            }
            for (int j = 0; j < (pair ? 2 : 1); j++) {
                v4 away = v4_sub(d[j], base[g]);
                sum[g] = v4_add(sum[g], away);
                square[g] = squared ? v4_add(square[g], v4_mul(away, away)) : square[g];
                r[j] = make4(o, base[g], v4_add(sum[g], v4_load(tail + step * j)),
                             squared ? v4_add(square[g], v4_load(tail2 + step * j)) : square[g], inverse, kind);
            }
            if (pair) {
                if (has_middle(kind)) {
                    v4_store_bars(o->middle + b + i, w, r[0].middle, r[1].middle);
                }
                if (has_upper(kind)) {
                    v4_store_bars(o->upper + b + i, w, r[0].upper, r[1].upper);
                }
                if (kind == BANDS) {
                    v4_store_bars(o->lower + b + i, w, r[0].lower, r[1].lower);
                }
            } else {
                if (has_middle(kind)) {
                    v4_store_apart(o->middle + b + i, w, r[0].middle);
                }
                if (has_upper(kind)) {
                    v4_store_apart(o->upper + b + i, w, r[0].upper);
                }
                if (kind == BANDS) {
                    v4_store_apart(o->lower + b + i, w, r[0].lower);
                }
            }
        }
    }
    for (int g = 0; g < GROUPS; g++) {
        told = v4_add(told, sum[g]);
    }
    return told;
}

/* Each block counts from its first bar, which lies in every window that ends in it: the mean of equal values is that
 * value, and their deviation 0. */
FC_INLINE int moments(const double *x, ptrdiff_t n, ptrdiff_t w, const moments_out *o, double *scratch,
                      moments_kind kind) {
    if (w <= (kind <= SUM ? FEW_SUMS : FEW_MOMENTS)) {
        return moments_few(x, n, w, o, kind);
    }
    double inverse1 = 1.0 / (double)w, bad1 = 0.0;
    ptrdiff_t pitch = pitch_of(w), blocks = blocks_of(w), b = w - 1;
    v4 inverse = v4_all(inverse1), bad = v4_zero();
    for (; w <= LANES_WIDEST && b + 4 * GROUPS * w <= n; b += 4 * GROUPS * w) {
        bad = v4_note(bad, moments_lanes(x, b, w, o, inverse, scratch, kind));
    }
    if (!v4_clean(bad)) {
        return 1;
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
                v4 d = v4_sub(v4_load(from + t), base), folded = v4_scan(d), folded2 = v4_zero(), all2 = v4_zero();
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
                double d = from[t] - from[0];
                s1 += d;
                s2 += d * d;
                put1(o, b + t, from[0], s1 + sums[t], kind <= SUM ? 0.0 : s2 + squares[t], inverse1, kind);
            }
            bad1 += s1 - s1; /* the sum tells of all bars of the block */
        }
        if (bad1 != 0.0) {
            return 1;
        }
    }
    return 0;
}

int FC(roll_mean)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch) {
    moments_out to = {0.0, 0.0, NULL, out, NULL};
    return moments(x, n, w, &to, scratch, MEAN);
}

int FC(roll_sum)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch) {
    moments_out to = {(double)w, 0.0, NULL, out, NULL};
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
