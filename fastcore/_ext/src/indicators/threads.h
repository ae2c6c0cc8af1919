/* Work on many items, divided among threads of its own. Nothing here knows of Python. */
#ifndef FASTCORE_INDICATORS_THREADS_H
#define FASTCORE_INDICATORS_THREADS_H

#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

#define FC_MOST_THREADS 64

/* Items that are not worked on yet. Threads take some at a time, so that one that comes late holds up no other. */
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

/* Processors, up to FC_MOST_THREADS. */
int fc_processors(void);
/* Calls work(share) for each of n shares, `size` bytes apart: the first in this thread, the others in threads of theirs
 * as far as there are any. What is to be done is in a queue that they share. */
void fc_on_threads(void (*work)(void *), void *shares, size_t size, int n);

#endif
