#include "indicators/incomplete.h"
#include "indicators/room.h"

#include <stdlib.h>

#define CHUNK 8192 /* bars that are filled at a time: these stay in L2 */
#define SPARE 8

/* Which bars are there, and room for the inputs without gaps. */
typedef struct {
    uint64_t *there;
    double *series[FC_MAX_IN], *memory;
} copies;

static int open_copies(copies *c, ptrdiff_t n) {
    c->memory = NULL;
    c->there = malloc((size_t)FC_WORDS(n) * sizeof(*c->there));
    return c->there ? 0 : -1;
}

static void close_copies(copies *c) {
    free(c->there);
    fc_room_give(c->memory);
}

/* Makes that room unless there is some; -1 without memory. */
static int open_series(copies *c, int n_in, ptrdiff_t n) {
    if (c->memory) {
        return 0;
    }
    if ((size_t)n > PTRDIFF_MAX / sizeof(double) / FC_MAX_IN - SPARE) {
        return -1;
    }
    size_t pitch = (size_t)n + SPARE;
    double *at = c->memory = fc_room_take((size_t)n_in * pitch * sizeof(double));
    for (int j = 0; at && j < n_in; j++, at += pitch) {
        c->series[j] = at;
    }
    return c->memory ? 0 : -1;
}

/* The inputs at the first complete bar, which replace missing ones before it. 0 if no bar is complete. */
static int find_first(const fc_program *p, const double *const *in, ptrdiff_t from, ptrdiff_t to, double *first) {
    ptrdiff_t i = fc_first_complete(in, p->n_in, from, to);
    for (int j = 0; j < p->n_in && i < to; j++) {
        first[j] = in[j][i];
    }
    return i < to;
}

/* Bars from..to, `most` of them at most. The results of the first `lookback` ones lack the bars before. `holed` says whether
 * bars are expected to be missing, and then whether some were. */
static int fill_chunk(const fc_program *p, copies *c, ptrdiff_t most, const double *const *in, double *const *out,
                      ptrdiff_t from, ptrdiff_t to, ptrdiff_t origin, double *scratch, int remote, int *holed) {
    const fc_gap_passes *pass = fc_isa_used()->gaps;
    const double *series[FC_MAX_IN];
    double first[FC_MAX_IN], *result[FC_MAX_OUT];
    ptrdiff_t n = to - from;
    for (int j = 0; j < p->n_in; j++) {
        series[j] = in[j] + from;
    }
    for (int j = 0; j < p->n_out; j++) {
        result[j] = out[j] + from;
    }
    if (!*holed && !fc_program_batch(p, series, result, n, origin + from, scratch, remote)) {
        return 0;
    }
    *holed = 1;
    if (!find_first(p, in, from, to, first)) {
        for (int j = 0; j < p->n_out; j++) {
            fc_missing(result[j], n);
        }
        return 0;
    }
    *holed = pass->find(series, p->n_in, n, c->there) < n;
    if (open_series(c, p->n_in, most)) {
        return -1;
    }
    for (int j = 0; j < p->n_in; j++) {
        pass->fill(series[j], c->there, n, first[j], c->series[j]);
    }
    if (fc_program_batch(p, (const double *const *)c->series, result, n, origin + from, scratch, remote)) {
        return 1;
    }
    for (int j = 0; j < p->n_out && *holed; j++) {
        pass->blank(result[j], c->there, n, p->lookback);
    }
    return 0;
}

int fc_program_filled(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin,
                      int holed, double *scratch, int remote) {
    ptrdiff_t chunk = p->lookback < n / 64 ? 64 * p->lookback : n;
    chunk = chunk < CHUNK ? CHUNK : chunk;
    chunk = chunk < n ? chunk : n;
    copies c;
    int failed = open_copies(&c, chunk + p->lookback);
    /* From the last chunk to the first: each replaces the first results of the one after it, which lack the bars before. */
    for (ptrdiff_t to = n, from; to > 0 && !failed; to = from) {
        from = (to - 1) / chunk * chunk;
        failed = fill_chunk(p, &c, chunk + p->lookback, in, out, from > p->lookback ? from - p->lookback : 0, to,
                            origin, scratch, remote, &holed);
    }
    close_copies(&c);
    return failed;
}

int fc_program_packed(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    const fc_gap_passes *pass = fc_isa_used()->gaps;
    copies c;
    if (open_copies(&c, n) || open_series(&c, p->n_in, n)) {
        close_copies(&c);
        return -1;
    }
    ptrdiff_t m = pass->find(in, p->n_in, n, c.there);
    for (int j = 0; j < p->n_in; j++) {
        pass->pack(in[j], c.there, n, c.series[j]);
    }
    int few = m <= p->lookback;
    int failed = !few && fc_program_batch(p, (const double *const *)c.series, out, m, 0, scratch, 0);
    for (int j = 0; j < p->n_out && !failed; j++) {
        if (few) {
            fc_missing(out[j], n);
        } else {
            pass->spread(out[j], m, c.there, n);
        }
    }
    close_copies(&c);
    return failed;
}
