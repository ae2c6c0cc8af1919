/* Which places of an order are taken by the values of a window: how many there are before a place, and the k-th of them.
 *
 * A bit for each place; above the words of bits a tree of counts, of 16 branches at each node, where each branch has how
 * many places are taken in those before it. So a change is an addition of vectors at each level.
 */
#ifndef FASTCORE_INDICATORS_PRESENT_H
#define FASTCORE_INDICATORS_PRESENT_H

#include <stddef.h>
#include <stdint.h>

#include "indicators/kernels/bits.h"
#include "indicators/kernels/vec.h"

#define FC_BRANCHES 16
#define FC_LEVELS 7 /* for 2 ** 31 places */

typedef struct {
    int levels;
    int32_t there; /* places that are taken */
    int64_t words;
    uint64_t *bits;
    int32_t *counts[FC_LEVELS]; /* from the level above the words on; the last is one node */
} fc_present;

/* Adds what `later` has at each branch to what the node has there. */
FC_INLINE void fc_branches_add(int32_t *node, const int32_t *later, int32_t sign) {
#if defined(FC_VEC_AVX2)
    __m256i by = _mm256_set1_epi32(sign), *at = (__m256i *)node;
    const __m256i *from = (const __m256i *)later;
    for (int half = 0; half < 2; half++) {
        __m256i more = _mm256_and_si256(_mm256_loadu_si256(from + half), by);
        _mm256_storeu_si256(at + half, _mm256_add_epi32(_mm256_loadu_si256(at + half), more));
    }
#else
    for (int b = 0; b < FC_BRANCHES; b++) {
        node[b] += later[b] & sign;
    }
#endif
}
/* How many branches have no more than k before them. */
FC_INLINE int32_t fc_branches_to(const int32_t *node, int32_t k) {
#if defined(FC_VEC_AVX2)
    const __m256i *at = (const __m256i *)node;
    __m256i all = _mm256_set1_epi32(k), lower = _mm256_cmpgt_epi32(_mm256_loadu_si256(at), all);
    __m256i upper = _mm256_cmpgt_epi32(_mm256_loadu_si256(at + 1), all);
    return FC_BRANCHES - fc_bit_count((uint32_t)_mm256_movemask_epi8(_mm256_packs_epi32(lower, upper))) / 2;
#else
    int32_t found = 0;
    for (int b = 0; b < FC_BRANCHES; b++) {
        found += node[b] <= k;
    }
    return found;
#endif
}

FC_INLINE int64_t fc_words_of(int64_t places) { return places / 64 + 1; }
/* Doubles of memory for so many places. */
FC_INLINE ptrdiff_t fc_present_room(int64_t places) {
    return (ptrdiff_t)(fc_words_of(places) + (fc_words_of(places) / 15 + FC_LEVELS + 1) * (FC_BRANCHES / 2));
}

/* None is taken. Then come fc_present_set and fc_present_begin. */
void fc_present_init(fc_present *p, int64_t places, double *room);
FC_INLINE void fc_present_set(fc_present *p, int64_t place) { p->bits[place >> 6] |= (uint64_t)1 << (place & 63); }
/* Counts what is taken. */
void fc_present_begin(fc_present *p);

static const int32_t fc_later[2 * FC_BRANCHES] = {
    [FC_BRANCHES] = -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};

/* Takes a place, or with sign -1 leaves it. */
FC_INLINE void fc_present_change(fc_present *p, int64_t place, int32_t sign) {
    int64_t child = place >> 6;
    p->bits[child] ^= (uint64_t)1 << (place & 63);
    p->there += sign;
    for (int l = 0; l < p->levels; l++) {
        const int32_t *later = fc_later + FC_BRANCHES - 1 - (child & (FC_BRANCHES - 1));
        fc_branches_add(p->counts[l] + (child & ~(int64_t)(FC_BRANCHES - 1)), later, sign);
        child /= FC_BRANCHES;
    }
}

/* How many places before this one are taken; it may be the one after the last. */
FC_INLINE int32_t fc_present_before(const fc_present *p, int64_t place) {
    int64_t child = place >> 6;
    int32_t found = fc_bit_count(p->bits[child] & (((uint64_t)1 << (place & 63)) - 1));
    for (int l = 0; l < p->levels; l++) {
        found += p->counts[l][child];
        child /= FC_BRANCHES;
    }
    return found;
}

/* The k-th bit of a word that is set, from 0 on. */
FC_INLINE int32_t fc_bit_at(uint64_t word, int32_t k) {
#if defined(__BMI2__)
    return fc_first_bit(_pdep_u64((uint64_t)1 << k, word));
#else
    int32_t at = 0;
    for (int32_t half = 32; half; half /= 2) {
        int32_t lower = fc_bit_count(word & (((uint64_t)1 << half) - 1)), up = k >= lower;
        k -= lower & -up;
        at += half & -up;
        word >>= half & -up;
    }
    return at;
#endif
}

/* The k-th place that is taken, from 0 on; k is less than `there`. */
FC_INLINE int64_t fc_present_at(const fc_present *p, int32_t k) {
    int64_t child = 0;
    for (int l = p->levels; l--;) {
        const int32_t *branches = p->counts[l] + child * FC_BRANCHES;
        int32_t branch = fc_branches_to(branches, k) - 1;
        k -= branches[branch];
        child = child * FC_BRANCHES + branch;
    }
    return child * 64 + fc_bit_at(p->bits[child], k);
}

/* The next place after this one that is taken; there is one. */
FC_INLINE int64_t fc_present_next(const fc_present *p, int64_t place) {
    int64_t child = place >> 6;
    uint64_t word = p->bits[child] & ~(uint64_t)1 << (place & 63);
    return FC_LIKELY(word) ? child * 64 + fc_first_bit(word) : fc_present_at(p, fc_present_before(p, place) + 1);
}

#endif
