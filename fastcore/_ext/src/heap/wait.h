/* Threads that wait, in order of arrival. All fields are touched under the GIL only; a waiter lives on its own stack. */
#ifndef FASTCORE_HEAP_WAIT_H
#define FASTCORE_HEAP_WAIT_H

#include <Python.h>

struct Waiter;

typedef struct {
    struct Waiter *first, *last;
} WaitList;

enum { WAIT_ERROR = -1, WAIT_TIMEOUT = 0, WAIT_WOKEN = 1 };

/* Blocks without the GIL until woken, for at most `seconds` (negative: forever). A signal handler that raises ends it
   with WAIT_ERROR; where the wake came at the same moment it is handed on to the next in line. */
int wait_on(WaitList *list, double seconds);
void wake_one(WaitList *list);
void wake_all(WaitList *list);

#endif
