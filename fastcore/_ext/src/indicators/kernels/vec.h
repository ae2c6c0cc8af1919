/* Four doubles as one value, in three spellings: AVX2, SSE2 and plain C.
 *
 * Every operation is exact IEEE arithmetic lane by lane and kernels fix which bar sits in which lane, so all spellings
 * give the same digits. Which one is compiled follows the flags of the translation unit.
 */
#ifndef FASTCORE_INDICATORS_KERNELS_VEC_H
#define FASTCORE_INDICATORS_KERNELS_VEC_H

#include "common/macros.h"

#if defined(FC_PLAIN)
#elif defined(__AVX2__)
#define FC_VEC_AVX2
#include <immintrin.h>
#elif defined(__SSE2__) || defined(_M_X64)
#define FC_VEC_SSE2
#include <emmintrin.h>
#endif

#if defined(FC_VEC_AVX2)

typedef __m256d v4;

FC_INLINE v4 v4_load(const double *p) { return _mm256_loadu_pd(p); }
FC_INLINE void v4_store(double *p, v4 a) { _mm256_storeu_pd(p, a); }
FC_INLINE v4 v4_all(double a) { return _mm256_set1_pd(a); }
FC_INLINE v4 v4_of(double a, double b, double c, double d) { return _mm256_setr_pd(a, b, c, d); }
FC_INLINE v4 v4_add(v4 a, v4 b) { return _mm256_add_pd(a, b); }
FC_INLINE v4 v4_sub(v4 a, v4 b) { return _mm256_sub_pd(a, b); }
FC_INLINE v4 v4_mul(v4 a, v4 b) { return _mm256_mul_pd(a, b); }
FC_INLINE v4 v4_div(v4 a, v4 b) { return _mm256_div_pd(a, b); }
FC_INLINE v4 v4_sqrt(v4 a) { return _mm256_sqrt_pd(a); }
FC_INLINE v4 v4_max(v4 a, v4 b) { return _mm256_max_pd(a, b); }
FC_INLINE v4 v4_min(v4 a, v4 b) { return _mm256_min_pd(a, b); }
FC_INLINE v4 v4_abs(v4 a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
/* x where a > b, else 0 */
FC_INLINE v4 v4_if_gt(v4 a, v4 b, v4 x) { return _mm256_and_pd(_mm256_cmp_pd(a, b, _CMP_GT_OQ), x); }
/* x where a != 0, else 0 */
FC_INLINE v4 v4_if_nonzero(v4 a, v4 x) { return _mm256_and_pd(_mm256_cmp_pd(a, _mm256_setzero_pd(), _CMP_NEQ_UQ), x); }
FC_INLINE int v4_positive(v4 a) { return _mm256_movemask_pd(_mm256_cmp_pd(a, _mm256_setzero_pd(), _CMP_GT_OQ)) == 15; }
FC_INLINE int v4_any_equal(v4 a, v4 b) { return _mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_EQ_OQ)) != 0; }
FC_INLINE double v4_one(v4 a) { return _mm256_cvtsd_f64(a); } /* the first lane's number */
FC_INLINE v4 v4_first(v4 a) { return _mm256_permute4x64_pd(a, 0x00); }
FC_INLINE v4 v4_last(v4 a) { return _mm256_permute4x64_pd(a, 0xff); }
/* Within each half: its lower, its upper number twice, and the two swapped. */
FC_INLINE v4 v4_lowers(v4 a) { return _mm256_permute_pd(a, 0x0); }
FC_INLINE v4 v4_uppers(v4 a) { return _mm256_permute_pd(a, 0xf); }
FC_INLINE v4 v4_swapped(v4 a) { return _mm256_permute_pd(a, 0x5); }
/* 0 a0 0 a2 and a1 0 a3 0 */
FC_INLINE v4 v4_raised(v4 a) { return _mm256_unpacklo_pd(_mm256_setzero_pd(), a); }
FC_INLINE v4 v4_lowered(v4 a) { return _mm256_unpackhi_pd(a, _mm256_setzero_pd()); }
/* a's lower half or 0, then b's lower half; b's upper half, then a's upper half or 0 */
FC_INLINE v4 v4_low_low(v4 a, v4 b) { return _mm256_permute2f128_pd(a, b, 0x20); }
FC_INLINE v4 v4_zero_low(v4 b) { return _mm256_permute2f128_pd(b, b, 0x08); }
FC_INLINE v4 v4_high_high(v4 b, v4 a) { return _mm256_permute2f128_pd(b, a, 0x31); }
FC_INLINE v4 v4_high_zero(v4 b) { return _mm256_permute2f128_pd(b, b, 0x81); }

#elif defined(FC_VEC_SSE2)

typedef struct {
    __m128d lo, hi;
} v4;

FC_INLINE v4 v4_pair(__m128d lo, __m128d hi) {
    v4 r;
    r.lo = lo;
    r.hi = hi;
    return r;
}
FC_INLINE v4 v4_load(const double *p) { return v4_pair(_mm_loadu_pd(p), _mm_loadu_pd(p + 2)); }
FC_INLINE void v4_store(double *p, v4 a) {
    _mm_storeu_pd(p, a.lo);
    _mm_storeu_pd(p + 2, a.hi);
}
FC_INLINE v4 v4_all(double a) { return v4_pair(_mm_set1_pd(a), _mm_set1_pd(a)); }
FC_INLINE v4 v4_of(double a, double b, double c, double d) { return v4_pair(_mm_setr_pd(a, b), _mm_setr_pd(c, d)); }
FC_INLINE v4 v4_add(v4 a, v4 b) { return v4_pair(_mm_add_pd(a.lo, b.lo), _mm_add_pd(a.hi, b.hi)); }
FC_INLINE v4 v4_sub(v4 a, v4 b) { return v4_pair(_mm_sub_pd(a.lo, b.lo), _mm_sub_pd(a.hi, b.hi)); }
FC_INLINE v4 v4_mul(v4 a, v4 b) { return v4_pair(_mm_mul_pd(a.lo, b.lo), _mm_mul_pd(a.hi, b.hi)); }
FC_INLINE v4 v4_div(v4 a, v4 b) { return v4_pair(_mm_div_pd(a.lo, b.lo), _mm_div_pd(a.hi, b.hi)); }
FC_INLINE v4 v4_sqrt(v4 a) { return v4_pair(_mm_sqrt_pd(a.lo), _mm_sqrt_pd(a.hi)); }
FC_INLINE v4 v4_max(v4 a, v4 b) { return v4_pair(_mm_max_pd(a.lo, b.lo), _mm_max_pd(a.hi, b.hi)); }
FC_INLINE v4 v4_min(v4 a, v4 b) { return v4_pair(_mm_min_pd(a.lo, b.lo), _mm_min_pd(a.hi, b.hi)); }
FC_INLINE v4 v4_abs(v4 a) {
    __m128d sign = _mm_set1_pd(-0.0);
    return v4_pair(_mm_andnot_pd(sign, a.lo), _mm_andnot_pd(sign, a.hi));
}
FC_INLINE v4 v4_if_gt(v4 a, v4 b, v4 x) {
    return v4_pair(_mm_and_pd(_mm_cmpgt_pd(a.lo, b.lo), x.lo), _mm_and_pd(_mm_cmpgt_pd(a.hi, b.hi), x.hi));
}
FC_INLINE v4 v4_if_nonzero(v4 a, v4 x) {
    __m128d zero = _mm_setzero_pd();
    return v4_pair(_mm_and_pd(_mm_cmpneq_pd(a.lo, zero), x.lo), _mm_and_pd(_mm_cmpneq_pd(a.hi, zero), x.hi));
}
FC_INLINE int v4_positive(v4 a) {
    __m128d zero = _mm_setzero_pd();
    return _mm_movemask_pd(_mm_and_pd(_mm_cmpgt_pd(a.lo, zero), _mm_cmpgt_pd(a.hi, zero))) == 3;
}
FC_INLINE int v4_any_equal(v4 a, v4 b) {
    return _mm_movemask_pd(_mm_or_pd(_mm_cmpeq_pd(a.lo, b.lo), _mm_cmpeq_pd(a.hi, b.hi))) != 0;
}
FC_INLINE double v4_one(v4 a) { return _mm_cvtsd_f64(a.lo); }
FC_INLINE v4 v4_first(v4 a) { return v4_pair(_mm_unpacklo_pd(a.lo, a.lo), _mm_unpacklo_pd(a.lo, a.lo)); }
FC_INLINE v4 v4_last(v4 a) { return v4_pair(_mm_unpackhi_pd(a.hi, a.hi), _mm_unpackhi_pd(a.hi, a.hi)); }
FC_INLINE v4 v4_lowers(v4 a) { return v4_pair(_mm_unpacklo_pd(a.lo, a.lo), _mm_unpacklo_pd(a.hi, a.hi)); }
FC_INLINE v4 v4_uppers(v4 a) { return v4_pair(_mm_unpackhi_pd(a.lo, a.lo), _mm_unpackhi_pd(a.hi, a.hi)); }
FC_INLINE v4 v4_swapped(v4 a) { return v4_pair(_mm_shuffle_pd(a.lo, a.lo, 1), _mm_shuffle_pd(a.hi, a.hi, 1)); }
FC_INLINE v4 v4_raised(v4 a) {
    __m128d zero = _mm_setzero_pd();
    return v4_pair(_mm_unpacklo_pd(zero, a.lo), _mm_unpacklo_pd(zero, a.hi));
}
FC_INLINE v4 v4_lowered(v4 a) {
    __m128d zero = _mm_setzero_pd();
    return v4_pair(_mm_unpackhi_pd(a.lo, zero), _mm_unpackhi_pd(a.hi, zero));
}
FC_INLINE v4 v4_low_low(v4 a, v4 b) { return v4_pair(a.lo, b.lo); }
FC_INLINE v4 v4_zero_low(v4 b) { return v4_pair(_mm_setzero_pd(), b.lo); }
FC_INLINE v4 v4_high_high(v4 b, v4 a) { return v4_pair(b.hi, a.hi); }
FC_INLINE v4 v4_high_zero(v4 b) { return v4_pair(b.hi, _mm_setzero_pd()); }

#else

#include <math.h>

typedef struct {
    double l[4];
} v4;

#define FC_LANES(expression)                                                                                           \
    v4 r;                                                                                                              \
    for (int i = 0; i < 4; i++)                                                                                        \
        r.l[i] = (expression);                                                                                         \
    return r

FC_INLINE v4 v4_load(const double *p) { FC_LANES(p[i]); }
FC_INLINE void v4_store(double *p, v4 a) {
    for (int i = 0; i < 4; i++) {
        p[i] = a.l[i];
    }
}
FC_INLINE v4 v4_all(double a) { FC_LANES(a); }
FC_INLINE v4 v4_of(double a, double b, double c, double d) {
    v4 r = {{a, b, c, d}};
    return r;
}
FC_INLINE v4 v4_add(v4 a, v4 b) { FC_LANES(a.l[i] + b.l[i]); }
FC_INLINE v4 v4_sub(v4 a, v4 b) { FC_LANES(a.l[i] - b.l[i]); }
FC_INLINE v4 v4_mul(v4 a, v4 b) { FC_LANES(a.l[i] * b.l[i]); }
FC_INLINE v4 v4_div(v4 a, v4 b) { FC_LANES(a.l[i] / b.l[i]); }
FC_INLINE v4 v4_sqrt(v4 a) { FC_LANES(sqrt(a.l[i])); }
FC_INLINE v4 v4_max(v4 a, v4 b) { FC_LANES(a.l[i] > b.l[i] ? a.l[i] : b.l[i]); }
FC_INLINE v4 v4_min(v4 a, v4 b) { FC_LANES(a.l[i] < b.l[i] ? a.l[i] : b.l[i]); }
FC_INLINE v4 v4_abs(v4 a) { FC_LANES(fabs(a.l[i])); }
FC_INLINE v4 v4_if_gt(v4 a, v4 b, v4 x) { FC_LANES(a.l[i] > b.l[i] ? x.l[i] : 0.0); }
FC_INLINE v4 v4_if_nonzero(v4 a, v4 x) { FC_LANES(a.l[i] != 0.0 ? x.l[i] : 0.0); }
FC_INLINE int v4_positive(v4 a) { return a.l[0] > 0.0 && a.l[1] > 0.0 && a.l[2] > 0.0 && a.l[3] > 0.0; }
FC_INLINE int v4_any_equal(v4 a, v4 b) {
    return a.l[0] == b.l[0] || a.l[1] == b.l[1] || a.l[2] == b.l[2] || a.l[3] == b.l[3];
}
FC_INLINE double v4_one(v4 a) { return a.l[0]; }
FC_INLINE v4 v4_first(v4 a) { return v4_all(a.l[0]); }
FC_INLINE v4 v4_last(v4 a) { return v4_all(a.l[3]); }
FC_INLINE v4 v4_lowers(v4 a) { return v4_of(a.l[0], a.l[0], a.l[2], a.l[2]); }
FC_INLINE v4 v4_uppers(v4 a) { return v4_of(a.l[1], a.l[1], a.l[3], a.l[3]); }
FC_INLINE v4 v4_swapped(v4 a) { return v4_of(a.l[1], a.l[0], a.l[3], a.l[2]); }
FC_INLINE v4 v4_raised(v4 a) { return v4_of(0.0, a.l[0], 0.0, a.l[2]); }
FC_INLINE v4 v4_lowered(v4 a) { return v4_of(a.l[1], 0.0, a.l[3], 0.0); }
FC_INLINE v4 v4_low_low(v4 a, v4 b) { return v4_of(a.l[0], a.l[1], b.l[0], b.l[1]); }
FC_INLINE v4 v4_zero_low(v4 b) { return v4_of(0.0, 0.0, b.l[0], b.l[1]); }
FC_INLINE v4 v4_high_high(v4 b, v4 a) { return v4_of(b.l[2], b.l[3], a.l[2], a.l[3]); }
FC_INLINE v4 v4_high_zero(v4 b) { return v4_of(b.l[2], b.l[3], 0.0, 0.0); }

#endif

FC_INLINE v4 v4_zero(void) { return v4_all(0.0); }

/* Running totals within four bars, forwards and backwards: pairs first, then half onto half. */
FC_INLINE v4 v4_scan(v4 a) {
    v4 pairs = v4_add(a, v4_swapped(a));
    return v4_add(v4_add(a, v4_raised(a)), v4_zero_low(pairs));
}
FC_INLINE v4 v4_scan_back(v4 a) {
    v4 pairs = v4_add(a, v4_swapped(a));
    return v4_add(v4_add(a, v4_lowered(a)), v4_high_zero(pairs));
}

/* True when the lanes' sum is 0: `bad` adds up x - x, which is 0 for a finite x and NaN for any other. */
FC_INLINE int v4_clean(v4 bad) {
    double lanes[4];
    v4_store(lanes, bad);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3] == 0.0;
}
FC_INLINE v4 v4_note(v4 bad, v4 x) { return v4_add(bad, v4_sub(x, x)); }

#endif
