/* Stops every task of a process for a moment, with nothing of it changed. */
#define _GNU_SOURCE
#include "inject_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { held_limit = 65536, helper_stack = 256 << 10 };

struct hold {
    pid_t process;
    int64_t patience, *stopped;
    pid_t *threads;
    size_t count;
    int error;
    /* Pipes: the helper says that all stand; the caller is through when its end closes. */
    int held[2], through[2];
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

static int help(void *context) {
    struct hold *hold = context;
    char byte = 0;
    close(hold->held[0]);
    close(hold->through[1]);
    inject_go_first();
    int64_t begin = inject_now();
    hold->error = hold_all(hold);
    /* Not by the C library, whose thread is the caller's. */
    syscall(SYS_write, hold->held[1], &byte, 1);
    syscall(SYS_read, hold->through[0], &byte, 1);
    for (size_t index = 0; index < hold->count; index++)
        ptrace(PTRACE_DETACH, hold->threads[index], 0, 0);
    *hold->stopped = inject_now() - begin;
    _exit(0);
}

static void run_first(void (*body)(void *), void *context) {
    int policy = sched_getscheduler(0);
    struct sched_param usual;
    sched_getparam(0, &usual);
    inject_go_first();
    body(context);
    sched_setscheduler(0, policy, &usual);
    prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0);
}

/* The helper traces and we run the body, by turns. It is a process of its own in our memory, as
 * for injection: were the tracer a thread of ours, another that waits for the end of a child would
 * be told of that child's stops. It has descriptors of its own, so that each learns of the other's
 * end; when we are killed it lets go. */
static int run_held(struct hold *hold, char *stack, void (*body)(void *), void *context) {
    char byte;
    int status = 0;
    pid_t helper = clone(help, stack + helper_stack, CLONE_VM, hold);
    int error = helper < 0 ? errno : 0;
    close(hold->held[1]);
    close(hold->through[0]);
    if (helper > 0 && syscall(SYS_read, hold->held[0], &byte, 1) == 1 && !hold->error)
        run_first(body, context);
    close(hold->held[0]);
    close(hold->through[1]);
    if (helper < 0) return error;
    while (waitpid(helper, &status, __WALL) < 0 && errno == EINTR) {}
    return WIFSIGNALED(status) ? EAGAIN : hold->error;
}

static int open_pipes(struct hold *hold) {
    if (pipe2(hold->held, O_CLOEXEC) < 0) return errno;
    if (pipe2(hold->through, O_CLOEXEC) == 0) return 0;
    int error = errno;
    close(hold->held[0]);
    close(hold->held[1]);
    return error;
}

int godwit_with_held_process(
    pid_t process, int patience_microseconds, void (*body)(void *), void *context,
    int64_t *stopped_nanoseconds) {
    struct hold hold = {
        .process = process, .patience = (int64_t)patience_microseconds * 1000,
        .stopped = stopped_nanoseconds};
    *stopped_nanoseconds = 0;
    hold.threads = calloc(held_limit, sizeof *hold.threads);
    char *stack = mmap(NULL, helper_stack, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    int error = hold.threads && stack != MAP_FAILED ? open_pipes(&hold) : ENOMEM;
    if (!error) {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before);
        error = run_held(&hold, stack, body, context);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (stack != MAP_FAILED) munmap(stack, helper_stack);
    free(hold.threads);
    return error;
}
