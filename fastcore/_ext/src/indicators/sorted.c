/* Sorted by digits, from the lowest on, which takes the same time whatever the values are. */
#include "indicators/sorted.h"

#include <string.h>

#include "common/macros.h"

#define DIGIT_MOST 11 /* bits */
#define FEW 1024      /* values for which smaller digits pay */

typedef struct {
    uint64_t key; /* in the order of the values */
    uint64_t at;
} item;

ptrdiff_t fc_sorted_room(ptrdiff_t m) { return 4 * m + (1 << DIGIT_MOST); }

FC_INLINE uint64_t key_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits ^ ((0 - (bits >> 63)) | (uint64_t)1 << 63);
}

/* Moves n items to `to`, in the order of the digit at `shift`, of which `counts` has the numbers; counts the next one. */
static void pass(const item *restrict from, item *restrict to, int32_t n, int shift, int bits,
                 uint32_t *restrict counts, uint32_t *restrict next) {
    uint64_t mask = ((uint64_t)1 << bits) - 1;
    uint32_t place = 0;
    for (uint64_t digit = 0; digit <= mask; digit++) {
        uint32_t count = counts[digit];
        counts[digit] = place;
        place += count;
        next[digit] = 0;
    }
    for (int32_t i = 0; i < n; i++) {
        uint64_t rest = from[i].key >> shift;
        to[counts[rest & mask]++] = from[i];
        next[rest >> bits & mask]++;
    }
}

int32_t fc_sort(const double *x, ptrdiff_t m, int32_t *place, double *sorted, double *room) {
    item *from = (item *)(void *)room, *to = from + m;
    uint32_t *counts = (uint32_t *)(void *)(to + m), *next = counts + (1 << DIGIT_MOST);
    uint64_t least = UINT64_MAX, most = 0;
    int32_t n = 0;
    for (ptrdiff_t i = 0; i < m; i++) {
        uint64_t key = key_of(x[i]);
        int there = x[i] - x[i] == 0.0;
        place[i] = -1;
        from[n] = (item){key, (uint64_t)i};
        least = there && key < least ? key : least;
        most = there && key > most ? key : most;
        n += there;
    }
    int width = 0, bits, passes;
    while (n && width < 64 && (most - least) >> width) {
        width++;
    }
    bits = n < FEW ? 8 : DIGIT_MOST;
    passes = (width + bits - 1) / bits;
    bits = passes ? (width + passes - 1) / passes : 1;
    memset(counts, 0, sizeof(*counts) << bits);
    for (int32_t i = 0; i < n; i++) {
        from[i].key -= least;
        counts[from[i].key & (((uint64_t)1 << bits) - 1)]++;
    }
    for (int k = 0; k < passes; k++) {
        item *moved = to;
        uint32_t *used = counts;
        pass(from, to, n, k * bits, bits, counts, next);
        to = from;
        from = moved;
        counts = next;
        next = used;
    }
    for (int32_t i = 0; i < n; i++) {
        place[from[i].at] = i;
        sorted[i] = x[from[i].at];
    }
    return n;
}

void fc_sorted_ties(const double *sorted, int32_t n, int32_t *first, int32_t *end) {
    for (int32_t i = 0; i < n; i++) {
        first[i] = i && sorted[i] == sorted[i - 1] ? first[i - 1] : i;
    }
    for (int32_t i = n; i--;) {
        end[i] = i + 1 < n && sorted[i] == sorted[i + 1] ? end[i + 1] : i + 1;
    }
}
