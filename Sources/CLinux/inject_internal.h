/* What the parts of the injection share. */
#ifndef INJECT_INTERNAL_H
#define INJECT_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "clinux_inject.h"

enum {
    inject_strays = 16,
    /* AMX tiles make the extended state of x86-64 11 KiB. */
    inject_frame_limit = 20 << 10,
    /* Left free below the frame, for handlers of signals that cannot be blocked in time. */
    inject_room = 64 << 10,
};

/* Instructions that the process has mapped anyway, by address. */
struct inject_gadgets {
    uint64_t call;    /* a system call, then a return */
    uint64_t restore; /* loads rt_sigreturn's number, then a system call; or 0 */
    uint64_t pop;     /* x86-64: pop rax, then a return; or 0 */
};

struct inject_arch;

struct injection {
    pid_t process, thread;
    int memory; /* /proc/PID/mem */
    int pidfd;
    int64_t patience; /* nanoseconds */
    int64_t stopped_at;
    uint64_t stack_start, stack_end; /* the first task's stack, as the kernel made it */
    uint64_t frame;                  /* the stack pointer of the injected calls */
    uint64_t mask;                   /* signals that the task blocks */
    int suspends_seccomp;
    int strays[inject_strays], stray_count;
    struct inject_gadgets gadgets;
    struct inject_arch *arch;
    struct godwit_injection *result;
};

/* How a stop ended. */
enum inject_stop { inject_gone, inject_timeout, inject_trap, inject_syscall, inject_signal };

/* inject.c */
int inject_refuse(struct injection *in, const char *reason, int error);
int64_t inject_now(void);
void inject_step(int step);
/* Gives this thread the processor before others, if it may. */
void inject_go_first(void);
enum inject_stop inject_await(pid_t thread, int64_t patience, int *signal);

/* inject_task.c: 0, or -1 after inject_refuse. */
int inject_choose_thread(struct injection *in);
int inject_find_places(struct injection *in);
void inject_find_strays(struct injection *in);
/* Whether a signal waits that the task does not block. */
int inject_signal_pending(const struct injection *in);
int inject_uses_seccomp(const struct injection *in);
/* Reads "Name: value" of /proc/PID/task/TID/status in the given base; 0 if it is not there. */
uint64_t inject_status_number(pid_t process, pid_t thread, const char *name, int base);
char inject_state(pid_t process, pid_t thread);
ssize_t inject_read(const struct injection *in, uint64_t address, void *into, size_t size);

/* inject_seccomp.c: decides whether the filters have to be suspended. */
int inject_judge_seccomp(struct injection *in);

/* inject_ARCH.c */
extern const uint32_t inject_audit_arch;
extern const long inject_number_userfaultfd, inject_number_close, inject_number_sigreturn;
struct inject_arch *inject_arch_new(void);
void inject_arch_free(struct inject_arch *arch);
/* Notes gadgets that begin in the bytes. */
void inject_arch_search(
    struct inject_gadgets *gadgets, const uint8_t *bytes, size_t size, uint64_t address);
int inject_arch_has_all(const struct inject_gadgets *gadgets);
/* Whether the bytes at the addresses are still what was found. */
int inject_arch_verify(const struct injection *in);
/* At the first stop: reads the registers and writes the frame from which rt_sigreturn restores
 * them. */
int inject_arch_prepare(struct injection *in);
/* Registers for a call that, done, returns into rt_sigreturn: in one step. */
int inject_arch_call(struct injection *in, long number, uint64_t first);
/* At the call's end: what it returned. */
int inject_arch_result(struct injection *in, int64_t *value);
/* The registers of the first stop, or those that make an interrupted call start again. */
int inject_arch_restore(struct injection *in);

#endif
