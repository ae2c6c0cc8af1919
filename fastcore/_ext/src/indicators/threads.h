/* Work on many items, divided among threads. Nothing here knows of Python. */
#ifndef FASTCORE_INDICATORS_THREADS_H
#define FASTCORE_INDICATORS_THREADS_H

#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

#define FC_MOST_THREADS 64

/* Items that no thread has taken yet. Threads take some at a time, so that a late thread delays no other. */
typedef struct {
    int64_t next, n, some;
    int shared; /* whether there are several threads */
} fc_queue;

/* The next items, from *first to before *last; 0 if there are none. */
FC_INLINE int fc_take(fc_queue *q, ptrdiff_t *first, ptrdiff_t *last) {
    int64_t from = q->next;
    if (!q->shared) {
        q->next += q->some;
    } else {
#if defined(_MSC_VER) && !defined(__clang__)
        from = _InterlockedExchangeAdd64(&q->next, q->some);
#else
        from = __atomic_fetch_add(&q->next, q->some, __ATOMIC_RELAXED);
#endif
    }
    *first = (ptrdiff_t)from;
    *last = (ptrdiff_t)(q->n - from < q->some ? q->n : from + q->some);
    return from < q->n;
}

/* How many threads pay for n bars or symbols of `cost` indicators each: 1 to FC_MOST_THREADS, and no more than there are
 * processors but for `spare`. */
int fc_threads_for(ptrdiff_t n, ptrdiff_t cost, ptrdiff_t spare);
/* Calls work(share) for the first of n shares, `size` bytes apart, in this thread, and for each other in a helper's, or
 * not at all where none has begun with it by the time that this thread is done. Shares take their items from one queue, so
 * that nothing is left undone. */
void fc_on_threads(void (*work)(void *), void *shares, size_t size, int n);

#endif
