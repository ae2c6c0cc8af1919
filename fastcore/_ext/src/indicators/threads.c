#if !defined(_WIN32) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "indicators/threads.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

#define PER_THREAD 100000 /* items that make a thread worth waking, where each costs one indicator */

/* Shares that helpers may take. The thread that has made it waits only for those that have begun. */
typedef struct job {
    void (*work)(void *);
    char *next; /* share */
    size_t size;
    int left, inside; /* shares that no thread has taken; helpers that are at work on one */
    struct job *after;
} job;

static void help(void);

/* ---- what the system gives ---- */

#if defined(_WIN32)
typedef CONDITION_VARIABLE condition;
#define CONDITION CONDITION_VARIABLE_INIT
static SRWLOCK lock = SRWLOCK_INIT;
static void enter(void) { AcquireSRWLockExclusive(&lock); }
static void leave(void) { ReleaseSRWLockExclusive(&lock); }
static void wait_for(condition *c) { SleepConditionVariableSRW(c, &lock, INFINITE, 0); }
static void wake(condition *c) { WakeConditionVariable(c); }
static void wake_all(condition *c) { WakeAllConditionVariable(c); }
static DWORD WINAPI entry(LPVOID given) {
    (void)given;
    help();
    return 0;
}
static int start(void) {
    HANDLE made = CreateThread(NULL, 0, entry, NULL, 0, NULL);
    return made && CloseHandle(made);
}
static ptrdiff_t processors(void) {
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return (ptrdiff_t)info.dwNumberOfProcessors;
}
#else
typedef pthread_cond_t condition;
#define CONDITION PTHREAD_COND_INITIALIZER
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void enter(void) { pthread_mutex_lock(&lock); }
static void leave(void) { pthread_mutex_unlock(&lock); }
static void wait_for(condition *c) { pthread_cond_wait(c, &lock); }
static void wake(condition *c) { pthread_cond_signal(c); }
static void wake_all(condition *c) { pthread_cond_broadcast(c); }
static void *entry(void *given) {
    help();
    return given;
}
/* Signals are left to the threads of the program, but for those that tell of a fault. */
static int start(void) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    pthread_t made;
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        sigdelset(&blocked, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int failed = pthread_create(&made, NULL, entry, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed && !pthread_detach(made);
}
/* Those that this process may run on; -1: unknown. */
static ptrdiff_t processors(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof(set), &set)) {
        return CPU_COUNT(&set);
    }
#endif
    return (ptrdiff_t)sysconf(_SC_NPROCESSORS_ONLN);
}
#endif

/* ---- helpers: threads that stay, and sleep while there is no job ---- */

static job *jobs; /* that have shares left */
static int helpers;
static condition given = CONDITION, done = CONDITION;

static void help(void) {
    enter();
    for (;;) {
        job *j = jobs;
        if (!j) {
            wait_for(&given);
            continue;
        }
        void *share = j->next;
        j->next += j->size;
        j->inside++;
        if (!--j->left) {
            jobs = j->after;
        }
        leave();
        j->work(share);
        enter();
        if (!--j->inside) {
            wake_all(&done);
        }
    }
}

#if !defined(_WIN32)
/* A child of fork() has no helpers, and none of the threads that gave jobs. */
static void in_child(void) {
    static const condition fresh = CONDITION;
    given = done = fresh;
    jobs = NULL;
    helpers = 0;
    leave();
}
#endif

/* n helpers in all, as far as the system has threads. */
static void start_helpers(int n) {
#if !defined(_WIN32)
    static int registered;
    if (!registered) {
        registered = !pthread_atfork(enter, leave, in_child);
    }
    if (!registered) {
        return;
    }
#endif
    while (helpers < n && start()) {
        helpers++;
    }
}

static void give(job *j) {
    job **last = &jobs;
    int n = j->left;
    enter();
    while (*last) {
        last = &(*last)->after;
    }
    *last = j;
    start_helpers(n);
    leave();
    for (int i = 0; i < n; i++) {
        wake(&given);
    }
}

/* No helper begins with it any more, and those that have begun are done. */
static void take_back(job *j) {
    enter();
    for (job **at = &jobs; *at; at = &(*at)->after) {
        if (*at == j) {
            *at = j->after;
            break;
        }
    }
    while (j->inside) {
        wait_for(&done);
    }
    leave();
}

void fc_on_threads(void (*work)(void *), void *shares, size_t size, int n) {
    job j = {work, (char *)shares + size, size, n - 1, 0, NULL};
    if (n > 1) {
        give(&j);
    }
    work(shares);
    if (n > 1) {
        take_back(&j);
    }
}

int fc_threads_for(ptrdiff_t n, ptrdiff_t cost, ptrdiff_t spare) {
    ptrdiff_t threads = n / (PER_THREAD / cost + 1);
    if (threads > 1) {
        ptrdiff_t have = processors() - spare;
        threads = threads < have ? threads : have;
    }
    threads = threads < FC_MOST_THREADS ? threads : FC_MOST_THREADS;
    return threads > 1 ? (int)threads : 1;
}
