/* The stages that kernels are made of: rolling windows and recurrences, each as a batch and as a stream.
 *
 * Windows are cut into blocks of their own length (van Herk, Gil-Werman): a window is the tail of one block and the head
 * of the next, so its value is combined from values inside it alone. Nothing is ever subtracted again: no drift, no
 * trace of a spike once it has left, and constant work per bar whatever the data.
 */
#ifndef FASTCORE_KERNELS_STAGES_H
#define FASTCORE_KERNELS_STAGES_H

#include <math.h>
#include <string.h>

#include "kernel.h"
#include "vec.h"

#define FC_TILE 256 /* bars that composites take at a time, so that intermediates stay in L1 */

/* ---- batch stages (window.c, recurrence.c); each returns 0, or 1 if it met a value that is not finite ---- */

/* out[i] = f(x[i-w+1..i]) for i >= w - 1, 1 <= w <= n; scratch: fc_window_scratch(w) doubles. x and out do not overlap. */
int FC(roll_mean)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch);
int FC(roll_max)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch);
int FC(roll_min)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch);
/* out[i] = standard deviation * by */
int FC(roll_std)(const double *x, ptrdiff_t n, ptrdiff_t w, double by, double *out, double *scratch);
/* mean and mean + up * deviation, mean - down * deviation */
int FC(roll_bands)(const double *x, ptrdiff_t n, ptrdiff_t w, double up, double down, double *upper, double *middle,
                   double *lower, double *scratch);

#define FC_TAILS 512 /* doubles of tails that are made at a time, unless one block has more */

FC_INLINE ptrdiff_t fc_window_scratch(double w) { return 2 * (w + 8.0 > FC_TAILS ? (ptrdiff_t)w + 8 : FC_TAILS); }

/* y[i] = q * y[i-1] + k * x[i], four bars at a time: powers of q fold the chain (look-ahead). */
typedef struct {
    v4 from[4]; /* what bar j of four adds to each of the four */
    v4 near, far; /* q**1..4 and q**5..8 */
    v4 all;       /* q**8 */
    double k, q;
} fc_ema_plan;

void FC(ema_plan)(fc_ema_plan *plan, double k, double q);
/* Goes on from y[-1] = last and returns the new last; out may be x itself. */
double FC(ema_run)(const fc_ema_plan *plan, const double *x, double *out, ptrdiff_t n, double last);

FC_INLINE double fc_mean(const double *x, ptrdiff_t n)
{
    double base = x[0], sum = 0.0; /* about the first value: the mean of equal values is that value */
    for (ptrdiff_t i = 1; i < n; i++)
        sum += x[i] - base;
    return base + sum / (double)n;
}

FC_INLINE void fc_missing(double *out, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = NAN;
}

FC_INLINE int fc_finite(double x) { return x - x == 0.0; }

/* ---- streaming stages ----
 * A window's memory is one array of w doubles (two for moments): below `at` the bars of the block being filled, from
 * `at` on the block before it, folded into tails. It is folded when the next bar comes, so that peeking finds nothing
 * to do twice. `filled` counts bars up to w.
 */
typedef struct {
    int64_t width, at, filled;
    double head;
} fc_window;

FC_INLINE void fc_window_init(fc_window *s, double w)
{
    s->width = (int64_t)w;
    s->at = s->filled = 0;
    s->head = 0.0;
}

FC_INLINE int fc_window_valid(const fc_window *s, double w)
{
    return s->width == (int64_t)w && s->at >= 0 && s->at <= s->width && s->filled >= s->at && s->filled <= s->width;
}

FC_INLINE size_t fc_window_bytes(double w) { return (size_t)w * sizeof(double); }

/* Each push returns NaN until w bars have come; with commit 0 it leaves the state as it was. */
#define FC_WINDOW_PUSH(name, JOIN)                                                                                     \
    FC_INLINE double name(fc_window *s, double *mem, double x, int commit)                                             \
    {                                                                                                                  \
        int64_t at = s->at, w = s->width;                                                                              \
        if (FC_UNLIKELY(at == w)) {                                                                                    \
            for (int64_t j = w - 2; j > 0; j--)                                                                        \
                mem[j] = JOIN(mem[j + 1], mem[j]);                                                                     \
            s->at = at = 0;                                                                                            \
        }                                                                                                              \
        double head = at == 0 ? x : JOIN(s->head, x);                                                                  \
        double result = s->filled < w - 1 ? NAN : at + 1 < w ? JOIN(mem[at + 1], head) : head;                         \
        if (commit) {                                                                                                  \
            mem[at] = x;                                                                                               \
            s->head = head;                                                                                            \
            s->at = at + 1;                                                                                            \
            s->filled += s->filled < w;                                                                                \
        }                                                                                                              \
        return result;                                                                                                 \
    }

#define FC_PLUS(a, b) ((a) + (b))
#define FC_GREATER(a, b) ((a) > (b) ? (a) : (b))
#define FC_SMALLER(a, b) ((a) < (b) ? (a) : (b))

FC_WINDOW_PUSH(fc_push_sum, FC_PLUS)
FC_WINDOW_PUSH(fc_push_max, FC_GREATER)
FC_WINDOW_PUSH(fc_push_min, FC_SMALLER)

FC_INLINE double fc_push_mean(fc_window *s, double *mem, double x, int commit)
{
    return fc_push_sum(s, mem, x, commit) / (double)s->width;
}

/* Mean and variance about the first bar of the block: it lies in every window that reaches into the block before, so
 * the shift costs at most a factor of w in rounding, and a flat window has a deviation of exactly 0. */
typedef struct {
    fc_window window; /* head: the sum of differences */
    double base, squares;
} fc_moments;

FC_INLINE void fc_moments_init(fc_moments *s, double w)
{
    fc_window_init(&s->window, w);
    s->base = s->squares = 0.0;
}

FC_INLINE size_t fc_moments_bytes(double w) { return 2 * (size_t)w * sizeof(double); }

/* Returns the variance, NaN until w bars have come. Between blocks the bars are folded only when the next base is known:
 * peeking therefore folds into nothing and sums the old block itself. */
FC_INLINE double fc_push_moments(fc_moments *s, double *mem, double x, double *mean, int commit)
{
    fc_window *window = &s->window;
    int64_t at = window->at, w = window->width;
    double *squares = mem + w, base = s->base;
    if (FC_UNLIKELY(at == w || at == 0)) {
        double sum = 0.0, square = 0.0;
        if (at == w)
            for (int64_t j = w - 1; j > 0; j--) {
                double d = mem[j] - x;
                sum += d;
                square += d * d;
                if (commit) {
                    mem[j] = sum;
                    squares[j] = square;
                }
            }
        int ready = window->filled >= w - 1;
        if (commit) {
            mem[0] = s->base = x;
            window->head = s->squares = 0.0;
            window->at = 1;
            window->filled += window->filled < w;
        }
        if (!ready)
            return NAN;
        double offset = sum / (double)w, variance = square / (double)w - offset * offset;
        *mean = x + offset;
        return variance > 0.0 ? variance : 0.0;
    }
    double d = x - base, head = window->head + d, square = s->squares + d * d;
    double sum = at + 1 < w ? mem[at + 1] + head : head;
    double both = at + 1 < w ? squares[at + 1] + square : square;
    int ready = window->filled >= w - 1;
    if (commit) {
        mem[at] = x;
        window->head = head;
        s->squares = square;
        window->at = at + 1;
        window->filled += window->filled < w;
    }
    if (!ready)
        return NAN;
    double offset = sum / (double)w, variance = both / (double)w - offset * offset;
    *mean = base + offset;
    return variance > 0.0 ? variance : 0.0;
}

/* The first value is the mean of `period` bars, after `skip` bars that are left out. */
typedef struct {
    int64_t seen, skip, period;
    double k, base, value; /* until seeded: value is the sum of differences from base */
} fc_ema;

FC_INLINE void fc_ema_init(fc_ema *s, double period, double k, double skip)
{
    s->seen = 0;
    s->skip = (int64_t)skip;
    s->period = (int64_t)period;
    s->k = k;
    s->base = s->value = 0.0;
}

FC_INLINE int fc_ema_valid(const fc_ema *s, double period, double k, double skip)
{
    return s->seen >= 0 && s->skip == (int64_t)skip && s->period == (int64_t)period && s->k == k;
}

FC_INLINE double fc_push_ema(fc_ema *s, double x, int commit)
{
    int64_t have = s->seen - s->skip;
    double value, base = s->base, result = NAN;
    if (FC_LIKELY(have >= s->period)) {
        result = value = s->value + s->k * (x - s->value);
    } else if (have < 0) {
        value = 0.0;
    } else {
        base = have == 0 ? x : base;
        value = s->value + (x - base);
        if (have == s->period - 1)
            result = value = base + value / (double)s->period;
    }
    if (commit) {
        s->value = value;
        s->base = base;
        s->seen += have < s->period;
    }
    return result;
}

/* ---- from one step to the streaming functions ----
 * STEP(state, in, out, commit) takes one complete bar; WHOLE(state) begins the series again after a missing one.
 */
#define FC_SKIP(state) ((void)(state))

#define FC_STREAM(name, STATE, N_IN, N_OUT, STEP, ON_GAP)                                                              \
    FC_INLINE void name##_bar(STATE *state, const double *in, double *out, int commit)                                 \
    {                                                                                                                  \
        double check = 0.0;                                                                                            \
        for (int j = 0; j < (N_IN); j++)                                                                               \
            check += in[j] - in[j];                                                                                    \
        if (FC_LIKELY(check == 0.0)) {                                                                                 \
            STEP(state, in, out, commit);                                                                              \
            return;                                                                                                    \
        }                                                                                                              \
        if (commit)                                                                                                    \
            ON_GAP(state);                                                                                             \
        for (int j = 0; j < (N_OUT); j++)                                                                              \
            out[j] = NAN;                                                                                              \
    }                                                                                                                  \
    FC_STREAM_WITH(name, STATE, N_IN, N_OUT, name##_bar)

/* The same for a step that treats missing bars itself. */
#define FC_STREAM_WITH(name, STATE, N_IN, N_OUT, BAR)                                                                  \
    static void name##_run(void *state, const double *const *in, double *const *out, ptrdiff_t n)                      \
    {                                                                                                                  \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                            \
            double bar[N_IN], result[N_OUT];                                                                           \
            for (int j = 0; j < (N_IN); j++)                                                                           \
                bar[j] = in[j][i];                                                                                     \
            BAR((STATE *)state, bar, result, 1);                                                                       \
            for (int j = 0; j < (N_OUT); j++)                                                                          \
                out[j][i] = result[j];                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    static void name##_one(void *state, const double *in, double *out, int commit)                                     \
    {                                                                                                                  \
        BAR((STATE *)state, in, out, commit);                                                                          \
    }                                                                                                                  \
    static void name##_many(char *states, size_t stride, const int64_t *at, const double *const *in,                   \
                            double *const *out, ptrdiff_t n)                                                           \
    {                                                                                                                  \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                            \
            double bar[N_IN], result[N_OUT];                                                                           \
            int64_t symbol = at ? at[i] : (int64_t)i;                                                                  \
            for (int j = 0; j < (N_IN); j++)                                                                           \
                bar[j] = in[j][i];                                                                                     \
            BAR((STATE *)(states + stride * (size_t)symbol), bar, result, 1);                                          \
            for (int j = 0; j < (N_OUT); j++)                                                                          \
                out[j][symbol] = result[j];                                                                            \
        }                                                                                                              \
    }

#define FC_KERNEL(name, par, n_in, n_out)                                                                              \
    const fc_kernel FC(kernel_##name) = {#name,        par,         n_in,       n_out,       name##_policy,            \
                                         name##_lookback, name##_scratch, name##_batch, name##_size, name##_init,      \
                                         name##_valid, name##_run,  name##_one,  name##_many}

FC_INLINE fc_policy fc_by_window(const double *par)
{
    (void)par;
    return FC_WINDOW;
}

#endif
