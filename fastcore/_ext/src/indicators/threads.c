#if !defined(_WIN32) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "indicators/threads.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <pthread.h>
#include <unistd.h>
#endif

#define PER_THREAD 100000 /* items that make a thread worth starting, where each costs one indicator */

typedef struct {
    void (*work)(void *);
    void *share;
} task;

#if defined(_WIN32)
typedef HANDLE thread;
static DWORD WINAPI entry(LPVOID given) {
    const task *t = given;
    t->work(t->share);
    return 0;
}
static int start(thread *made, task *t) { return (*made = CreateThread(NULL, 0, entry, t, 0, NULL)) != NULL; }
static void join(thread made) {
    WaitForSingleObject(made, INFINITE);
    CloseHandle(made);
}
static ptrdiff_t processors(void) {
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return (ptrdiff_t)info.dwNumberOfProcessors;
}
#else
typedef pthread_t thread;
static void *entry(void *given) {
    const task *t = given;
    t->work(t->share);
    return NULL;
}
static int start(thread *made, task *t) { return pthread_create(made, NULL, entry, t) == 0; }
static void join(thread made) { pthread_join(made, NULL); }
static ptrdiff_t processors(void) { return (ptrdiff_t)sysconf(_SC_NPROCESSORS_ONLN); } /* -1: unknown */
#endif

int fc_threads_for(ptrdiff_t n, ptrdiff_t cost) {
    ptrdiff_t threads = n / (PER_THREAD / cost + 1);
    if (threads > 1) {
        ptrdiff_t have = processors();
        threads = threads < have ? threads : have;
    }
    threads = threads < FC_MOST_THREADS ? threads : FC_MOST_THREADS;
    return threads > 1 ? (int)threads : 1;
}

void fc_on_threads(void (*work)(void *), void *shares, size_t size, int n) {
    task tasks[FC_MOST_THREADS];
    thread handles[FC_MOST_THREADS];
    int started[FC_MOST_THREADS];
    for (int i = 1; i < n; i++) {
        tasks[i] = (task){work, (char *)shares + size * (size_t)i};
        started[i] = start(handles + i, tasks + i);
    }
    work(shares);
    for (int i = 1; i < n; i++) {
        if (started[i]) {
            join(handles[i]);
        }
    }
}
