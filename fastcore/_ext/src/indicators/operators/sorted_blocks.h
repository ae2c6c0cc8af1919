/* Values in order, in blocks, and how far those of each block are from its smallest.
 *
 * A block that is full is split, and two neighbours that fit into three quarters of one are joined, so that blocks are few.
 * What is asked of all values is asked of each block's numbers, which are side by side, and of the values of one block. A
 * block and all blocks' numbers grow with the square root of the number of values. None of it holds addresses.
 *
 * Of a block that changes the distances are added again: nothing is left of a value that leaves.
 */
#ifndef FASTCORE_INDICATORS_OPERATORS_SORTED_BLOCKS_H
#define FASTCORE_INDICATORS_OPERATORS_SORTED_BLOCKS_H

#include "indicators/kernels/stages.h"

#define FC_BLOCK_LEAST 64 /* values of a block */
#define FC_BLOCK_SPARE 8  /* four of -INFINITY before them, and what is not used, at least four of INFINITY, after */

/* Followed in memory by five numbers of each block: its largest and its smallest value, how many there are, the sum of
 * their distances from the smallest, and where the block is; then by the blocks. */
typedef struct {
    int64_t there, blocks, most, room; /* values; blocks, and how many at most; values that one has room for */
    double mem[];
} fc_blocks;

FC_INLINE int64_t fc_blocks_room(double values) {
    int64_t room = FC_BLOCK_LEAST;
    while ((double)room * (double)room < 6.0 * values) {
        room *= 2;
    }
    return room;
}
/* With one in reserve for a split, in fours. */
FC_INLINE int64_t fc_blocks_most(double values) {
    return ((int64_t)(values * 8.0 / (3.0 * (double)fc_blocks_room(values))) + 3 + 3) & ~(int64_t)3;
}
FC_INLINE size_t fc_blocks_size(double values) {
    int64_t most = fc_blocks_most(values);
    return sizeof(fc_blocks) + (size_t)(most * (5 + fc_blocks_room(values) + FC_BLOCK_SPARE)) * sizeof(double);
}

void FC(blocks_init)(fc_blocks *s, double values);
void FC(blocks_clear)(fc_blocks *s);
/* Of a state from outside, with so many values: whether nothing that is done with it leaves its memory. */
int FC(blocks_valid)(const fc_blocks *s, double values, int64_t there);

void FC(blocks_insert)(fc_blocks *s, double x);
void FC(blocks_erase)(fc_blocks *s, double old);
void FC(blocks_replace)(fc_blocks *s, double old, double x);

/* How many values are below x, and how many are equal to it. */
double FC(blocks_rank)(const fc_blocks *s, double x, double *equal);
/* The k-th value from 0 on, the one before and the next: infinite where there is none; k may be the number of values. */
void FC(blocks_pick)(const fc_blocks *s, int64_t k, double *before, double *value, double *next);
/* The sum of how far all values are from `base`. */
double FC(blocks_sum)(const fc_blocks *s, double base);
/* The sum of the absolute distances of all values from base + off. */
double FC(blocks_apart)(const fc_blocks *s, double base, double off);

#endif
