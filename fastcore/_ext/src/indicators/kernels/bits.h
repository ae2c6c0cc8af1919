/* Bits of a word that are 1: how many, and the first. */
#ifndef FASTCORE_INDICATORS_KERNELS_BITS_H
#define FASTCORE_INDICATORS_KERNELS_BITS_H

#include <stdint.h>

#include "common/macros.h"

#if defined(__GNUC__) || defined(__clang__)
FC_INLINE int32_t fc_bit_count(uint64_t word) { return __builtin_popcountll(word); }
FC_INLINE int32_t fc_first_bit(uint64_t word) { return __builtin_ctzll(word); }
#else
FC_INLINE int32_t fc_bit_count(uint64_t word) {
    word -= word >> 1 & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
    return (int32_t)(((word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
}
FC_INLINE int32_t fc_first_bit(uint64_t word) { return fc_bit_count((word & (0 - word)) - 1); }
#endif

#endif
