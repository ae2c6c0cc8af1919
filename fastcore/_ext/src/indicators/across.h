/* Programs for many symbols at a time, one bar each: what a board runs on.
 *
 * Symbols come in tiles of up to FC_SYMBOLS. A tile's arena holds the states of all nodes, side by side for its symbols; it
 * holds no addresses, so it may be copied and stored. All nodes run for a tile before the next one does: values between
 * nodes stay in the processor's cache. Nothing here knows of Python.
 */
#ifndef FASTCORE_INDICATORS_ACROSS_H
#define FASTCORE_INDICATORS_ACROSS_H

#include "indicators/merge.h"

#define FC_SYMBOLS 1024 /* the processor prefetches rows of this length */

typedef struct {
    const fc_merged *merged;
    int *buffer; /* of each value between nodes; -1 for one that goes to an output */
    int *direct; /* of each value, the first output that it is; -1: none */
    int n_buffers;
    size_t *row; /* of each node, what a symbol has in its rows, or the state that it steps */
} fc_across;

typedef struct {
    ptrdiff_t n, pitch; /* symbols, and from row to row */
    size_t size;
    char *arena; /* at a cache line */
    void *room;  /* of the first of tiles that were made together: what is freed; of the others NULL */
} fc_tile;

/* NULL without memory. The merged programs must live as long. */
fc_across *fc_across_new(const fc_merged *merged);
void fc_across_free(fc_across *a);
/* Doubles that a tick works in. */
ptrdiff_t fc_across_scratch(const fc_across *a);

/* Tiles for n fresh symbols, so many as it takes; -1 without memory. */
int fc_tiles_new(const fc_across *a, fc_tile *tiles, ptrdiff_t n);
int fc_tile_valid(const fc_across *a, const fc_tile *tile);
/* Makes fresh ones of some symbols of the tile, in the nodes that are chosen. */
void fc_tile_reset(const fc_across *a, fc_tile *tile, ptrdiff_t from, ptrdiff_t to, const unsigned char *chosen);
/* Copies the states of one part's nodes from a tile of the same symbols on another board. */
void fc_tile_take(const fc_across *a, fc_tile *tile, const fc_across *from, const fc_tile *other, int part);

/* The next bar of n symbols from `first` on: column j is at in[j], outputs go to out[j], for the symbol `first`.
 * `scratch` is at the beginning of a cache line; each thread has its own. */
void fc_tick(const fc_across *a, fc_tile *tile, ptrdiff_t first, ptrdiff_t n, const double *const *in,
             double *const *out, double *scratch);

#endif
