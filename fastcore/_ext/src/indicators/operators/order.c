/* Order statistics of a window: quantiles and ranks. Missing values in it do not count.
 *
 * A narrow window is sorted anew at each bar, from one array into another, by vectors and without a branch: what is at a
 * place depends on it and its two neighbours alone. The rank in it is counted.
 *
 * The values of a wide window are kept in order in blocks of up to ROOM. A block that is full is split, and two
 * neighbours that fit into half of one are joined, so that blocks are few, and a bar costs two binary searches and two
 * short moves. None of it holds addresses.
 */
#include "indicators/operators/counting.h"

#define NARROW 256
#define ROOM 256
#define ONE_BLOCK 2500

static double least(double a, double b) { return a < b ? a : b; }

/* Of `there` values in order, the one at that share: its place, and how far it is on the way to the next. */
FC_INLINE int64_t place_of(const double *par, double there, double *apart) {
    if (par[3] != 0.0) { /* the nearest rank */
        double k = least(ceil(par[2] * there), there);
        *apart = 0.0;
        return k > 1.0 ? (int64_t)k - 1 : 0;
    }
    double at = least(par[2] * (there - 1.0), there - 1.0);
    int64_t k = at > 0.0 ? (int64_t)at : 0;
    *apart = at > (double)k ? at - (double)k : 0.0;
    return k;
}
FC_INLINE double between(double value, double next, double apart) {
    return apart != 0.0 ? value + (next - value) * apart : value;
}
FC_INLINE double middle(double below, double not_above) { return 0.5 * (below + 1.0 + not_above); }

#include "indicators/operators/order_series.h"

/* ---- narrow windows ---- */

typedef struct {
    int64_t width, at, turn, there; /* bars in the window; the next bar's place; which array holds; values there */
    double mem[];                   /* bars by place, missing ones as INFINITY; two arrays of the values in order */
} narrow_state;

static int is_narrow(const double *par) { return par[0] <= NARROW; }
static int64_t places_of(int64_t width) { return (width + 3) & ~(int64_t)3; }
static int64_t pitch_of(int64_t width) { return places_of(width) + 8; } /* with a value before, and some behind */
static size_t narrow_size(const double *par) {
    int64_t width = (int64_t)par[0];
    return sizeof(narrow_state) + (size_t)(places_of(width) + 2 * pitch_of(width)) * sizeof(double);
}
FC_INLINE double *array_of(narrow_state *s, int64_t turn) {
    return s->mem + places_of(s->width) + turn * pitch_of(s->width) + 4;
}
static void narrow_init(const double *par, void *state) {
    narrow_state *s = state;
    s->width = (int64_t)par[0];
    s->at = s->turn = s->there = 0;
    for (int64_t i = 0; i < places_of(s->width) + 2 * pitch_of(s->width); i++) {
        s->mem[i] = INFINITY;
    }
    array_of(s, 0)[-1] = array_of(s, 1)[-1] = -INFINITY;
}
static int narrow_valid(const double *par, const void *state) {
    const narrow_state *s = state;
    int64_t found = 0;
    if (s->width != (int64_t)par[0] || s->at < 0 || s->at >= s->width || (s->turn != 0 && s->turn != 1)) {
        return 0;
    }
    for (int64_t i = 0; i < s->width; i++) {
        found += s->mem[i] != INFINITY;
    }
    return found == s->there;
}

/* `from` without `old` and with x, in order; INFINITY is none. */
FC_INLINE void sort_again(const double *restrict from, double *restrict to, int64_t n, double old, double x) {
    for (int64_t i = 0; i < n; i++) {
        double before = from[i - 1] < old ? from[i - 1] : from[i], here = from[i] < old ? from[i] : from[i + 1];
        here = here < x ? here : x;
        to[i] = before > here ? before : here;
    }
}
/* How many of the values are below x, or not above it. */
FC_INLINE double counted(const double *values, int64_t n, double x, int equal) {
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        found += equal ? values[i] <= x : values[i] < x;
    }
    return (double)found;
}

/* ---- wide windows ---- */

typedef struct {
    int64_t width, at, seen; /* bars in the window; the next bar's place; bars so far, up to the width */
    int64_t there, blocks, most, room;
    double mem[]; /* bars by place, the largest of each block, block numbers and counts, then the blocks */
} wide_state;

static int64_t room_of(double period) { return period < ONE_BLOCK ? (int64_t)period + 1 : ROOM; }
static int64_t most_of(double period) { return period < ONE_BLOCK ? 1 : (int64_t)period / (ROOM / 4) + 3; }

FC_INLINE double *largest_of(wide_state *s) { return s->mem + s->width; }
FC_INLINE int32_t *numbers_of(wide_state *s) { return (int32_t *)(s->mem + s->width + s->most); }
FC_INLINE int32_t *counts_of(wide_state *s) { return numbers_of(s) + s->most; }
FC_INLINE double *block_of(wide_state *s, int64_t b) {
    return s->mem + s->width + 2 * s->most + s->room * numbers_of(s)[b];
}

static size_t wide_size(const double *par) {
    int64_t most = most_of(par[0]);
    return sizeof(wide_state) + (size_t)((int64_t)par[0] + 2 * most + most * room_of(par[0])) * sizeof(double);
}

static void wide_init(const double *par, void *state) {
    wide_state *s = state;
    s->width = (int64_t)par[0];
    s->at = s->seen = s->there = 0;
    s->blocks = 1;
    s->most = most_of(par[0]);
    s->room = room_of(par[0]);
    for (int64_t b = 0; b < s->most; b++) {
        numbers_of(s)[b] = (int32_t)b;
        counts_of(s)[b] = 0;
        largest_of(s)[b] = 0.0;
    }
}

static int wide_valid(const double *par, const void *state) {
    wide_state *s = (wide_state *)state;
    if (s->width != (int64_t)par[0] || s->most != most_of(par[0]) || s->room != room_of(par[0]) || s->at < 0 ||
        s->at >= s->width || s->seen < 0 || s->seen > s->width || (s->seen < s->width && s->at != s->seen) ||
        s->blocks < 1 || s->blocks > s->most) {
        return 0;
    }
    int64_t finite = 0, held = 0;
    for (int64_t i = 0; i < s->seen; i++) {
        finite += s->mem[i] - s->mem[i] == 0.0;
    }
    for (int64_t b = 0; b < s->most; b++) {
        if (numbers_of(s)[b] < 0 || numbers_of(s)[b] >= s->most) {
            return 0;
        }
        for (int64_t other = 0; other < b; other++) {
            if (numbers_of(s)[other] == numbers_of(s)[b]) {
                return 0;
            }
        }
    }
    for (int64_t b = 0; b < s->blocks; b++) {
        int32_t count = counts_of(s)[b];
        if (count < (s->blocks > 1) || count >= s->room) {
            return 0;
        }
        held += count;
        if (s->blocks > 1 &&
            (largest_of(s)[b] != block_of(s, b)[count - 1] || (b && held && largest_of(s)[b] < largest_of(s)[b - 1]))) {
            return 0;
        }
    }
    return s->there == held && held == finite;
}

/* How many of n sorted values are below x; with `equal`, or equal to it. */
FC_INLINE int64_t search(const double *sorted, int64_t n, double x, int equal) {
    const double *from = sorted;
    if (n == 0) {
        return 0;
    }
    while (n > 1) {
        int64_t half = n / 2;
        from += half & -(int64_t)(equal ? from[half - 1] <= x : from[half - 1] < x); /* no branch to guess */
        n -= half;
    }
    return from - sorted + (equal ? *from <= x : *from < x);
}

/* The block that x belongs into: the first whose largest value is not below it, or the last. */
FC_INLINE int64_t block_for(wide_state *s, double x, int equal) {
    return s->blocks == 1 ? 0 : search(largest_of(s), s->blocks - 1, x, equal);
}

static int64_t rank_of(wide_state *s, double x, int equal) {
    int64_t block = block_for(s, x, equal), before = 0;
    for (int64_t b = 0; b < block; b++) {
        before += counts_of(s)[b];
    }
    return before + search(block_of(s, block), counts_of(s)[block], x, equal);
}

/* The value with k below it, and the next one. */
FC_INLINE void pick_pair(wide_state *s, int64_t k, double *value, double *next) {
    int64_t b = 0;
    for (; b + 1 < s->blocks && k >= counts_of(s)[b]; b++) {
        k -= counts_of(s)[b];
    }
    const double *block = block_of(s, b);
    *value = block[k];
    *next = k + 1 < counts_of(s)[b] ? block[k + 1] : b + 1 < s->blocks ? block_of(s, b + 1)[0] : block[k];
}

/* Opens a place for a block at b, or closes it; numbers of blocks that are not used stand behind the others. */
static void open_block(wide_state *s, int64_t b) {
    int32_t *numbers = numbers_of(s), *counts = counts_of(s), number = numbers[s->blocks];
    size_t after = (size_t)(s->blocks - b);
    memmove(numbers + b + 1, numbers + b, after * sizeof(*numbers));
    memmove(counts + b + 1, counts + b, after * sizeof(*counts));
    memmove(largest_of(s) + b + 1, largest_of(s) + b, after * sizeof(double));
    numbers[b] = number;
    s->blocks++;
}
static void close_block(wide_state *s, int64_t b) {
    int32_t *numbers = numbers_of(s), *counts = counts_of(s), number = numbers[b];
    size_t after = (size_t)(s->blocks - b - 1);
    memmove(numbers + b, numbers + b + 1, after * sizeof(*numbers));
    memmove(counts + b, counts + b + 1, after * sizeof(*counts));
    memmove(largest_of(s) + b, largest_of(s) + b + 1, after * sizeof(double));
    numbers[--s->blocks] = number;
}

static FC_NOINLINE void split(wide_state *s, int64_t b) {
    int32_t kept = counts_of(s)[b] / 2, moved = counts_of(s)[b] - kept;
    open_block(s, b + 1);
    memcpy(block_of(s, b + 1), block_of(s, b) + kept, (size_t)moved * sizeof(double));
    counts_of(s)[b] = kept;
    counts_of(s)[b + 1] = moved;
    largest_of(s)[b] = block_of(s, b)[kept - 1];
    largest_of(s)[b + 1] = block_of(s, b + 1)[moved - 1];
}

/* Joins block b with the next one where both fit into half of one. */
static void join(wide_state *s, int64_t b) {
    int32_t *counts = counts_of(s);
    if (b < 0 || b + 1 >= s->blocks || counts[b] + counts[b + 1] > s->room / 2) {
        return;
    }
    memcpy(block_of(s, b) + counts[b], block_of(s, b + 1), (size_t)counts[b + 1] * sizeof(double));
    counts[b] += counts[b + 1];
    largest_of(s)[b] = largest_of(s)[b + 1];
    close_block(s, b + 1);
}

static void insert(wide_state *s, double x) {
    int64_t b = block_for(s, x, 0);
    double *block = block_of(s, b);
    int64_t n = counts_of(s)[b], k = search(block, n, x, 0);
    if (FC_UNLIKELY(n + 1 == s->room && s->blocks == s->most)) { /* no room: only of a state from outside */
        return;
    }
    memmove(block + k + 1, block + k, (size_t)(n - k) * sizeof(double));
    block[k] = x;
    counts_of(s)[b]++;
    s->there++;
    largest_of(s)[b] = block[n];
    if (FC_UNLIKELY(n + 1 == s->room)) {
        split(s, b);
    }
}

static void erase(wide_state *s, double x) {
    int64_t b = block_for(s, x, 0);
    double *block = block_of(s, b);
    int64_t n = counts_of(s)[b], k = search(block, n, x, 0);
    if (FC_UNLIKELY(k >= n)) { /* not there: only of a state from outside */
        return;
    }
    memmove(block + k, block + k + 1, (size_t)(n - k - 1) * sizeof(double));
    counts_of(s)[b]--;
    s->there--;
    if (s->blocks > 1) {
        if (n == 1) {
            close_block(s, b);
            return;
        }
        largest_of(s)[b] = block[n - 2];
        join(s, b);
        join(s, b - 1);
    }
}

/* Both at once where they are in one block: what stands between the two moves by one place. */
FC_INLINE void replace(wide_state *s, double old, double x) {
    int64_t b = block_for(s, old, 0);
    if (FC_UNLIKELY(s->blocks > 1 && b != block_for(s, x, 0))) {
        erase(s, old);
        insert(s, x);
        return;
    }
    double *block = block_of(s, b);
    int64_t n = counts_of(s)[b], from = search(block, n, old, 0), to = search(block, n, x, 0);
    if (FC_UNLIKELY(from >= n)) {
        return;
    }
    if (to > from) {
        to--;
        memmove(block + from, block + from + 1, (size_t)(to - from) * sizeof(double));
    } else {
        memmove(block + to + 1, block + to, (size_t)(from - to) * sizeof(double));
    }
    block[to] = x;
    largest_of(s)[b] = block[n - 1];
}

FC_INLINE void exchange(wide_state *s, double old, double x) {
    if (FC_LIKELY(fc_there(old) && fc_there(x))) {
        replace(s, old, x);
    } else if (fc_there(old)) {
        erase(s, old);
    } else if (fc_there(x)) {
        insert(s, x);
    }
}

/* ---- either ---- */

FC_INLINE double quantile_narrow(const double *par, narrow_state *s, double there, double old, double x) {
    double apart, *to = array_of(s, 1 - s->turn);
    sort_again(array_of(s, s->turn), to, places_of(s->width), old, x);
    int64_t k = place_of(par, there, &apart);
    return between(to[k], to[k + 1], apart);
}
/* The bar has taken the place of the oldest. */
FC_INLINE double rank_narrow(const double *par, narrow_state *s, double there, double old, double x) {
    (void)there;
    (void)old;
    if (x == INFINITY) {
        return NAN;
    }
    double below = counted(s->mem, places_of(s->width), x, 0);
    return par[2] != 0.0 ? below : middle(below, counted(s->mem, places_of(s->width), x, 1));
}
FC_INLINE double quantile_wide(const double *par, wide_state *s, double x) {
    double apart, value, next;
    (void)x;
    pick_pair(s, place_of(par, (double)s->there, &apart), &value, &next);
    return between(value, next, apart);
}
FC_INLINE double rank_wide(const double *par, wide_state *s, double x) {
    if (!fc_there(x)) {
        return NAN;
    }
    double below = (double)rank_of(s, x, 0);
    return par[2] != 0.0 ? below : middle(below, (double)rank_of(s, x, 1));
}

static size_t order_size(const double *par) { return is_narrow(par) ? narrow_size(par) : wide_size(par); }
static void order_init(const double *par, void *state) {
    if (is_narrow(par)) {
        narrow_init(par, state);
    } else {
        wide_init(par, state);
    }
}
static int order_valid(const double *par, const void *state) {
    return is_narrow(par) ? narrow_valid(par, state) : wide_valid(par, state);
}

/* A peek puts things back as they were. */
#define ORDER(op)                                                                                                      \
    FC_INLINE double op##_of_narrow(const double *par, narrow_state *s, double x, int commit) {                        \
        double old = s->mem[s->at], result = NAN;                                                                      \
        x = fc_there(x) ? x : INFINITY;                                                                                \
        int64_t there = s->there - (old != INFINITY) + (x != INFINITY);                                                \
        s->mem[s->at] = x;                                                                                             \
        double found = op##_narrow(par, s, (double)there, old, x);                                                     \
        result = (double)there >= par[1] && there ? found : NAN;                                                       \
        if (commit) {                                                                                                  \
            s->at = s->at + 1 == s->width ? 0 : s->at + 1;                                                             \
            s->there = there;                                                                                          \
            s->turn = 1 - s->turn;                                                                                     \
        } else {                                                                                                       \
            s->mem[s->at] = old;                                                                                       \
        }                                                                                                              \
        return result;                                                                                                 \
    }                                                                                                                  \
    static FC_NOINLINE double op##_of_wide(const double *par, wide_state *s, double x, int commit) {                   \
        double old = s->seen == s->width ? s->mem[s->at] : NAN;                                                        \
        exchange(s, old, x);                                                                                           \
        double result = (double)s->there >= par[1] && s->there ? op##_wide(par, s, x) : NAN;                           \
        if (commit) {                                                                                                  \
            s->mem[s->at] = x;                                                                                         \
            s->at = s->at + 1 == s->width ? 0 : s->at + 1;                                                             \
            s->seen += s->seen < s->width;                                                                             \
        } else {                                                                                                       \
            exchange(s, x, old);                                                                                       \
        }                                                                                                              \
        return result;                                                                                                 \
    }                                                                                                                  \
    FC_INLINE double op##_push(const double *par, void *state, const double *in, int commit) {                         \
        return is_narrow(par) ? op##_of_narrow(par, state, in[0], commit) : op##_of_wide(par, state, in[0], commit);   \
    }
ORDER(quantile)
ORDER(rank)

static double quantile_step(const double *par, void *state, const double *in, int commit) {
    return quantile_push(par, state, in, commit);
}
static double rank_step(const double *par, void *state, const double *in, int commit) {
    return rank_push(par, state, in, commit);
}

/* ---- many bars ---- */

static int quantile_sorts(const double *par) { return par[0] > 64 && par[0] <= FC_SORTED_WIDEST; }
static int rank_sorts(const double *par) { return par[0] > 200 && par[0] <= FC_SORTED_WIDEST; }

static int quantile_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                          double *scratch) {
    if (quantile_sorts(par)) {
        order_series_block(par, carry, in[0], out, n, scratch, 0);
        return 0;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        out[i] = quantile_push(par, carry, in[0] + i, 1);
    }
    return 0;
}

/* A full window is counted in the input, the first ones of a block in a copy: what was stored just now is slow to read. */
static void rank_narrow_block(const double *par, narrow_state *s, const double *in, double *restrict out, ptrdiff_t n) {
    double first[2 * NARROW];
    ptrdiff_t width = (ptrdiff_t)par[0], copied = 0;
    if (s->there == s->width) {
        copied = n < width ? n : width;
        memcpy(first, s->mem + s->at, (size_t)(width - s->at) * sizeof(double));
        memcpy(first + width - s->at, s->mem, (size_t)s->at * sizeof(double));
        memcpy(first + width, in, (size_t)copied * sizeof(double));
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *x = in + i, *window = i < copied ? first + i + 1 : x - width + 1;
        if ((i >= copied && i < width) || s->there != s->width || !fc_there(x[0])) {
            out[i] = rank_push(par, s, x, 1);
            continue;
        }
        double below = counted(window, width, x[0], 0);
        out[i] = par[2] != 0.0 ? below : middle(below, counted(window, width, x[0], 1));
        s->mem[s->at] = x[0];
        s->at = s->at + 1 == s->width ? 0 : s->at + 1;
    }
}
static int rank_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                      double *scratch) {
    if (rank_sorts(par)) {
        order_series_block(par, carry, in[0], out, n, scratch, 1);
    } else if (is_narrow(par)) {
        rank_narrow_block(par, carry, in[0], out, n);
    } else {
        for (ptrdiff_t i = 0; i < n; i++) {
            out[i] = rank_push(par, carry, in[0] + i, 1);
        }
    }
    return 0;
}

#define ORDERED(op, kinds)                                                                                             \
    static void op##_begin(const double *par, void *carry) {                                                           \
        if (op##_sorts(par)) {                                                                                         \
            fc_past_init(carry, par[0]);                                                                               \
        } else {                                                                                                       \
            order_init(par, carry);                                                                                    \
        }                                                                                                              \
    }                                                                                                                  \
    static ptrdiff_t op##_scratch(const double *par) { return op##_sorts(par) ? series_scratch(par[0]) : 0; }          \
    FC_COUNTED(op, kinds, 1, order_size, order_init, order_valid, op##_begin, op##_scratch)
ORDERED(quantile, "ppff");
ORDERED(rank, "ppf");
