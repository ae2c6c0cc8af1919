/* Which places are taken at the beginning. */
#include "indicators/present.h"

#include <string.h>

static int64_t nodes_of(int64_t children) { return (children + FC_BRANCHES - 1) / FC_BRANCHES; }

void fc_present_init(fc_present *p, int64_t places, double *room) {
    p->words = fc_words_of(places);
    p->bits = (uint64_t *)(void *)room;
    p->levels = 0;
    memset(p->bits, 0, (size_t)p->words * sizeof(*p->bits));
    room += p->words;
    for (int64_t children = p->words; p->levels == 0 || children > 1; p->levels++) {
        children = nodes_of(children);
        p->counts[p->levels] = (int32_t *)(void *)room;
        room += children * (FC_BRANCHES / 2);
    }
}

/* How many places are taken in a child of a node of level l; a node's own number is kept at its first branch, for which
 * nothing comes before, until it is asked for here. */
static int32_t take_count(fc_present *p, int l, int64_t child) {
    if (l == 0) {
        return fc_bit_count(p->bits[child]);
    }
    int32_t *first = p->counts[l - 1] + child * FC_BRANCHES, count = *first;
    *first = 0;
    return count;
}

void fc_present_begin(fc_present *p) {
    int64_t children = p->words;
    for (int l = 0; l < p->levels; l++) {
        for (int64_t node = 0; node < nodes_of(children); node++) {
            int32_t before = 0, *branches = p->counts[l] + node * FC_BRANCHES;
            for (int64_t b = 0, child = node * FC_BRANCHES; b < FC_BRANCHES; b++, child++) {
                branches[b] = before;
                before += child < children ? take_count(p, l, child) : 0;
            }
            branches[0] = before;
        }
        children = nodes_of(children);
    }
    p->there = take_count(p, p->levels, 0);
}
