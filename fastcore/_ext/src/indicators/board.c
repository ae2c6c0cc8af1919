#include "indicators/board.h"

#include <stdlib.h>

#define BARS 16 /* of a history, transposed at a time */

static void *room(size_t n, size_t size) { return calloc(n + 1, size); }

/* ---- making ---- */

static void free_tiles(fc_tile *tiles, ptrdiff_t n) {
    for (ptrdiff_t t = 0; tiles && t < n; t++) {
        free(tiles[t].room);
    }
    free(tiles);
}

static void set_parts(fc_board *b, const fc_part *parts) {
    int *columns = (int *)(void *)(b->parts + b->n_parts + 1);
    for (int i = 0; i < b->n_parts; i++) {
        int n = parts[i].program->n_in;
        memcpy(columns, parts[i].columns, (size_t)n * sizeof(int));
        b->parts[i] = (fc_part){parts[i].program, columns, parts[i].group};
        columns += n;
    }
}

/* Allocates memory for the threads that pay for that many symbols; -1 if there is none. */
static int add_workers(fc_board *b, ptrdiff_t symbols) {
    int wanted = fc_threads_for(symbols, b->n_parts + 1, 0);
    for (int i = b->n_workers; i < wanted; i++, b->n_workers++) {
        fc_worker *w = b->workers + i;
        size_t doubles = (size_t)fc_across_scratch(b->across) + FC_LINE / sizeof(double);
        size_t pointers = (size_t)b->n_out + (size_t)b->n_columns;
        char *made = malloc(doubles * sizeof(double) + pointers * sizeof(void *));
        if (!made) {
            return -1;
        }
        w->room = made;
        w->scratch = fc_on_line(made);
        w->to = (double **)(void *)(made + doubles * sizeof(double));
        w->in = (const double **)(void *)(w->to + b->n_out);
        w->side = NULL;
    }
    b->n_tick = fc_threads_for(symbols, b->n_parts + 1, 1);
    return 0;
}

fc_board *fc_board_new(const fc_part *parts, int n_parts, int n_columns) {
    fc_board *b = calloc(1, sizeof(*b));
    size_t inputs = 0, outputs = 0;
    if (!b) {
        return NULL;
    }
    for (int i = 0; i < n_parts; i++) {
        inputs += (size_t)parts[i].program->n_in;
        outputs += (size_t)parts[i].program->n_out;
    }
    b->n_parts = n_parts;
    b->n_columns = n_columns;
    b->n_out = (int)outputs;
    b->parts = calloc(1, ((size_t)n_parts + 1) * sizeof(fc_part) + inputs * sizeof(int));
    b->out = room(outputs, sizeof(double *));
    if (b->parts) {
        set_parts(b, parts);
        b->merged = fc_merge(b->parts, n_parts);
        b->across = b->merged ? fc_across_new(b->merged) : NULL;
    }
    if (!b->out || !b->across || add_workers(b, 0)) {
        fc_board_free(b);
        return NULL;
    }
    return b;
}

void fc_board_free(fc_board *b) {
    if (b) {
        free_tiles(b->tiles, b->n_tiles);
        fc_across_free(b->across);
        fc_merged_free(b->merged);
        free(b->parts);
        free(b->start);
        free(b->out);
        for (int i = 0; i < b->n_workers; i++) {
            free(b->workers[i].room);
        }
        free(b);
    }
}

int fc_board_add(fc_board *b, ptrdiff_t n) {
    ptrdiff_t more = (n + FC_SYMBOLS - 1) / FC_SYMBOLS, had = b->n_tiles, done = 0;
    fc_tile *tiles = room((size_t)(had + more), sizeof(*tiles));
    ptrdiff_t *start = room((size_t)(had + more), sizeof(*start));
    if (!tiles || !start || add_workers(b, b->symbols + n) || fc_tiles_new(b->across, tiles + had, n)) {
        free(tiles);
        free(start);
        return -1;
    }
    for (ptrdiff_t t = had; t < had + more; done += tiles[t++].n) {
        start[t] = b->symbols + done;
    }
    for (ptrdiff_t t = 0; t < had; t++) {
        tiles[t] = b->tiles[t];
        start[t] = b->start[t];
    }
    free(b->tiles);
    free(b->start);
    b->tiles = tiles;
    b->start = start;
    b->n_tiles = had + more;
    b->symbols += n;
    return 0;
}

/* A board of the same symbols in the same tiles, all fresh. */
static fc_board *alike(const fc_board *b, const fc_part *parts) {
    fc_board *made = fc_board_new(parts, b->n_parts, b->n_columns);
    for (ptrdiff_t t = 0; made && t < b->n_tiles; t++) {
        if (fc_board_add(made, b->tiles[t].n)) {
            fc_board_free(made);
            made = NULL;
        }
    }
    return made;
}

fc_board *fc_board_copy(const fc_board *b) {
    fc_board *made = alike(b, b->parts);
    for (ptrdiff_t t = 0; made && t < b->n_tiles; t++) {
        memcpy(made->tiles[t].arena, b->tiles[t].arena, b->tiles[t].size);
    }
    return made;
}

/* ---- bars ---- */

/* The tile of a symbol. */
static ptrdiff_t tile_of(const fc_board *b, ptrdiff_t symbol) {
    ptrdiff_t low = 0, high = b->n_tiles;
    while (high - low > 1) {
        ptrdiff_t middle = low + (high - low) / 2;
        if (b->start[middle] <= symbol) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static void tick(const fc_board *b, const fc_worker *w, ptrdiff_t t, ptrdiff_t symbol, ptrdiff_t n) {
    for (int j = 0; j < b->n_out; j++) {
        w->to[j] = b->out[j] + symbol;
    }
    fc_tick(b->across, b->tiles + t, symbol - b->start[t], n, w->in, w->to, w->scratch);
}

static void columns_from(const fc_board *b, const fc_worker *w, const double *const *columns, ptrdiff_t i) {
    for (int j = 0; j < b->n_columns; j++) {
        w->in[j] = columns[j] + i;
    }
}

/* A thread's share of a tick or a history. */
typedef struct {
    const fc_board *board;
    const fc_worker *worker;
    fc_queue *tiles;
    const double *const *columns;
    ptrdiff_t first, bars; /* of a history: its first tile, and how many bars */
} share;

/* Runs work() in so many threads, which divide the tiles. */
static void on_tiles(const fc_board *b, int threads, void (*work)(void *), share all, ptrdiff_t tiles) {
    share shares[FC_MOST_THREADS];
    threads = threads < tiles ? threads : tiles > 1 ? (int)tiles : 1;
    fc_queue queue = {0, tiles, 1, threads > 1};
    for (int i = 0; i < threads; i++) {
        shares[i] = all;
        shares[i].board = b;
        shares[i].worker = b->workers + i;
        shares[i].tiles = &queue;
    }
    fc_on_threads(work, shares, sizeof(share), threads);
}

static void tick_tiles(void *given) {
    const share *s = given;
    const fc_board *b = s->board;
    for (ptrdiff_t t, last; fc_take(s->tiles, &t, &last);) {
        columns_from(b, s->worker, s->columns, b->start[t]);
        tick(b, s->worker, t, b->start[t], b->tiles[t].n);
    }
}

void fc_board_tick(fc_board *b, const int64_t *at, ptrdiff_t n, const double *const *columns) {
    const fc_worker *w = b->workers;
    if (!at) {
        on_tiles(b, b->n_tick, tick_tiles, (share){.columns = columns}, b->n_tiles);
        return;
    }
    for (ptrdiff_t i = 0, count; i < n; i += count) { /* neighbours of one tile go together */
        ptrdiff_t t = tile_of(b, (ptrdiff_t)at[i]), left = b->start[t] + b->tiles[t].n - (ptrdiff_t)at[i];
        for (count = 1; i + count < n && count < left && at[i + count] == at[i] + count;) {
            count++;
        }
        columns_from(b, w, columns, i);
        tick(b, w, t, (ptrdiff_t)at[i], count);
    }
}

/* The bars of all symbols of a tile, whose rows begin at `row`. */
static void tile_history(const share *s, ptrdiff_t t, ptrdiff_t row) {
    const fc_board *b = s->board;
    const fc_worker *w = s->worker;
    ptrdiff_t n = b->tiles[t].n, bars = s->bars;
    for (ptrdiff_t from = 0; from < bars; from += BARS) {
        ptrdiff_t some = bars - from < BARS ? bars - from : BARS;
        for (int j = 0; j < b->n_columns; j++) {
            for (ptrdiff_t i = 0; i < n; i++) {
                const double *x = s->columns[j] + (row + i) * bars + from;
                for (ptrdiff_t bar = 0; bar < some; bar++) {
                    w->side[(j * BARS + bar) * FC_SYMBOLS + i] = x[bar];
                }
            }
        }
        for (ptrdiff_t bar = 0; bar < some; bar++) {
            for (int j = 0; j < b->n_columns; j++) {
                w->in[j] = w->side + (j * BARS + bar) * FC_SYMBOLS;
            }
            tick(b, w, t, b->start[t], n);
        }
    }
}

static void history_of_tiles(void *given) {
    const share *s = given;
    const fc_board *b = s->board;
    for (ptrdiff_t t, last; fc_take(s->tiles, &t, &last);) {
        ptrdiff_t tile = s->first + t;
        tile_history(s, tile, b->start[tile] - b->start[s->first]);
    }
}

int fc_board_history(fc_board *b, const int64_t *at, ptrdiff_t first, ptrdiff_t n, ptrdiff_t bars,
                     const double *const *columns) {
    for (ptrdiff_t r = 0; at && r < n; r++) {
        ptrdiff_t t = tile_of(b, (ptrdiff_t)at[r]);
        for (ptrdiff_t bar = 0; bar < bars; bar++) {
            columns_from(b, b->workers, columns, r * bars + bar);
            tick(b, b->workers, t, (ptrdiff_t)at[r], 1);
        }
    }
    if (at || !n) {
        return 0;
    }
    size_t each = ((size_t)b->n_columns + 1) * BARS * FC_SYMBOLS;
    double *sides = malloc(each * (size_t)b->n_workers * sizeof(double));
    if (!sides) {
        return -1;
    }
    for (int i = 0; i < b->n_workers; i++) {
        b->workers[i].side = sides + each * (size_t)i;
    }
    ptrdiff_t from = tile_of(b, first), last = tile_of(b, first + n - 1);
    share all = {.columns = columns, .first = from, .bars = bars};
    on_tiles(b, b->n_workers, history_of_tiles, all, last + 1 - from);
    free(sides);
    return 0;
}

/* ---- beginning again ---- */

enum { CHOSEN = 1, OTHERS = 2 };

/* Notes at each node the parts that it is of; whether any that remembers is of both kinds. */
static int note_nodes(const fc_board *b, const unsigned char *chosen, unsigned char *used) {
    int shared = 0;
    memset(used, 0, (size_t)b->merged->program->n_nodes);
    for (int i = 0; i < b->n_parts; i++) {
        for (const int *node = b->merged->node[i]; *node >= 0; node++) {
            used[*node] |= chosen[i] ? CHOSEN : OTHERS;
            shared |= used[*node] == (CHOSEN | OTHERS) && b->merged->program->nodes[*node].op->kind != FC_MAP;
        }
    }
    return shared;
}

/* Puts the chosen parts into groups of their own: they no longer share nodes with the others. */
static int separate(fc_board *b, const unsigned char *chosen) {
    fc_part *parts = room((size_t)b->n_parts, sizeof(*parts));
    int most = 0;
    if (!parts) {
        return -1;
    }
    for (int i = 0; i < b->n_parts; i++) {
        most = b->parts[i].group > most ? b->parts[i].group : most;
    }
    for (int i = 0; i < b->n_parts; i++) {
        parts[i] = b->parts[i];
        parts[i].group += chosen[i] ? most + 1 : 0;
    }
    fc_board *made = alike(b, parts);
    free(parts);
    if (!made) {
        return -1;
    }
    for (ptrdiff_t t = 0; t < b->n_tiles; t++) {
        for (int i = 0; i < b->n_parts; i++) {
            fc_tile_take(made->across, made->tiles + t, b->across, b->tiles + t, i);
        }
    }
    memcpy(made->out, b->out, (size_t)b->n_out * sizeof(double *));
    fc_board old = *b;
    *b = *made;
    *made = old;
    fc_board_free(made);
    return 0;
}

static void reset(fc_board *b, ptrdiff_t t, ptrdiff_t symbol, ptrdiff_t n, const unsigned char *chosen,
                  const unsigned char *nodes) {
    ptrdiff_t from = symbol - b->start[t];
    fc_tile_reset(b->across, b->tiles + t, from, from + n, nodes);
    for (int i = 0; i < b->n_parts; i++) {
        for (int j = b->merged->output[i]; chosen[i] && j < b->merged->output[i + 1]; j++) {
            fc_missing(b->out[j] + symbol, n);
        }
    }
}

int fc_board_reset(fc_board *b, const int64_t *at, ptrdiff_t n, const unsigned char *chosen) {
    size_t most = 0; /* nodes, once nothing is shared */
    for (int i = 0; i < b->n_parts; i++) {
        most += (size_t)b->parts[i].program->n_nodes;
    }
    unsigned char *nodes = room(most, 1);
    if (!nodes || (note_nodes(b, chosen, nodes) && separate(b, chosen))) {
        free(nodes);
        return -1;
    }
    note_nodes(b, chosen, nodes);
    for (int k = 0; k < b->merged->program->n_nodes; k++) {
        nodes[k] &= CHOSEN;
    }
    for (ptrdiff_t t = 0; !at && t < b->n_tiles; t++) {
        reset(b, t, b->start[t], b->tiles[t].n, chosen, nodes);
    }
    for (ptrdiff_t i = 0; at && i < n; i++) {
        reset(b, tile_of(b, (ptrdiff_t)at[i]), (ptrdiff_t)at[i], 1, chosen, nodes);
    }
    free(nodes);
    return 0;
}
