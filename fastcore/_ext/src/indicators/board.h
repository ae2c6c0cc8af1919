/* A board without Python: indicators of many symbols, in tiles. The caller keeps threads apart. */
#ifndef FASTCORE_INDICATORS_BOARD_H
#define FASTCORE_INDICATORS_BOARD_H

#include "indicators/across.h"
#include "indicators/threads.h"

/* The memory of a thread. */
typedef struct {
    double **to;
    const double **in;
    double *scratch, *side; /* for ticks; for the bars of a history, while there is one */
    void *room;
} fc_worker;

typedef struct {
    int n_parts, n_columns, n_out;
    fc_part *parts;
    fc_merged *merged;
    fc_across *across;
    ptrdiff_t symbols, n_tiles;
    fc_tile *tiles;
    ptrdiff_t *start; /* of each tile, its first symbol */
    double **out;     /* outputs, a value a symbol: the caller sets them */
    int n_workers;    /* threads that pay for a history of all symbols */
    int n_tick; /* and for a tick: a processor is left to the rest of the program, whose turn would hold it up */
    fc_worker workers[FC_MOST_THREADS];
} fc_board;

/* Without symbols. The programs must live as long. NULL without memory. */
fc_board *fc_board_new(const fc_part *parts, int n_parts, int n_columns);
void fc_board_free(fc_board *b);
/* n more symbols, fresh ones; -1 without memory, and nothing has changed. */
int fc_board_add(fc_board *b, ptrdiff_t n);
/* An equal one; its outputs are to be set. NULL without memory. */
fc_board *fc_board_copy(const fc_board *b);

/* The next bar of each symbol, or of the n at `at`; a column has a value for each. */
void fc_board_tick(fc_board *b, const int64_t *at, ptrdiff_t n, const double *const *columns);
/* Many bars of the symbols at `at`, or of n symbols from `first` on, where a tile begins. A column has `bars` values for each
 * of them. -1 without memory, and nothing has changed. */
int fc_board_history(fc_board *b, const int64_t *at, ptrdiff_t first, ptrdiff_t n, ptrdiff_t bars,
                     const double *const *columns);
/* Symbols at `at`, or all, begin again in the parts that are chosen. -1 without memory, and nothing has changed. */
int fc_board_reset(fc_board *b, const int64_t *at, ptrdiff_t n, const unsigned char *chosen);

#endif
