/* How a process is made to call userfaultfd(2), step by step.
 *
 * The danger is that we die in the middle. The kernel then lets the traced task go, with the
 * registers that it has at that moment. So they always lead back by themselves:
 *
 *   1. In a part of the first task's stack that nobody uses a frame is written, as the kernel
 *      writes one for a signal handler: all registers, the floating-point state, the signal mask.
 *   2. In ONE ptrace call the registers are set: the program counter to a `syscall; ret` that the
 *      process has mapped, the stack pointer to a return address in front of that frame which leads
 *      to rt_sigreturn(2).
 *   3. Only then are signals blocked, so that nothing else runs on this frame.
 *
 * Died before 2: the task was only stopped. Died after 2: it makes the call, returns into
 * rt_sigreturn, which restores everything. What may remain is a descriptor that nobody uses; the
 * next injection takes it over. With nobody dying, the calls are stopped at their ends, the task is
 * brought back to a stop of the kind in which it was found, and gets its registers back there: so
 * the kernel's own logic for interrupted system calls does what it would have done. */
#define _GNU_SOURCE
#include "inject_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* bits of linux/ptrace.h that sys/ptrace.h hides */
enum { option_sysgood = 1, option_suspend_seccomp = 1 << 21, event_stop = 128 };
/* A task that is frozen in the middle comes back when it is thawed; we do not wait for that. */
static const int64_t patience_inside = 2000000000;
enum { flags_of_descriptor = O_CLOEXEC | O_NONBLOCK | 1 /* UFFD_USER_MODE_ONLY */ };
enum { helper_stack = 512 << 10 };

static int fatal_step;

void godwit_inject_die_at(int step) { fatal_step = step; }

void inject_step(int step) {
    if (fatal_step != step) return;
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

int64_t inject_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int inject_refuse(struct injection *in, const char *reason, int error) {
    if (!in->result->refusal) {
        in->result->refusal = reason;
        in->result->error = error;
    }
    return -1;
}

static _Thread_local int64_t last_look;

enum inject_stop inject_await(pid_t thread, int64_t patience, int *signal) {
    int64_t begin = inject_now();
    last_look = begin;
    for (;;) {
        int status;
        pid_t found = waitpid(thread, &status, __WALL | __WNOTHREAD | WNOHANG);
        if (found < 0 && errno != EINTR) return inject_gone;
        if (found == thread) {
            if (!WIFSTOPPED(status)) return inject_gone;
            *signal = WSTOPSIG(status);
            if (status >> 16 == event_stop) return inject_trap;
            return *signal == (SIGTRAP | 0x80) ? inject_syscall : inject_signal;
        }
        last_look = inject_now();
        int64_t waited = last_look - begin;
        if (waited > patience) return inject_timeout;
        struct timespec pause = {.tv_nsec = waited < 1000000 ? 10000 : 200000};
        nanosleep(&pause, NULL);
    }
}

/* Lets the task run until the wanted stop. */
static int resume(struct injection *in, int request, enum inject_stop wanted) {
    int signal = 0;
    for (;;) {
        if (ptrace(request, in->thread, 0, (void *)(long)signal) < 0)
            return inject_refuse(in, "ended", errno);
        enum inject_stop stop = inject_await(in->thread, patience_inside, &signal);
        if (stop == wanted) return 0;
        if (stop == inject_gone) return inject_refuse(in, "ended", ESRCH);
        if (stop == inject_timeout) return inject_refuse(in, "stood still", ETIMEDOUT);
        /* SIGSTOP cannot be blocked. It is let in; the group's stop waits until we are off. */
        if (stop != inject_signal) signal = 0;
    }
}

static int set_mask(struct injection *in, uint64_t mask) {
    if (ptrace(PTRACE_SETSIGMASK, in->thread, (void *)sizeof mask, &mask) == 0) return 0;
    return inject_refuse(in, "refuses a signal mask", errno);
}

/* One system call of the task, from its registers to its result. `step` numbers its moments. */
static int call(struct injection *in, long number, uint64_t first, int64_t *value, int step) {
    if (inject_arch_call(in, number, first) < 0) return -1;
    inject_step(step);
    /* First the registers, then the mask: with the mask alone the task would be left deaf. */
    if (set_mask(in, ~(uint64_t)0) < 0) return -1;
    inject_step(step + 1);
    if (resume(in, PTRACE_SYSCALL, inject_syscall) < 0) return -1;
    inject_step(step + 2);
    if (resume(in, PTRACE_SYSCALL, inject_syscall) < 0) return -1;
    inject_step(step + 3);
    return inject_arch_result(in, value);
}

static int suspend_seccomp(struct injection *in, int suspend) {
    long options = option_sysgood | (suspend ? option_suspend_seccomp : 0);
    if (ptrace(PTRACE_SETOPTIONS, in->thread, 0, (void *)options) == 0) return 0;
    return inject_refuse(in, "has a seccomp filter that this host may not suspend", errno);
}

static void take(struct injection *in, int number) {
    if (in->result->descriptor >= 0) return;
    int copy = (int)syscall(SYS_pidfd_getfd, in->pidfd, number, 0);
    if (copy < 0) {
        inject_refuse(in, "does not give its descriptor away", errno);
        return;
    }
    in->result->descriptor = copy;
}

/* Between the first stop and the last: gets the descriptor and has the task close it. */
static int exchange(struct injection *in) {
    int64_t value = 0;
    if (in->suspends_seccomp && suspend_seccomp(in, 1) < 0) return -1;
    inject_step(4);
    if (in->stray_count == 0) {
        if (call(in, inject_number_userfaultfd, flags_of_descriptor, &value, 5) < 0) return -1;
        if (value < 0) {
            inject_refuse(in, "cannot make a userfaultfd", (int)-value);
        } else {
            in->strays[in->stray_count++] = (int)value;
        }
    }
    inject_step(9);
    for (int index = 0; index < in->stray_count; index++) {
        take(in, in->strays[index]);
        inject_step(10);
        if (call(in, inject_number_close, (uint64_t)in->strays[index], &value, 11) < 0) return -1;
    }
    return 0;
}

/* From the end of a call back to a stop in which an interrupted system call can be resumed. */
static int give_back(struct injection *in) {
    if (ptrace(PTRACE_INTERRUPT, in->thread, 0, 0) < 0)
        return inject_refuse(in, "ended", errno);
    if (resume(in, PTRACE_CONT, inject_trap) < 0) return -1;
    inject_step(15);
    if (in->suspends_seccomp && suspend_seccomp(in, 0) < 0) return -1;
    /* The reverse order of before: the frame restores the mask too. */
    if (set_mask(in, in->mask) < 0) return -1;
    inject_step(16);
    if (inject_arch_restore(in) < 0) return -1;
    inject_step(17);
    if (ptrace(PTRACE_DETACH, in->thread, 0, 0) < 0) return inject_refuse(in, "ended", errno);
    return 0;
}

static int attach(struct injection *in) {
    if (ptrace(PTRACE_SEIZE, in->thread, 0, (void *)(long)option_sysgood) < 0) {
        int error = errno;
        if (error == ESRCH) return inject_refuse(in, "ended", error);
        return inject_refuse(
            in,
            inject_status_number(in->process, in->thread, "TracerPid:", 10)
                ? "is traced by another process"
                : "may not be traced by this host",
            error);
    }
    inject_step(1);
    if (ptrace(PTRACE_INTERRUPT, in->thread, 0, 0) < 0)
        return inject_refuse(in, "ended", errno);
    inject_step(2);
    int signal = 0;
    for (;;) {
        enum inject_stop stop = inject_await(in->thread, in->patience, &signal);
        /* A moment when it still ran, just before: what is told is never too short. */
        if (!in->stopped_at) in->stopped_at = last_look;
        if (stop == inject_trap) return 0;
        if (stop == inject_gone) return inject_refuse(in, "ended", ESRCH);
        if (stop == inject_timeout)
            return inject_refuse(in, "does not stop: it sleeps uninterruptibly", ETIMEDOUT);
        /* A signal was on its way already: the task goes into its handler and stops there. */
        if (ptrace(PTRACE_CONT, in->thread, 0, (void *)(long)signal) < 0)
            return inject_refuse(in, "ended", errno);
    }
}

static int inject(struct injection *in) {
    if (attach(in) < 0) return -1;
    inject_step(3);
    if (ptrace(PTRACE_GETSIGMASK, in->thread, (void *)sizeof in->mask, &in->mask) < 0)
        return inject_refuse(in, "hides its signal mask", errno);
    /* Up to here nothing was changed: leaving now leaves no trace. */
    if (inject_judge_seccomp(in) < 0 || inject_arch_prepare(in) < 0) return -1;
    inject_find_strays(in);
    if (exchange(in) < 0) return -1;
    return give_back(in);
}

/* The first task of the process has given up its descriptors if it has ended. */
static int open_pidfd(struct injection *in) {
    unsigned flags = in->thread == in->process ? 0 : O_EXCL /* PIDFD_THREAD, Linux 6.9 */;
    in->pidfd = (int)syscall(SYS_pidfd_open, in->thread, flags);
    return in->pidfd < 0 ? inject_refuse(in, "cannot be reached", errno) : 0;
}

static void work(struct injection *in) {
    if (inject_choose_thread(in) < 0 || open_pidfd(in) < 0 || inject_find_places(in) < 0) return;
    if (inject(in) < 0) {
        /* Off at once if it stands; if it does not, the end of this process lets go of it. */
        ptrace(PTRACE_DETACH, in->thread, 0, 0);
    }
    if (in->stopped_at) in->result->stopped_nanoseconds = inject_now() - in->stopped_at;
}

void inject_go_first(void) {
    /* A task stands while we wait for the processor: go first, and wake up in time. Where this is
     * not allowed it only takes longer. */
    struct sched_param parameter = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameter);
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

static int start(void *context) {
    inject_go_first();
    work(context);
    _exit(0);
}

/* A process of its own, in our memory and with our descriptors, while this thread waits as in
 * vfork(2). What it traces is nobody's business: a thread of ours that waits for a child would get
 * the stops of that child, were the tracer one of our threads. It also brings its work to an end
 * when this process is killed. */
static int run_apart(struct injection *in) {
    char *stack = mmap(NULL, helper_stack, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return inject_refuse(in, "cannot be reached", errno);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int status = 0;
    pid_t helper = clone(start, stack + helper_stack, CLONE_VM | CLONE_VFORK | CLONE_FILES, in);
    int error = errno;
    if (helper > 0)
        while (waitpid(helper, &status, __WALL) < 0 && errno == EINTR) {}
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, helper_stack);
    if (helper < 0) return inject_refuse(in, "cannot be reached", error);
    if (!WIFSIGNALED(status)) return 0;
    return inject_refuse(in, "cannot be reached: the injecting process was killed", EAGAIN);
}

void godwit_inject_userfaultfd(
    pid_t process, int patience_microseconds, struct godwit_injection *result) {
    *result = (struct godwit_injection){.descriptor = -1};
    struct injection in = {
        .process = process, .thread = process, .memory = -1, .pidfd = -1, .result = result,
        .patience = (int64_t)patience_microseconds * 1000};
    in.arch = inject_arch_new();
    if (in.arch) run_apart(&in);
    else inject_refuse(&in, "cannot be reached", ENOMEM);
    if (result->refusal && result->descriptor >= 0) {
        close(result->descriptor);
        result->descriptor = -1;
    }
    if (in.memory >= 0) close(in.memory);
    if (in.pidfd >= 0) close(in.pidfd);
    inject_arch_free(in.arch);
}
