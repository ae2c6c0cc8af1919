/* Four doubles as one value, in three spellings: AVX2, pairs of two (SSE2, NEON) and plain C.
 *
 * Every operation is exact IEEE arithmetic lane by lane and kernels fix which bar sits in which lane, so all spellings
 * give the same digits. Which one is compiled follows the flags of the translation unit.
 */
#ifndef FASTCORE_INDICATORS_KERNELS_VEC_H
#define FASTCORE_INDICATORS_KERNELS_VEC_H

#include "common/macros.h"

#if defined(FC_PLAIN)
#define FC_VEC_NAME "generic"
#elif defined(__AVX2__)
#define FC_VEC_AVX2
#define FC_VEC_NAME "avx2"
#include <immintrin.h>
#elif defined(__SSE2__) || defined(_M_X64)
#define FC_VEC_PAIRS
#define FC_VEC_SSE2
#define FC_VEC_NAME "sse2"
#include <emmintrin.h>
#elif (defined(__ARM_NEON) && defined(__aarch64__)) || defined(_M_ARM64)
#define FC_VEC_PAIRS
#define FC_VEC_NAME "neon"
#include <arm_neon.h>
#else
#define FC_VEC_NAME "generic"
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
/* x where a > b, else y */
FC_INLINE v4 v4_pick_gt(v4 a, v4 b, v4 x, v4 y) { return _mm256_blendv_pd(y, x, _mm256_cmp_pd(a, b, _CMP_GT_OQ)); }
/* x where a != 0, else 0 */
FC_INLINE v4 v4_if_nonzero(v4 a, v4 x) { return _mm256_and_pd(_mm256_cmp_pd(a, _mm256_setzero_pd(), _CMP_NEQ_UQ), x); }
FC_INLINE int v4_positive(v4 a) { return _mm256_movemask_pd(_mm256_cmp_pd(a, _mm256_setzero_pd(), _CMP_GT_OQ)) == 15; }
FC_INLINE int v4_any_equal(v4 a, v4 b) { return _mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_EQ_OQ)) != 0; }
/* Bit l: whether lane l of both is equal. */
FC_INLINE int v4_equal_bits(v4 a, v4 b) { return _mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_EQ_OQ)); }
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
/* Two numbers from p, then two from q; within each half the lower, or the upper, number of a, then that of b. */
FC_INLINE v4 v4_load_two(const double *p, const double *q) {
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(p)), _mm_loadu_pd(q), 1);
}
FC_INLINE void v4_store_two(double *p, double *q, v4 a) {
    _mm_storeu_pd(p, _mm256_castpd256_pd128(a));
    _mm_storeu_pd(q, _mm256_extractf128_pd(a, 1));
}
FC_INLINE v4 v4_zip_lowers(v4 a, v4 b) { return _mm256_unpacklo_pd(a, b); }
FC_INLINE v4 v4_zip_uppers(v4 a, v4 b) { return _mm256_unpackhi_pd(a, b); }

#elif defined(FC_VEC_PAIRS)

#if defined(FC_VEC_SSE2)

typedef __m128d v2;

FC_INLINE v2 v2_load(const double *p) { return _mm_loadu_pd(p); }
FC_INLINE void v2_store(double *p, v2 a) { _mm_storeu_pd(p, a); }
FC_INLINE v2 v2_all(double a) { return _mm_set1_pd(a); }
FC_INLINE v2 v2_of(double a, double b) { return _mm_setr_pd(a, b); }
FC_INLINE v2 v2_add(v2 a, v2 b) { return _mm_add_pd(a, b); }
FC_INLINE v2 v2_sub(v2 a, v2 b) { return _mm_sub_pd(a, b); }
FC_INLINE v2 v2_mul(v2 a, v2 b) { return _mm_mul_pd(a, b); }
FC_INLINE v2 v2_div(v2 a, v2 b) { return _mm_div_pd(a, b); }
FC_INLINE v2 v2_sqrt(v2 a) { return _mm_sqrt_pd(a); }
FC_INLINE v2 v2_max(v2 a, v2 b) { return _mm_max_pd(a, b); }
FC_INLINE v2 v2_min(v2 a, v2 b) { return _mm_min_pd(a, b); }
FC_INLINE v2 v2_abs(v2 a) { return _mm_andnot_pd(_mm_set1_pd(-0.0), a); }
FC_INLINE v2 v2_if_gt(v2 a, v2 b, v2 x) { return _mm_and_pd(_mm_cmpgt_pd(a, b), x); }
FC_INLINE v2 v2_pick_gt(v2 a, v2 b, v2 x, v2 y) {
    v2 mask = _mm_cmpgt_pd(a, b);
    return _mm_or_pd(_mm_and_pd(mask, x), _mm_andnot_pd(mask, y));
}
FC_INLINE v2 v2_if_nonzero(v2 a, v2 x) { return _mm_and_pd(_mm_cmpneq_pd(a, _mm_setzero_pd()), x); }
/* Whether both a and b are positive in both lanes, and whether any lane of a equals that of c, or of b that of d. */
FC_INLINE int v2_positive(v2 a, v2 b) {
    v2 zero = _mm_setzero_pd();
    return _mm_movemask_pd(_mm_and_pd(_mm_cmpgt_pd(a, zero), _mm_cmpgt_pd(b, zero))) == 3;
}
FC_INLINE int v2_any_equal(v2 a, v2 b, v2 c, v2 d) {
    return _mm_movemask_pd(_mm_or_pd(_mm_cmpeq_pd(a, c), _mm_cmpeq_pd(b, d))) != 0;
}
FC_INLINE int v2_equal_bits(v2 a, v2 b) { return _mm_movemask_pd(_mm_cmpeq_pd(a, b)); }
FC_INLINE double v2_one(v2 a) { return _mm_cvtsd_f64(a); }
FC_INLINE v2 v2_lowers(v2 a) { return _mm_unpacklo_pd(a, a); }
FC_INLINE v2 v2_uppers(v2 a) { return _mm_unpackhi_pd(a, a); }
FC_INLINE v2 v2_swapped(v2 a) { return _mm_shuffle_pd(a, a, 1); }
FC_INLINE v2 v2_raised(v2 a) { return _mm_unpacklo_pd(_mm_setzero_pd(), a); }
FC_INLINE v2 v2_lowered(v2 a) { return _mm_unpackhi_pd(a, _mm_setzero_pd()); }
FC_INLINE v2 v2_zip_lowers(v2 a, v2 b) { return _mm_unpacklo_pd(a, b); }
FC_INLINE v2 v2_zip_uppers(v2 a, v2 b) { return _mm_unpackhi_pd(a, b); }

#else

typedef float64x2_t v2;

FC_INLINE v2 v2_load(const double *p) { return vld1q_f64(p); }
FC_INLINE void v2_store(double *p, v2 a) { vst1q_f64(p, a); }
FC_INLINE v2 v2_all(double a) { return vdupq_n_f64(a); }
FC_INLINE v2 v2_of(double a, double b) { return vsetq_lane_f64(b, vdupq_n_f64(a), 1); }
FC_INLINE v2 v2_add(v2 a, v2 b) { return vaddq_f64(a, b); }
FC_INLINE v2 v2_sub(v2 a, v2 b) { return vsubq_f64(a, b); }
FC_INLINE v2 v2_mul(v2 a, v2 b) { return vmulq_f64(a, b); }
FC_INLINE v2 v2_div(v2 a, v2 b) { return vdivq_f64(a, b); }
FC_INLINE v2 v2_sqrt(v2 a) { return vsqrtq_f64(a); }
/* The instruction for the greater one returns NaN for any NaN; x86's returns the second operand, as C does. */
FC_INLINE v2 v2_max(v2 a, v2 b) { return vbslq_f64(vcgtq_f64(a, b), a, b); }
FC_INLINE v2 v2_min(v2 a, v2 b) { return vbslq_f64(vcltq_f64(a, b), a, b); }
FC_INLINE v2 v2_abs(v2 a) { return vabsq_f64(a); }
FC_INLINE v2 v2_masked(uint64x2_t mask, v2 x) {
    return vreinterpretq_f64_u64(vandq_u64(mask, vreinterpretq_u64_f64(x)));
}
FC_INLINE v2 v2_if_gt(v2 a, v2 b, v2 x) { return v2_masked(vcgtq_f64(a, b), x); }
FC_INLINE v2 v2_pick_gt(v2 a, v2 b, v2 x, v2 y) { return vbslq_f64(vcgtq_f64(a, b), x, y); }
FC_INLINE v2 v2_if_nonzero(v2 a, v2 x) {
    return vreinterpretq_f64_u64(vbicq_u64(vreinterpretq_u64_f64(x), vceqzq_f64(a)));
}
FC_INLINE int v2_positive(v2 a, v2 b) {
    return vminvq_u32(vreinterpretq_u32_u64(vandq_u64(vcgtzq_f64(a), vcgtzq_f64(b)))) != 0;
}
FC_INLINE int v2_any_equal(v2 a, v2 b, v2 c, v2 d) {
    return vmaxvq_u32(vreinterpretq_u32_u64(vorrq_u64(vceqq_f64(a, c), vceqq_f64(b, d)))) != 0;
}
FC_INLINE int v2_equal_bits(v2 a, v2 b) {
    uint64x2_t equal = vceqq_f64(a, b);
    return (int)((vgetq_lane_u64(equal, 0) & 1) | (vgetq_lane_u64(equal, 1) & 2));
}
FC_INLINE double v2_one(v2 a) { return vgetq_lane_f64(a, 0); }
FC_INLINE v2 v2_lowers(v2 a) { return vdupq_laneq_f64(a, 0); }
FC_INLINE v2 v2_uppers(v2 a) { return vdupq_laneq_f64(a, 1); }
FC_INLINE v2 v2_swapped(v2 a) { return vextq_f64(a, a, 1); }
FC_INLINE v2 v2_raised(v2 a) { return vzip1q_f64(vdupq_n_f64(0.0), a); }
FC_INLINE v2 v2_lowered(v2 a) { return vzip2q_f64(a, vdupq_n_f64(0.0)); }
FC_INLINE v2 v2_zip_lowers(v2 a, v2 b) { return vzip1q_f64(a, b); }
FC_INLINE v2 v2_zip_uppers(v2 a, v2 b) { return vzip2q_f64(a, b); }

#endif

typedef struct {
    v2 lo, hi;
} v4;

FC_INLINE v4 v4_pair(v2 lo, v2 hi) {
    v4 r;
    r.lo = lo;
    r.hi = hi;
    return r;
}
FC_INLINE v4 v4_load(const double *p) { return v4_pair(v2_load(p), v2_load(p + 2)); }
FC_INLINE void v4_store(double *p, v4 a) {
    v2_store(p, a.lo);
    v2_store(p + 2, a.hi);
}
FC_INLINE v4 v4_all(double a) { return v4_pair(v2_all(a), v2_all(a)); }
FC_INLINE v4 v4_of(double a, double b, double c, double d) { return v4_pair(v2_of(a, b), v2_of(c, d)); }
FC_INLINE v4 v4_add(v4 a, v4 b) { return v4_pair(v2_add(a.lo, b.lo), v2_add(a.hi, b.hi)); }
FC_INLINE v4 v4_sub(v4 a, v4 b) { return v4_pair(v2_sub(a.lo, b.lo), v2_sub(a.hi, b.hi)); }
FC_INLINE v4 v4_mul(v4 a, v4 b) { return v4_pair(v2_mul(a.lo, b.lo), v2_mul(a.hi, b.hi)); }
FC_INLINE v4 v4_div(v4 a, v4 b) { return v4_pair(v2_div(a.lo, b.lo), v2_div(a.hi, b.hi)); }
FC_INLINE v4 v4_max(v4 a, v4 b) { return v4_pair(v2_max(a.lo, b.lo), v2_max(a.hi, b.hi)); }
FC_INLINE v4 v4_min(v4 a, v4 b) { return v4_pair(v2_min(a.lo, b.lo), v2_min(a.hi, b.hi)); }
FC_INLINE v4 v4_sqrt(v4 a) { return v4_pair(v2_sqrt(a.lo), v2_sqrt(a.hi)); }
FC_INLINE v4 v4_abs(v4 a) { return v4_pair(v2_abs(a.lo), v2_abs(a.hi)); }
FC_INLINE v4 v4_if_gt(v4 a, v4 b, v4 x) { return v4_pair(v2_if_gt(a.lo, b.lo, x.lo), v2_if_gt(a.hi, b.hi, x.hi)); }
FC_INLINE v4 v4_pick_gt(v4 a, v4 b, v4 x, v4 y) {
    return v4_pair(v2_pick_gt(a.lo, b.lo, x.lo, y.lo), v2_pick_gt(a.hi, b.hi, x.hi, y.hi));
}
FC_INLINE v4 v4_if_nonzero(v4 a, v4 x) { return v4_pair(v2_if_nonzero(a.lo, x.lo), v2_if_nonzero(a.hi, x.hi)); }
FC_INLINE int v4_positive(v4 a) { return v2_positive(a.lo, a.hi); }
FC_INLINE int v4_any_equal(v4 a, v4 b) { return v2_any_equal(a.lo, a.hi, b.lo, b.hi); }
FC_INLINE int v4_equal_bits(v4 a, v4 b) { return v2_equal_bits(a.lo, b.lo) | v2_equal_bits(a.hi, b.hi) << 2; }
FC_INLINE double v4_one(v4 a) { return v2_one(a.lo); }
FC_INLINE v4 v4_first(v4 a) { return v4_pair(v2_lowers(a.lo), v2_lowers(a.lo)); }
FC_INLINE v4 v4_last(v4 a) { return v4_pair(v2_uppers(a.hi), v2_uppers(a.hi)); }
FC_INLINE v4 v4_lowers(v4 a) { return v4_pair(v2_lowers(a.lo), v2_lowers(a.hi)); }
FC_INLINE v4 v4_uppers(v4 a) { return v4_pair(v2_uppers(a.lo), v2_uppers(a.hi)); }
FC_INLINE v4 v4_swapped(v4 a) { return v4_pair(v2_swapped(a.lo), v2_swapped(a.hi)); }
FC_INLINE v4 v4_raised(v4 a) { return v4_pair(v2_raised(a.lo), v2_raised(a.hi)); }
FC_INLINE v4 v4_lowered(v4 a) { return v4_pair(v2_lowered(a.lo), v2_lowered(a.hi)); }
FC_INLINE v4 v4_low_low(v4 a, v4 b) { return v4_pair(a.lo, b.lo); }
FC_INLINE v4 v4_zero_low(v4 b) { return v4_pair(v2_all(0.0), b.lo); }
FC_INLINE v4 v4_high_high(v4 b, v4 a) { return v4_pair(b.hi, a.hi); }
FC_INLINE v4 v4_high_zero(v4 b) { return v4_pair(b.hi, v2_all(0.0)); }
FC_INLINE v4 v4_load_two(const double *p, const double *q) { return v4_pair(v2_load(p), v2_load(q)); }
FC_INLINE void v4_store_two(double *p, double *q, v4 a) {
    v2_store(p, a.lo);
    v2_store(q, a.hi);
}
FC_INLINE v4 v4_zip_lowers(v4 a, v4 b) { return v4_pair(v2_zip_lowers(a.lo, b.lo), v2_zip_lowers(a.hi, b.hi)); }
FC_INLINE v4 v4_zip_uppers(v4 a, v4 b) { return v4_pair(v2_zip_uppers(a.lo, b.lo), v2_zip_uppers(a.hi, b.hi)); }

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
FC_INLINE v4 v4_pick_gt(v4 a, v4 b, v4 x, v4 y) { FC_LANES(a.l[i] > b.l[i] ? x.l[i] : y.l[i]); }
FC_INLINE v4 v4_if_nonzero(v4 a, v4 x) { FC_LANES(a.l[i] != 0.0 ? x.l[i] : 0.0); }
FC_INLINE int v4_positive(v4 a) { return a.l[0] > 0.0 && a.l[1] > 0.0 && a.l[2] > 0.0 && a.l[3] > 0.0; }
FC_INLINE int v4_any_equal(v4 a, v4 b) {
    return a.l[0] == b.l[0] || a.l[1] == b.l[1] || a.l[2] == b.l[2] || a.l[3] == b.l[3];
}
FC_INLINE int v4_equal_bits(v4 a, v4 b) {
    return (a.l[0] == b.l[0]) | (a.l[1] == b.l[1]) << 1 | (a.l[2] == b.l[2]) << 2 | (a.l[3] == b.l[3]) << 3;
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
FC_INLINE v4 v4_load_two(const double *p, const double *q) { return v4_of(p[0], p[1], q[0], q[1]); }
FC_INLINE void v4_store_two(double *p, double *q, v4 a) {
    p[0] = a.l[0];
    p[1] = a.l[1];
    q[0] = a.l[2];
    q[1] = a.l[3];
}
FC_INLINE v4 v4_zip_lowers(v4 a, v4 b) { return v4_of(a.l[0], b.l[0], a.l[2], b.l[2]); }
FC_INLINE v4 v4_zip_uppers(v4 a, v4 b) { return v4_of(a.l[1], b.l[1], a.l[3], b.l[3]); }

#endif

FC_INLINE v4 v4_zero(void) { return v4_all(0.0); }

/* Of four blocks `apart` from each other, a bar of each. */
FC_INLINE v4 v4_load_apart(const double *x, ptrdiff_t apart) {
    return v4_of(x[0], x[apart], x[2 * apart], x[3 * apart]);
}
FC_INLINE void v4_store_apart(double *out, ptrdiff_t apart, v4 a) {
    double lanes[4];
    v4_store(lanes, a);
    for (int l = 0; l < 4; l++) {
        out[l * apart] = lanes[l];
    }
}

/* Two bars of each of four blocks `apart` from each other: lane l of `one` and `two` has those of block l. */
FC_INLINE void v4_load_bars(const double *x, ptrdiff_t apart, v4 *one, v4 *two) {
    v4 even = v4_load_two(x, x + 2 * apart), odd = v4_load_two(x + apart, x + 3 * apart);
    *one = v4_zip_lowers(even, odd);
    *two = v4_zip_uppers(even, odd);
}
FC_INLINE void v4_store_bars(double *out, ptrdiff_t apart, v4 one, v4 two) {
    v4_store_two(out, out + 2 * apart, v4_zip_lowers(one, two));
    v4_store_two(out + apart, out + 3 * apart, v4_zip_uppers(one, two));
}

/* Running totals within four bars, forwards and backwards: pairs first, then half onto half. */
FC_INLINE v4 v4_scan(v4 a) {
    v4 pairs = v4_add(a, v4_swapped(a));
    return v4_add(v4_add(a, v4_raised(a)), v4_zero_low(pairs));
}
FC_INLINE v4 v4_scan_back(v4 a) {
    v4 pairs = v4_add(a, v4_swapped(a));
    return v4_add(v4_add(a, v4_lowered(a)), v4_high_zero(pairs));
}

/* The same of extremes. */
#define FC_EXTREMUM_SCANS(name, OP4)                                                                                   \
    FC_INLINE v4 name##_scan(v4 a) {                                                                                   \
        v4 own = OP4(a, v4_lowers(a));                                                                                 \
        return OP4(own, v4_low_low(own, OP4(a, v4_swapped(a))));                                                       \
    }                                                                                                                  \
    FC_INLINE v4 name##_scan_back(v4 a) {                                                                              \
        v4 own = OP4(a, v4_uppers(a));                                                                                 \
        return OP4(own, v4_high_high(OP4(a, v4_swapped(a)), own));                                                     \
    }
FC_EXTREMUM_SCANS(v4_max, v4_max)
FC_EXTREMUM_SCANS(v4_min, v4_min)

/* True when the lanes' sum is 0: `bad` adds up x - x or x * 0, which is 0 for a finite x and NaN for any other. */
FC_INLINE int v4_clean(v4 bad) { return v4_equal_bits(bad, v4_zero()) == 15; }
#if defined(FC_VEC_AVX2) && defined(__FMA__)
FC_INLINE v4 v4_note(v4 bad, v4 x) { return _mm256_fmadd_pd(x, v4_zero(), bad); }
#else
FC_INLINE v4 v4_note(v4 bad, v4 x) { return v4_add(bad, v4_sub(x, x)); }
#endif

/* x, then zeros. A constant mask: Valgrind 3.19 does not know vmovq from a high register, by which compilers set the rest
 * to zero. */
FC_INLINE v4 v4_alone(double x) { return v4_if_gt(v4_of(1.0, 0.0, 0.0, 0.0), v4_zero(), v4_all(x)); }

#endif
