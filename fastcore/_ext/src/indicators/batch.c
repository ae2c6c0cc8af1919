#include "indicators/batch.h"
#include "indicators/gaps.h"
#include "indicators/incomplete.h"
#include "indicators/layers.h"
#include "indicators/threads.h"

#include <stdlib.h>
#include <string.h>

#define ON_STACK 2048             /* doubles of working memory that need no allocation */
#define TURNS 128 /* times that a thread takes rows from the queue */
#define CACHED 0x1p20 /* doubles that come from caches when they are read again */
#define SAMPLE 512 /* bars at the end of a series, by which it is told whether bars are missing here and there */

typedef struct {
    const fc_program *program;
    double *scratch;
    int remote; /* whether the series are beyond the caches */
} task;

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

static void from_bar(const double *const *in, int n_in, double *const *out, int n_out, ptrdiff_t i, const double **from,
                     double **to) {
    for (int j = 0; j < n_in; j++) {
        from[j] = in[j] + i;
    }
    for (int j = 0; j < n_out; j++) {
        to[j] = out[j] + i;
    }
}

/* Each node in its own way with what is missing. */
static int by_nodes(const task *t, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin) {
    int failed = t->program->n_layers ? fc_program_layered(t->program, in, out, n) : 1;
    if (failed > 0 && !t->program->kernel) {
        failed = fc_program_gaps(t->program, in, out, n, origin);
    }
    return failed > 0 ? by_steps(t, in, out, n, origin) : failed;
}

/* Bars before the first complete one cost no more than themselves, whatever the program: it begins after them. */
static int row(const task *t, const double *const *in, double *const *out, ptrdiff_t n) {
    const double *from[FC_MAX_IN];
    double *to[FC_MAX_OUT];
    if (n == 0) {
        return 0;
    }
    const fc_program *p = t->program;
    ptrdiff_t first = fc_first_complete(in, p->n_in, 0, n);
    for (int j = 0; j < p->n_out; j++) {
        fc_missing(out[j], first);
    }
    n -= first;
    from_bar(in, p->n_in, out, p->n_out, first, from, to);
    if (n <= p->lookback) { /* whether bars are missing or not */
        for (int j = 0; j < p->n_out; j++) {
            fc_missing(to[j], n);
        }
        return 0;
    }
    int failed = 1, maps = p->through == FC_RESULTS || p->through == FC_INPUTS, holed = 0;
    for (int j = 0; j < p->n_in && n >= 8 * SAMPLE && !maps && !p->counted; j++) {
        holed |= !fc_all_finite(from[j] + n - SAMPLE, SAMPLE);
    }
    if (maps) {
        failed = fc_program_through(p, from, to, n, t->scratch);
    } else if (!holed && (!p->kernel || p->policy != FC_WINDOW)) { /* a window kernel declines at its end */
        failed = fc_program_batch(p, from, to, n, first, t->scratch, t->remote);
    }
    if (failed && p->through == FC_BLANKED) {
        failed = fc_program_through(p, from, to, n, t->scratch);
    }
    if (failed && p->policy == FC_WINDOW) {
        failed = fc_program_filled(p, from, to, n, first, holed, t->scratch, t->remote);
    } else if (failed && p->policy == FC_RECURRENCE) {
        failed = fc_program_packed(p, from, to, n, t->scratch);
    }
    return failed > 0 ? by_nodes(t, from, to, n, first) : failed;
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

/* Whether so many series of all rows are more than the caches are taken to hold. */
static int is_far(const share *s, ptrdiff_t series) {
    return (double)s->rows->n * (double)s->bars * (double)series > CACHED;
}

/* A row of a plan; `from` and `to` hold the row's columns and outputs. */
static int plan_row(const fc_plan *plan, const double **from, double **to, ptrdiff_t bars, double *scratch,
                    int remote) {
    int merged = plan->merged && !fc_plan_merged(plan, from, to, bars, scratch, remote);
    for (int i = 0; i < plan->n; i++) {
        const fc_indicator *one = plan->indicators + i;
        double **out = to + plan->output[i], **like = to + plan->output[plan->same[i]];
        const double *in[FC_MAX_IN];
        task t = {one->alone, scratch, remote};
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
            from_bar(s->in, s->n_columns, s->out, plan->n_out, r * s->bars, from, to);
            s->failed = plan_row(plan, from, to, s->bars, fc_on_line(heap), is_far(s, s->n_columns + plan->n_out)) != 0;
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
    task t = {s->program, fc_on_line(stack), is_far(s, s->program->n_in + s->program->n_out)};
    const double *from[FC_MAX_IN];
    double *to[FC_MAX_OUT];
    ptrdiff_t need = s->bars > s->program->lookback ? fc_program_scratch(s->program, s->bars) : 0;
    if (need > ON_STACK) {
        heap = malloc(((size_t)need + 8) * sizeof(double));
        if (!heap) {
            s->failed = 1;
            return;
        }
        t.scratch = fc_on_line(heap);
    }
    for (ptrdiff_t r, last; !s->failed && fc_take(s->rows, &r, &last);) {
        for (; r < last && !s->failed; r++) {
            from_bar(s->in, s->program->n_in, s->out, s->program->n_out, r * s->bars, from, to);
            s->failed = row(&t, from, to, s->bars) != 0;
        }
    }
    free(heap);
}

/* Divides the rows of `all` among threads. */
static int divide(share *all, ptrdiff_t cost, int threads) {
    ptrdiff_t rows = (ptrdiff_t)all->rows->n;
    share shares[FC_MOST_THREADS];
    int failed = 0;
    if (threads <= 0) {
        threads = fc_threads_for(rows * all->bars, cost, 0); /* an array of that size exists: no overflow */
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
