#include "indicators/batch.h"
#include "indicators/gaps.h"
#include "indicators/threads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ON_STACK 2048             /* doubles of working memory that need no allocation */
#define PER_THREAD 100000     /* bars that make a thread worth starting */
#define TURNS 32 /* in which a thread takes its rows */

typedef struct {
    const fc_program *program;
    double *scratch;
} task;

static void fill_missing(double *out, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        out[i] = NAN;
    }
}

static int complete(const fc_program *k, const double *const *in, ptrdiff_t i) {
    double check = 0.0;
    for (int j = 0; j < k->n_in; j++) {
        check += in[j][i] - in[j][i];
    }
    return check == 0.0;
}

/* Here and below bar `origin` of the series is the first one given. */
static int by_steps(const task *t, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin) {
    void *state = malloc(t->program->size);
    if (!state) {
        return -1;
    }
    fc_program_init(t->program, state);
    fc_program_skip(t->program, state, origin);
    fc_program_run(t->program, state, in, out, n);
    free(state);
    return 0;
}

/* A series without missing bars, or one for its steps to sort out. */
static int whole(const task *t, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin) {
    if (n <= t->program->lookback) {
        for (int j = 0; j < t->program->n_out; j++) {
            fill_missing(out[j], n);
        }
        return 0;
    }
    if (fc_program_batch(t->program, in, out, n, origin, t->scratch)) {
        return by_steps(t, in, out, n, origin);
    }
    return 0;
}

/* The end of the run of bars from i on that are all complete, or all not. */
static ptrdiff_t run_end(const fc_program *k, const double *const *in, ptrdiff_t i, ptrdiff_t n) {
    int whole = complete(k, in, i++);
    for (; whole && i + 8 <= n; i += 8) {
        double check[4] = {0.0, 0.0, 0.0, 0.0};
        for (int j = 0; j < k->n_in; j++) {
            for (int l = 0; l < 8; l++) {
                check[l & 3] += in[j][i + l] - in[j][i + l];
            }
        }
        if (check[0] + check[1] + check[2] + check[3] != 0.0) {
            break;
        }
    }
    while (i < n && complete(k, in, i) == whole) {
        i++;
    }
    return i;
}

static void from_bar(const fc_program *k, const double *const *in, double *const *out, ptrdiff_t i, const double **from,
                     double **to) {
    for (int j = 0; j < k->n_in; j++) {
        from[j] = in[j] + i;
    }
    for (int j = 0; j < k->n_out; j++) {
        to[j] = out[j] + i;
    }
}

static int by_runs(const task *t, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin) {
    const double *from[FC_MAX_IN];
    double *to[FC_MAX_OUT];
    for (ptrdiff_t begin = 0, end; begin < n; begin = end) {
        end = run_end(t->program, in, begin, n);
        from_bar(t->program, in, out, begin, from, to);
        if (!complete(t->program, in, begin)) {
            for (int j = 0; j < t->program->n_out; j++) {
                fill_missing(to[j], end - begin);
            }
        } else if (whole(t, from, to, end - begin, origin + begin)) {
            return -1;
        }
    }
    return 0;
}

/* Copies the complete bars of each input to packed[j * n], one after the other; notes which they are and returns how
 * many. */
static ptrdiff_t pack(const fc_program *k, const double *const *in, ptrdiff_t n, double *packed, unsigned char *there) {
    ptrdiff_t m = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        there[i] = in[0][i] - in[0][i] == 0.0;
    }
    for (int j = 1; j < k->n_in; j++) {
        for (ptrdiff_t i = 0; i < n; i++) {
            there[i] &= in[j][i] - in[j][i] == 0.0;
        }
    }
    for (ptrdiff_t i = 0, end; i < n; i = end) {
        end = fc_run_end(there, i, n);
        for (int j = 0; there[i] && j < k->n_in; j++) {
            memcpy(packed + j * n + m, in[j] + i, (size_t)(end - i) * sizeof(double));
        }
        m += there[i] ? end - i : 0;
    }
    return m;
}

/* The beginning of the run of bars before i that are there. */
static ptrdiff_t run_begin(const unsigned char *there, ptrdiff_t i) {
    for (uint64_t eight; i >= 8; i -= 8) {
        memcpy(&eight, there + i - 8, sizeof(eight));
        if (eight != UINT64_C(0x0101010101010101)) {
            break;
        }
    }
    while (i > 0 && there[i - 1]) {
        i--;
    }
    return i;
}

/* Moves the first m values of x, in place, to the bars that are there, and puts NaN at the others. */
static void unpack(double *x, ptrdiff_t m, const unsigned char *there, ptrdiff_t n) {
    for (ptrdiff_t i = n; i > m;) { /* from i = m on down all are at their places */
        ptrdiff_t from = run_begin(there, i);
        m -= i - from;
        memmove(x + from, x + m, (size_t)(i - from) * sizeof(double));
        for (i = from; i > m && !there[i - 1];) {
            x[--i] = NAN;
        }
    }
}

/* A recurrence skips what is missing: it runs over the complete bars, packed. */
static int by_leaving_out(const task *t, const double *const *in, double *const *out, ptrdiff_t n) {
    const fc_program *k = t->program;
    const double *from[FC_MAX_IN];
    if ((size_t)n > PTRDIFF_MAX / sizeof(double) / FC_MAX_IN) {
        return -1;
    }
    double *packed = malloc((size_t)n * (size_t)k->n_in * sizeof(double));
    unsigned char *there = malloc((size_t)n);
    int failed = !packed || !there;
    if (!failed) {
        ptrdiff_t m = pack(k, in, n, packed, there);
        for (int j = 0; j < k->n_in; j++) {
            from[j] = packed + j * n;
        }
        failed = whole(t, from, out, m, 0);
        for (int j = 0; j < k->n_out && !failed; j++) {
            unpack(out[j], m, there, n);
        }
    }
    free(packed);
    free(there);
    return failed ? -1 : 0;
}

/* Each node in its own way with what is missing. */
static int by_nodes(const task *t, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin) {
    int failed = t->program->kernel ? 1 : fc_program_gaps(t->program, in, out, n, origin);
    return failed > 0 ? by_steps(t, in, out, n, origin) : failed;
}

/* Bars before the first complete one cost no more than themselves, whatever the program: it begins after them. */
static int row(const task *t, const double *const *in, double *const *out, ptrdiff_t n) {
    const double *from[FC_MAX_IN];
    double *to[FC_MAX_OUT];
    if (n == 0) {
        return 0;
    }
    ptrdiff_t first = complete(t->program, in, 0) ? 0 : run_end(t->program, in, 0, n);
    for (int j = 0; j < t->program->n_out; j++) {
        fill_missing(out[j], first);
    }
    n -= first;
    from_bar(t->program, in, out, first, from, to);
    if (n <= t->program->lookback) { /* whether bars are missing or not */
        for (int j = 0; j < t->program->n_out; j++) {
            fill_missing(to[j], n);
        }
        return 0;
    }
    if (!fc_program_batch(t->program, from, to, n, first, t->scratch)) {
        return 0;
    }
    switch (t->program->policy) {
    case FC_WINDOW:
        return by_runs(t, from, to, n, first);
    case FC_RECURRENCE:
        return by_leaving_out(t, from, to, n);
    default:
        return by_nodes(t, from, to, n, first);
    }
}

typedef struct {
    const fc_program *program; /* or NULL: a plan */
    const double *const *in;
    double *const *out;
    fc_queue *rows;
    ptrdiff_t bars;
    int failed;
    const fc_plan *plan;
    int n_columns;
} share;

/* The first cache line within: vectors are then stored without crossing lines. */
static double *line_of(double *p) { return (double *)(((uintptr_t)p + 63) & ~(uintptr_t)63); }

/* A row of a plan; `from` and `to` hold the row's columns and outputs. */
static int plan_row(const fc_plan *plan, const double **from, double **to, ptrdiff_t bars, double *scratch) {
    int merged = plan->merged && !fc_plan_merged(plan, from, to, bars, scratch);
    for (int i = 0; i < plan->n; i++) {
        const fc_indicator *one = plan->indicators + i;
        double **out = to + plan->output[i], **like = to + plan->output[plan->same[i]];
        const double *in[FC_MAX_IN];
        task t = {one->alone, scratch};
        for (int j = 0; j < one->alone->n_in; j++) {
            in[j] = from[one->columns[j]];
        }
        if (plan->same[i] != i) {
            for (int j = 0; j < one->alone->n_out; j++) {
                memcpy(out[j], like[j], (size_t)bars * sizeof(double));
            }
        } else if (!(merged && plan->part[i] >= 0) && row(&t, in, out, bars)) {
            return -1;
        }
    }
    return 0;
}

static void work_plan(share *s) {
    const fc_plan *plan = s->plan;
    ptrdiff_t need = fc_plan_scratch(plan, s->bars);
    double *heap = malloc(((size_t)need + 8) * sizeof(double));
    const double **from = calloc((size_t)s->n_columns + 1, sizeof(*from));
    double **to = calloc((size_t)plan->n_out + 1, sizeof(*to));
    s->failed = !heap || !from || !to;
    for (ptrdiff_t r, last; !s->failed && fc_take(s->rows, &r, &last);) {
        for (; r < last && !s->failed; r++) {
            for (int j = 0; j < s->n_columns; j++) {
                from[j] = s->in[j] + r * s->bars;
            }
            for (int j = 0; j < plan->n_out; j++) {
                to[j] = s->out[j] + r * s->bars;
            }
            s->failed = plan_row(plan, from, to, s->bars, line_of(heap)) != 0;
        }
    }
    free(heap);
    free(from);
    free(to);
}

static void work(void *given) {
    share *s = given;
    if (s->plan) {
        work_plan(s);
        return;
    }
    double stack[ON_STACK + 8], *heap = NULL;
    task t = {s->program, line_of(stack)};
    const double *from[FC_MAX_IN];
    double *to[FC_MAX_OUT];
    ptrdiff_t need = s->bars > s->program->lookback ? fc_program_scratch(s->program, s->bars) : 0;
    if (need > ON_STACK) {
        heap = malloc(((size_t)need + 8) * sizeof(double));
        if (!heap) {
            s->failed = 1;
            return;
        }
        t.scratch = line_of(heap);
    }
    for (ptrdiff_t r, last; !s->failed && fc_take(s->rows, &r, &last);) {
        for (; r < last && !s->failed; r++) {
            for (int j = 0; j < s->program->n_in; j++) {
                from[j] = s->in[j] + r * s->bars;
            }
            for (int j = 0; j < s->program->n_out; j++) {
                to[j] = s->out[j] + r * s->bars;
            }
            s->failed = row(&t, from, to, s->bars) != 0;
        }
    }
    free(heap);
}

/* Divides the rows of `all` among threads. */
static int divide(share *all, ptrdiff_t cost, int threads) {
    ptrdiff_t rows = (ptrdiff_t)all->rows->n, bars = all->bars;
    share shares[FC_MOST_THREADS];
    int failed = 0;
    if (threads <= 0) {
        ptrdiff_t pays =
            bars ? rows * bars / (PER_THREAD / cost + 1) : 0; /* an array of that size exists: no overflow */
        threads = pays > 1 ? fc_processors() : 1;
        threads = threads > pays && pays > 0 ? (int)pays : threads;
    }
    threads = threads > FC_MOST_THREADS ? FC_MOST_THREADS : threads;
    threads = threads > rows ? (rows > 1 ? (int)rows : 1) : threads;
    all->rows->shared = threads > 1;
    all->rows->some = threads > 1 ? rows / threads / TURNS + 1 : rows;
    for (int i = 0; i < threads; i++) {
        shares[i] = *all;
    }
    fc_on_threads(work, shares, sizeof(share), threads);
    for (int i = 0; i < threads; i++) {
        failed |= shares[i].failed;
    }
    return failed ? -1 : 0;
}

int fc_panel(const fc_program *program, const double *const *in, double *const *out, ptrdiff_t rows, ptrdiff_t bars,
             int threads) {
    fc_queue queue = {0, rows, rows, 0};
    share s = {program, in, out, &queue, bars, 0, NULL, 0};
    if (rows == 1) {
        work(&s);
        return s.failed ? -1 : 0;
    }
    return divide(&s, 1, threads);
}

int fc_plan_panel(const fc_plan *plan, const double *const *columns, int n_columns, double *const *out, ptrdiff_t rows,
                  ptrdiff_t bars, int threads) {
    fc_queue queue = {0, rows, rows, 0};
    share s = {NULL, columns, out, &queue, bars, 0, plan, n_columns};
    return divide(&s, plan->n, threads);
}
