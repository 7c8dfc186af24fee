/* One system call made by another process on our behalf: how its userfaultfd(2) comes to us. */
#ifndef CLINUX_INJECT_H
#define CLINUX_INJECT_H

#include <stdint.h>
#include <sys/types.h>

struct godwit_injection {
    /* The userfaultfd of the process's address space, close-on-exec, without UFFDIO_API; or -1. */
    int descriptor;
    /* Why there is none: a static text that goes on after "process N "; NULL on success. */
    const char *refusal;
    /* The errno behind the refusal, or 0. */
    int error;
    /* For how long the task stood, rounded up by the pause between two looks at it (10
     * microseconds, for a task that does not stop at once 200). */
    int64_t stopped_nanoseconds;
};

/* Makes one task of the process call userfaultfd(2), takes the descriptor and has the task close
 * its own. The process goes on as if nothing had happened: registers, signal mask, and the restart
 * of a system call that it slept in.
 *
 * `patience_microseconds`: how long the task may take to stop. It blocks; all of ptrace happens in
 * a short-lived process of its own, which has ended (and with it every hold on the task) on return.
 *
 * When that process dies, the kernel lets the task go. It then runs whatever its registers
 * say, and at every moment these say: go on where you were (see inject.c). */
void godwit_inject_userfaultfd(
    pid_t process, int patience_microseconds, struct godwit_injection *result);

/* For tests alone: the injecting process kills itself at the given step (1 and up; 0: never). */
void godwit_inject_die_at(int step);
enum { godwit_inject_steps = 17 };

/* Stops every task of the process, calls `body` on another thread, lets them go on. 0, or an errno:
 * ETIMEDOUT if they did not stop, ESRCH if there is no such process, EBUSY if someone else traces
 * it. No other thread of this process may wait for that process meanwhile: it would take its stops
 * away. */
int godwit_with_held_process(
    pid_t process, int patience_microseconds, void (*body)(void *), void *context,
    int64_t *stopped_nanoseconds);

#endif
