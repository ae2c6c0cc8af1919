/* Values in order, in blocks, whose numbers are asked four blocks at a time, and whose values move by vectors: what is at a
 * place of a block that changes depends on it and its neighbours alone.
 */
#include "indicators/operators/sorted_blocks.h"

FC_INLINE double *numbers_of(const fc_blocks *s, int64_t kind) { return (double *)s->mem + kind * s->most; }
FC_INLINE double *largest_of(const fc_blocks *s) { return numbers_of(s, 0); }
FC_INLINE double *smallest_of(const fc_blocks *s) { return numbers_of(s, 1); }
FC_INLINE double *counts_of(const fc_blocks *s) { return numbers_of(s, 2); }
FC_INLINE double *distances_of(const fc_blocks *s) { return numbers_of(s, 3); }
FC_INLINE double *places_of(const fc_blocks *s) { return numbers_of(s, 4); }
FC_INLINE double *block_of(const fc_blocks *s, int64_t b) {
    return numbers_of(s, 5) + FC_BLOCK_SPARE / 2 + (s->room + FC_BLOCK_SPARE) * (int64_t)places_of(s)[b];
}

/* The numbers of a block that is not used, or empty: they do not count. */
FC_INLINE void use_none(fc_blocks *s, int64_t b) {
    largest_of(s)[b] = INFINITY;
    smallest_of(s)[b] = counts_of(s)[b] = distances_of(s)[b] = 0.0;
}

/* Its values from the count-th on are not used. */
FC_INLINE void cut(fc_blocks *s, int64_t b, int64_t count) {
    double *block = block_of(s, b);
    for (int64_t i = count; i < s->room + FC_BLOCK_SPARE / 2; i++) {
        block[i] = INFINITY;
    }
}

void FC(blocks_clear)(fc_blocks *s) {
    for (int64_t b = 0; b < s->blocks; b++) {
        cut(s, b, 0);
        use_none(s, b);
    }
    s->there = 0;
    s->blocks = 1;
}

void FC(blocks_init)(fc_blocks *s, double values) {
    s->room = fc_blocks_room(values);
    s->blocks = s->most = fc_blocks_most(values);
    for (int64_t b = 0; b < s->most; b++) {
        places_of(s)[b] = (double)b;
        for (int k = 1; k <= FC_BLOCK_SPARE / 2; k++) {
            block_of(s, b)[-k] = -INFINITY;
        }
    }
    FC(blocks_clear)(s);
}

int FC(blocks_valid)(const fc_blocks *s, double values, int64_t there) {
    int64_t held = 0;
    if (s->room != fc_blocks_room(values) || s->most != fc_blocks_most(values) || s->there != there || s->blocks < 1 ||
        s->blocks > s->most) {
        return 0;
    }
    for (int64_t b = 0; b < s->most; b++) {
        double number = places_of(s)[b], count = counts_of(s)[b];
        if (!(number >= 0.0 && number < (double)s->most && number == floor(number) && count == floor(count)) ||
            !(b < s->blocks ? count >= (double)(s->blocks > 1) && count < (double)s->room : count == 0.0)) {
            return 0;
        }
        for (int64_t other = 0; other < b; other++) {
            if (places_of(s)[other] == number) {
                return 0;
            }
        }
        held += (int64_t)count;
    }
    return held == there;
}

/* ---- where a value is ---- */

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

FC_INLINE double total_of(v4 a) {
    double lanes[4];
    v4_store(lanes, a);
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

/* How many blocks have all values below base + x, and how many values these have. */
FC_INLINE int64_t blocks_below(const fc_blocks *s, double base, double x, double *values) {
    v4 bases = v4_all(base), all = v4_all(x), blocks = v4_zero(), counted = v4_zero();
    for (int64_t b = 0; b < s->blocks; b += 4) {
        v4 largest = v4_sub(v4_load(largest_of(s) + b), bases);
        blocks = v4_add(blocks, v4_if_gt(all, largest, v4_all(1.0)));
        counted = v4_add(counted, v4_if_gt(all, largest, v4_load(counts_of(s) + b)));
    }
    *values = total_of(counted);
    return (int64_t)total_of(blocks);
}
/* The block that x belongs into: the first whose largest value is not below it, or the last. */
FC_INLINE int64_t block_for(const fc_blocks *s, double x) {
    double values;
    int64_t b = blocks_below(s, 0.0, x, &values);
    return b < s->blocks ? b : s->blocks - 1;
}

double FC(blocks_rank)(const fc_blocks *s, double x, double *equal) {
    double below, count = 0.0;
    int64_t b = blocks_below(s, 0.0, x, &below);
    *equal = 0.0;
    if (b < s->blocks && (count = counts_of(s)[b]) > 0.0) {
        const double *block = block_of(s, b);
        int64_t at = search(block, (int64_t)count, x, 0);
        below += (double)at;
        for (; b < s->blocks && smallest_of(s)[b] <= x; b++, at = 0) {
            *equal += (double)(search(block_of(s, b), (int64_t)counts_of(s)[b], x, 1) - at);
        }
    }
    return below;
}

void FC(blocks_pick)(const fc_blocks *s, int64_t k, double *before, double *value, double *next) {
    double left = (double)k;
    int64_t b = 0;
    for (; b + 1 < s->blocks && left >= counts_of(s)[b]; b++) {
        left -= counts_of(s)[b];
    }
    const double *block = block_of(s, b);
    int64_t at = (int64_t)left, count = (int64_t)counts_of(s)[b];
    *before = at > 0 ? block[at - 1] : b > 0 ? largest_of(s)[b - 1] : -INFINITY;
    *value = at < count ? block[at] : INFINITY;
    *next = at + 1 < count ? block[at + 1] : b + 1 < s->blocks ? smallest_of(s)[b + 1] : INFINITY;
}

/* ---- distances ---- */

/* How far those values of four are from `from` that are used. */
FC_INLINE v4 four_from(v4 x, v4 from) { return v4_if_gt(v4_all(INFINITY), x, v4_sub(x, from)); }

/* The sum of the absolute distances of n values from base + off. */
FC_INLINE double sum_apart(const double *x, int64_t n, double base, double off) {
    v4 bases = v4_all(base), offs = v4_all(off), all = v4_all(INFINITY), sum = v4_zero();
    for (int64_t i = 0; i < n; i += 4) {
        v4 here = v4_load(x + i);
        sum = v4_add(sum, v4_if_gt(all, here, v4_abs(v4_sub(v4_sub(here, bases), offs))));
    }
    return total_of(sum);
}

double FC(blocks_sum)(const fc_blocks *s, double base) {
    v4 all = v4_all(base), sum = v4_zero();
    for (int64_t b = 0; b < s->blocks; b += 4) {
        v4 apart = v4_mul(v4_load(counts_of(s) + b), v4_sub(v4_load(smallest_of(s) + b), all));
        sum = v4_add(sum, v4_add(apart, v4_load(distances_of(s) + b)));
    }
    return total_of(sum);
}

/* Of a block that is on one side of base + off as a whole, by its numbers. */
double FC(blocks_apart)(const fc_blocks *s, double base, double off) {
    double values, one = 0.0;
    int64_t b = blocks_below(s, base, off, &values);
    v4 bases = v4_all(base), offs = v4_all(off), sum = v4_zero();
    v4 at = v4_of(0.0, 1.0, 2.0, 3.0), four = v4_all(4.0), skipped = v4_all((double)b);
    for (int64_t k = 0; k < s->blocks; k += 4) {
        v4 from = v4_add(v4_sub(bases, v4_load(smallest_of(s) + k)), offs);
        v4 apart = v4_sub(v4_mul(v4_load(counts_of(s) + k), from), v4_load(distances_of(s) + k));
        sum = v4_add(sum, v4_if_nonzero(v4_sub(at, skipped), v4_abs(apart)));
        at = v4_add(at, four);
    }
    if (b < s->blocks) {
        one = sum_apart(block_of(s, b), (int64_t)counts_of(s)[b], base, off);
    }
    return total_of(sum) + one;
}

/* ---- changes ---- */

/* Makes a block's numbers. */
static FC_NOINLINE void renew(fc_blocks *s, int64_t b, int64_t count) {
    const double *block = block_of(s, b);
    v4 sum = v4_zero(), from = v4_all(block[0]);
    for (int64_t i = 0; i < count; i += 4) {
        sum = v4_add(sum, four_from(v4_load(block + i), from));
    }
    counts_of(s)[b] = (double)count;
    smallest_of(s)[b] = block[0];
    largest_of(s)[b] = block[count - 1];
    distances_of(s)[b] = total_of(sum);
}

/* Opens a place for a block at b, or closes it; the places of blocks that are not used stand behind the others. */
static FC_NOINLINE void open_block(fc_blocks *s, int64_t b) {
    double number = places_of(s)[s->blocks];
    for (int k = 0; k < 5; k++) {
        memmove(numbers_of(s, k) + b + 1, numbers_of(s, k) + b, (size_t)(s->blocks - b) * sizeof(double));
    }
    places_of(s)[b] = number;
    s->blocks++;
}
static FC_NOINLINE void close_block(fc_blocks *s, int64_t b) {
    double number = places_of(s)[b];
    s->blocks--;
    for (int k = 0; k < 5; k++) {
        memmove(numbers_of(s, k) + b, numbers_of(s, k) + b + 1, (size_t)(s->blocks - b) * sizeof(double));
    }
    places_of(s)[s->blocks] = number;
    use_none(s, s->blocks);
}

/* Joins block b with the next one where both fit into three quarters of one. */
static FC_NOINLINE void join(fc_blocks *s, int64_t b) {
    int64_t count = (int64_t)counts_of(s)[b], more = (int64_t)counts_of(s)[b + 1];
    memcpy(block_of(s, b) + count, block_of(s, b + 1), (size_t)more * sizeof(double));
    cut(s, b + 1, 0);
    close_block(s, b + 1);
    renew(s, b, count + more);
}
FC_INLINE void may_join(fc_blocks *s, int64_t b) {
    if (b >= 0 && b + 1 < s->blocks && 4.0 * (counts_of(s)[b] + counts_of(s)[b + 1]) <= 3.0 * (double)s->room) {
        join(s, b);
    }
}

static FC_NOINLINE void split(fc_blocks *s, int64_t b) {
    int64_t count = (int64_t)counts_of(s)[b], kept = count / 2;
    open_block(s, b + 1);
    memcpy(block_of(s, b + 1), block_of(s, b) + kept, (size_t)(count - kept) * sizeof(double));
    cut(s, b, kept);
    renew(s, b, kept);
    renew(s, b + 1, count - kept);
    may_join(s, b + 1);
    may_join(s, b - 1);
}

/* Puts x into block b: what is at a place depends on it and the one before alone. */
static FC_NOINLINE void insert(fc_blocks *s, int64_t b, double x) {
    int64_t n = (int64_t)counts_of(s)[b];
    if (FC_UNLIKELY(n + 1 >= s->room && s->blocks == s->most)) { /* no room: only of a state from outside */
        return;
    }
    double *block = block_of(s, b), first = block[0] < x ? block[0] : x,
           last = n && block[n - 1] > x ? block[n - 1] : x;
    v4 all = v4_all(x), from = v4_all(first), sum = v4_zero();
    for (int64_t i = n & ~(int64_t)3; i >= 0; i -= 4) {
        v4 to = v4_max(v4_load(block + i - 1), v4_min(v4_load(block + i), all));
        v4_store(block + i, to);
        sum = v4_add(sum, four_from(to, from));
    }
    counts_of(s)[b] = (double)(n + 1);
    smallest_of(s)[b] = first;
    largest_of(s)[b] = last;
    distances_of(s)[b] = total_of(sum);
    s->there++;
    if (FC_UNLIKELY(n + 1 == s->room)) {
        split(s, b);
    }
}

/* Takes a value out of block b. */
static FC_NOINLINE void erase(fc_blocks *s, int64_t b, double old) {
    int64_t n = (int64_t)counts_of(s)[b];
    if (FC_UNLIKELY(n == 0)) { /* only of a state from outside */
        return;
    }
    double *block = block_of(s, b), first = block[block[0] < old ? 0 : 1], last = block[n - 1];
    last = last > old ? last : block[n - 2];
    v4 all = v4_all(old), from = v4_all(first), sum = v4_zero();
    for (int64_t i = 0; i < n; i += 4) {
        v4 here = v4_load(block + i), to = v4_pick_gt(all, here, here, v4_load(block + i + 1));
        v4_store(block + i, to);
        sum = v4_add(sum, four_from(to, from));
    }
    s->there--;
    if (FC_UNLIKELY(n == 1)) {
        use_none(s, b);
        if (s->blocks > 1) {
            close_block(s, b);
        }
        return;
    }
    counts_of(s)[b] = (double)(n - 1);
    smallest_of(s)[b] = first;
    largest_of(s)[b] = last;
    distances_of(s)[b] = total_of(sum);
    may_join(s, b);
    may_join(s, b - 1);
}

/* Both at once in one block. */
static FC_NOINLINE void replace(fc_blocks *s, int64_t b, double old, double x) {
    int64_t n = (int64_t)counts_of(s)[b];
    double *block = block_of(s, b), first = block[block[0] < old ? 0 : 1];
    first = first < x ? first : x;
    v4 olds = v4_all(old), all = v4_all(x), from = v4_all(first), sum = v4_zero(), before = v4_load(block - 1);
    for (int64_t i = 0; i < n; i += 4) {
        v4 here = v4_load(block + i), next = v4_load(block + i + 1), later = v4_load(block + i + 3);
        v4 to = v4_max(v4_pick_gt(olds, before, before, here), v4_min(v4_pick_gt(olds, here, here, next), all));
        v4_store(block + i, to);
        sum = v4_add(sum, four_from(to, from));
        before = later;
    }
    smallest_of(s)[b] = first;
    largest_of(s)[b] = block[n - 1];
    distances_of(s)[b] = total_of(sum);
}

void FC(blocks_insert)(fc_blocks *s, double x) { insert(s, block_for(s, x), x); }
void FC(blocks_erase)(fc_blocks *s, double old) { erase(s, block_for(s, old), old); }
void FC(blocks_replace)(fc_blocks *s, double old, double x) {
    int64_t from = block_for(s, old), to = block_for(s, x), blocks = s->blocks;
    if (from == to) {
        replace(s, from, old, x);
        return;
    }
    erase(s, from, old);
    insert(s, FC_LIKELY(s->blocks == blocks) ? to : block_for(s, x), x);
}
