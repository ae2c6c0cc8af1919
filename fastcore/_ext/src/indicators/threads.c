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
int fc_processors(void) {
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return (int)info.dwNumberOfProcessors < FC_MOST_THREADS ? (int)info.dwNumberOfProcessors : FC_MOST_THREADS;
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
int fc_processors(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 && n < FC_MOST_THREADS ? (int)n : n > 0 ? FC_MOST_THREADS : 1;
}
#endif

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
        if (started[i]) { /* else there is no thread to be had */
            join(handles[i]);
        }
    }
}
