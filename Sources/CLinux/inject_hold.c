/* Stops every task of a process for a moment, with nothing of it changed. */
#define _GNU_SOURCE
#include "inject_internal.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <time.h>
#include <unistd.h>

enum { held_limit = 65536 };

struct hold {
    pid_t process;
    int64_t patience, begin, *stopped;
    void (*body)(void *);
    void *context;
    pid_t *threads;
    size_t count;
    int error;
};

static int is_held(const struct hold *hold, pid_t thread) {
    for (size_t index = 0; index < hold->count; index++)
        if (hold->threads[index] == thread) return 1;
    return 0;
}

static int await_hold(struct hold *hold, pid_t thread) {
    int signal = 0;
    for (;;) {
        enum inject_stop stop = inject_await(thread, hold->patience, &signal);
        if (stop == inject_trap) return 0;
        if (stop == inject_gone) return ESRCH;
        if (stop == inject_timeout) return ETIMEDOUT;
        if (ptrace(PTRACE_CONT, thread, 0, (void *)(long)signal) < 0) return errno;
    }
}

/* 0, or an errno; a thread that has ended is no error. */
static int hold_thread(struct hold *hold, pid_t thread) {
    char state = inject_state(hold->process, thread);
    if (state == 'Z' || state == 'X' || is_held(hold, thread)) return 0;
    if (hold->count == held_limit) return E2BIG;
    if (ptrace(PTRACE_SEIZE, thread, 0, 0) < 0)
        return errno == ESRCH ? 0 : errno == EPERM ? EBUSY : errno;
    if (ptrace(PTRACE_INTERRUPT, thread, 0, 0) < 0) return errno == ESRCH ? 0 : errno;
    int error = await_hold(hold, thread);
    if (error) return error == ESRCH ? 0 : error;
    hold->threads[hold->count++] = thread;
    return 0;
}

/* Until a look at the list finds no thread that still runs. */
static int hold_all(struct hold *hold) {
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/task", hold->process);
    for (size_t before = hold->count, round = 0;; round++, before = hold->count) {
        DIR *directory = opendir(path);
        if (!directory) return ESRCH;
        int error = 0;
        for (struct dirent *entry; !error && (entry = readdir(directory));) {
            pid_t thread = atoi(entry->d_name);
            if (thread > 0) error = hold_thread(hold, thread);
        }
        closedir(directory);
        if (error) return error;
        if (hold->count == before) return hold->count ? 0 : ESRCH;
        if (round > 100) return ETIMEDOUT;
    }
}

static void *work(void *context) {
    struct hold *hold = context;
    inject_go_first();
    hold->begin = inject_now();
    hold->error = hold_all(hold);
    if (!hold->error) hold->body(hold->context);
    for (size_t index = 0; index < hold->count; index++)
        ptrace(PTRACE_DETACH, hold->threads[index], 0, 0);
    *hold->stopped = inject_now() - hold->begin;
    return NULL;
}

int godwit_with_held_process(
    pid_t process, int patience_microseconds, void (*body)(void *), void *context,
    int64_t *stopped_nanoseconds) {
    struct hold hold = {
        .process = process, .patience = (int64_t)patience_microseconds * 1000, .body = body,
        .context = context, .stopped = stopped_nanoseconds};
    *stopped_nanoseconds = 0;
    hold.threads = calloc(held_limit, sizeof *hold.threads);
    if (!hold.threads) return ENOMEM;
    /* ptrace ties a task to one thread of the tracer; no signal is to reach it in between. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_t thread;
    int error = pthread_create(&thread, NULL, work, &hold);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) pthread_join(thread, NULL);
    free(hold.threads);
    return error ? error : hold.error;
}
