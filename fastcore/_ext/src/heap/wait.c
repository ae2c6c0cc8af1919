#include "heap/wait.h"

#include "common/clock.h"

#define LONGEST 1e6 /* seconds in one system call; longer waits go round again */

typedef struct Waiter {
    struct Waiter *next, *previous;
    PyThread_type_lock lock; /* held by the waiter; the waker releases it */
    int woken;
} Waiter;

static void append(WaitList *list, Waiter *waiter) {
    waiter->next = NULL;
    waiter->previous = list->last;
    if (list->last) {
        list->last->next = waiter;
    } else {
        list->first = waiter;
    }
    list->last = waiter;
}

static void unlink_waiter(WaitList *list, Waiter *waiter) {
    if (waiter->previous) {
        waiter->previous->next = waiter->next;
    } else {
        list->first = waiter->next;
    }
    if (waiter->next) {
        waiter->next->previous = waiter->previous;
    } else {
        list->last = waiter->previous;
    }
}

void wake_one(WaitList *list) {
    Waiter *waiter = list->first;
    if (waiter) {
        unlink_waiter(list, waiter);
        waiter->woken = 1;
        PyThread_release_lock(waiter->lock);
    }
}

void wake_all(WaitList *list) {
    while (list->first) {
        wake_one(list);
    }
}

int wait_on(WaitList *list, double seconds) {
    Waiter waiter = {0};
    const double deadline = seconds < 0 ? 0 : fc_clock(1) + seconds;
    int failed = 0, acquired = 0;
    waiter.lock = PyThread_allocate_lock();
    if (!waiter.lock) {
        PyErr_NoMemory();
        return WAIT_ERROR;
    }
    PyThread_acquire_lock(waiter.lock, NOWAIT_LOCK);
    append(list, &waiter);
    while (!waiter.woken) {
        double left = seconds < 0 ? LONGEST : deadline - fc_clock(1);
        if (left <= 0) {
            break;
        }
        PY_TIMEOUT_T microseconds = (PY_TIMEOUT_T)((left < LONGEST ? left : LONGEST) * 1e6) + 1;
        PyLockStatus status;
        Py_BEGIN_ALLOW_THREADS
        status = PyThread_acquire_lock_timed(waiter.lock, microseconds, 1);
        Py_END_ALLOW_THREADS
        acquired = status == PY_LOCK_ACQUIRED;
        if (status == PY_LOCK_INTR && PyErr_CheckSignals() < 0) {
            failed = 1;
            break;
        }
    }
    if (!waiter.woken) {
        unlink_waiter(list, &waiter);
    } else if (!acquired) {
        PyThread_acquire_lock(waiter.lock, NOWAIT_LOCK); /* the waker released it while we came back for the GIL */
    }
    PyThread_release_lock(waiter.lock);
    PyThread_free_lock(waiter.lock);
    if (failed) {
        if (waiter.woken) {
            wake_one(list);
        }
        return WAIT_ERROR;
    }
    return waiter.woken ? WAIT_WOKEN : WAIT_TIMEOUT;
}
