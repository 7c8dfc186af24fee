/* Registers, frames and gadgets of x86-64. */
#if defined(__x86_64__)
#define _GNU_SOURCE
#include "inject_internal.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

const uint32_t inject_audit_arch = AUDIT_ARCH_X86_64;
const long inject_number_userfaultfd = SYS_userfaultfd;
const long inject_number_close = SYS_close;
const long inject_number_sigreturn = SYS_rt_sigreturn;

enum {
    red_zone = 128,
    nt_xstate = 0x202,
    get_rseq_configuration = 0x420f,
    /* arch/x86/include/uapi/asm/{ucontext,sigcontext}.h */
    uc_fp_xstate = 1,
    uc_sigcontext_ss = 2,
    uc_strict_restore_ss = 4,
    fp_magic1 = 0x46505853,
    fp_magic2 = 0x46505845,
    software_bytes = 464,
    xstate_header = 512,
    smallest_xstate = 576,
    tile_data = 18,
    /* do_sigaltstack refuses such flags, and rt_sigreturn leaves the alternate stack as it is. */
    unknown_stack_flags = 0x7fff,
    restart_sys = 512,
    restart_no_interrupt = 513,
    restart_no_handler = 514,
    restart_block = 516,
};

struct signal_frame {
    uint64_t link_back;
    uint64_t flags, link, stack, stack_flags, stack_size;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, eflags;
    uint16_t cs, gs, fs, ss;
    uint64_t error, trap, old_mask, cr2, floating, reserved[8], mask;
};

struct inject_arch {
    struct user_regs_struct found, wanted;
    uint8_t image[inject_frame_limit];
};

struct inject_arch *inject_arch_new(void) { return calloc(1, sizeof(struct inject_arch)); }
void inject_arch_free(struct inject_arch *arch) { free(arch); }

static const uint8_t call_code[] = {0x0f, 0x05, 0xc3};
static const uint8_t restore_code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
static const uint8_t short_restore_code[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
static const uint8_t pop_code[] = {0x58, 0xc3};

static void find(uint64_t *gadget, const uint8_t *bytes, size_t size, uint64_t address,
                 const uint8_t *code, size_t length) {
    if (*gadget) return;
    const uint8_t *found = memmem(bytes, size, code, length);
    if (found) *gadget = address + (uint64_t)(found - bytes);
}

void inject_arch_search(
    struct inject_gadgets *gadgets, const uint8_t *bytes, size_t size, uint64_t address) {
    find(&gadgets->call, bytes, size, address, call_code, sizeof call_code);
    find(&gadgets->restore, bytes, size, address, restore_code, sizeof restore_code);
    find(&gadgets->restore, bytes, size, address, short_restore_code, sizeof short_restore_code);
    find(&gadgets->pop, bytes, size, address, pop_code, sizeof pop_code);
}

int inject_arch_has_all(const struct inject_gadgets *gadgets) {
    return gadgets->call && (gadgets->restore || gadgets->pop);
}

static int is_at(const struct injection *in, uint64_t address, const uint8_t *code, size_t size) {
    uint8_t bytes[16];
    return inject_read(in, address, bytes, size) == (ssize_t)size && memcmp(bytes, code, size) == 0;
}

int inject_arch_verify(const struct injection *in) {
    const struct inject_gadgets *gadgets = &in->gadgets;
    if (!is_at(in, gadgets->call, call_code, sizeof call_code)) return 0;
    if (!gadgets->restore) return is_at(in, gadgets->pop, pop_code, sizeof pop_code);
    return is_at(in, gadgets->restore, restore_code, sizeof restore_code) ||
           is_at(in, gadgets->restore, short_restore_code, sizeof short_restore_code);
}

static int is_restart(int64_t value) {
    return value == -restart_sys || value == -restart_no_interrupt || value == -restart_no_handler;
}

/* Calls that end with EINTR though no handler ran, only because the task was stopped (signal(7),
 * "Interruption of system calls and library functions by stop signals"), and may start again. */
static int ends_for_no_reason(int64_t number) {
    switch (number) {
    case SYS_epoll_wait: case SYS_epoll_pwait: case 441 /* epoll_pwait2 */:
    case SYS_semop: case SYS_semtimedop: case SYS_rt_sigtimedwait: case SYS_io_getevents:
    case SYS_read: case SYS_write: case SYS_readv: case SYS_writev:
    case SYS_recvfrom: case SYS_recvmsg: case SYS_recvmmsg: case SYS_sendto: case SYS_sendmsg:
    case SYS_accept: case SYS_accept4: return 1;
    default: return 0;
    }
}

static void start_call_again(struct user_regs_struct *registers) {
    registers->rax = registers->orig_rax;
    registers->rip -= 2;
    registers->orig_rax = (uint64_t)-1;
}

/* A restartable sequence that was stopped must begin anew, as the kernel makes it when it preempts
 * one; other registers in between would hide that from it. */
static void leave_sequence(const struct injection *in, struct user_regs_struct *registers) {
    struct { uint64_t pointer; uint32_t size, signature, flags, padding; } rseq = {0};
    if (ptrace((enum __ptrace_request)get_rseq_configuration, in->thread, (void *)sizeof rseq,
               &rseq) < 0 || !rseq.pointer)
        return;
    struct { uint32_t version, flags; uint64_t start, length, abort; } section;
    uint64_t pointer = 0;
    if (inject_read(in, rseq.pointer + 8, &pointer, sizeof pointer) != sizeof pointer) return;
    if (!pointer || inject_read(in, pointer, &section, sizeof section) != sizeof section) return;
    if (registers->rip - section.start < section.length) registers->rip = section.abort;
}

/* With which registers the task goes on if it has to do so by itself. */
static struct user_regs_struct alone(const struct user_regs_struct *wanted) {
    struct user_regs_struct registers = *wanted;
    if ((int)registers.orig_rax == -1) return registers;
    if (is_restart((int64_t)registers.rax)) start_call_again(&registers);
    else if ((int64_t)registers.rax == -restart_block) registers.rax = (uint64_t)-EINTR;
    return registers;
}

/* The extended state is as large as the kernel's own frame of this task: without the tiles of AMX
 * unless it uses them, for a task that may not would be refused the larger one. */
static size_t state_size(const uint8_t *state, size_t size) {
    uint64_t enabled, used;
    memcpy(&enabled, state + software_bytes, sizeof enabled);
    memcpy(&used, state + xstate_header, sizeof used);
    if (used & (UINT64_C(1) << tile_data)) return size;
    size_t end = smallest_xstate;
    for (unsigned feature = 2; feature < 63; feature++) {
        unsigned length, offset, c, d;
        if (feature == tile_data || !(enabled & (UINT64_C(1) << feature))) continue;
        __cpuid_count(0xd, feature, length, offset, c, d);
        if (length && offset + length > end) end = offset + length;
    }
    return end < size ? end : size;
}

/* The state as the kernel writes it into a signal's frame; the bytes with its end mark, or 0. */
static size_t read_state(const struct injection *in, uint8_t *state, size_t limit) {
    struct iovec buffer = {state, limit};
    if (ptrace(PTRACE_GETREGSET, in->thread, (void *)nt_xstate, &buffer) < 0) return 0;
    if (buffer.iov_len < smallest_xstate || buffer.iov_len + 4 > limit) return 0;
    uint64_t enabled;
    memcpy(&enabled, state + software_bytes, sizeof enabled);
    uint32_t size = (uint32_t)state_size(state, buffer.iov_len);
    if (size < buffer.iov_len) enabled &= ~(UINT64_C(1) << tile_data);
    struct { uint32_t magic, extended; uint64_t features; uint32_t size, padding[7]; } software = {
        fp_magic1, size + 4, enabled, size, {0}};
    memcpy(state + software_bytes, &software, sizeof software);
    uint32_t magic2 = fp_magic2;
    memcpy(state + size, &magic2, sizeof magic2);
    return size + 4;
}

static struct signal_frame frame_of(const struct user_regs_struct *from, uint64_t mask) {
    return (struct signal_frame){
        .flags = uc_fp_xstate | uc_sigcontext_ss | uc_strict_restore_ss,
        .stack_flags = unknown_stack_flags,
        .r8 = from->r8, .r9 = from->r9, .r10 = from->r10, .r11 = from->r11, .r12 = from->r12,
        .r13 = from->r13, .r14 = from->r14, .r15 = from->r15, .di = from->rdi, .si = from->rsi,
        .bp = from->rbp, .bx = from->rbx, .dx = from->rdx, .ax = from->rax, .cx = from->rcx,
        .sp = from->rsp, .ip = from->rip, .eflags = from->eflags, .cs = (uint16_t)from->cs,
        .ss = (uint16_t)from->ss, .mask = mask};
}

/* Where nothing is that the process needs: in its first stack, well below what was ever used. */
static uint64_t choose_place(const struct injection *in, size_t size) {
    uint64_t pointer = in->arch->found.rsp, place = in->stack_start + inject_room;
    int runs_there = pointer >= in->stack_start && pointer < in->stack_end;
    /* Below the stack pointer all is free. A task that runs elsewhere may have left something. */
    uint64_t top = runs_there ? pointer - red_zone : in->stack_start;
    if (place + size > top) place = top - size;
    return place & ~UINT64_C(63);
}

/* Puts the frame and the return addresses in front of it together; the bytes, or 0. */
static size_t build(struct injection *in) {
    struct inject_arch *arch = in->arch;
    struct user_regs_struct registers = alone(&arch->wanted);
    struct signal_frame frame = frame_of(&registers, in->mask);
    uint64_t chain[2] = {in->gadgets.pop, SYS_rt_sigreturn};
    size_t front = in->gadgets.restore ? 0 : sizeof chain;
    size_t state_at = (front + sizeof frame + 63) & ~(size_t)63;
    size_t state = read_state(in, arch->image + state_at, sizeof arch->image - state_at);
    if (!state) return 0;
    in->frame = choose_place(in, state_at + state);
    frame.link_back = in->gadgets.restore ? in->gadgets.restore : in->gadgets.call;
    frame.floating = in->frame + state_at;
    memcpy(arch->image, chain, front);
    memcpy(arch->image + front, &frame, sizeof frame);
    return state_at + state;
}

int inject_arch_prepare(struct injection *in) {
    struct inject_arch *arch = in->arch;
    struct iovec buffer = {&arch->found, sizeof arch->found};
    if (ptrace(PTRACE_GETREGSET, in->thread, (void *)NT_PRSTATUS, &buffer) < 0)
        return inject_refuse(in, "hides its registers", errno);
    if (buffer.iov_len != sizeof arch->found || arch->found.cs != 0x33)
        return inject_refuse(in, "runs 32-bit code", ENOTSUP);
    if (!inject_arch_verify(in)) return inject_refuse(in, "has just changed its program", EAGAIN);
    arch->wanted = arch->found;
    leave_sequence(in, &arch->wanted);
    if ((int)arch->found.orig_rax != -1 && (int64_t)arch->found.rax == -EINTR &&
        ends_for_no_reason((int64_t)arch->found.orig_rax) && !inject_signal_pending(in))
        start_call_again(&arch->wanted);
    size_t size = build(in);
    if (!size) return inject_refuse(in, "has registers of an unknown form", ENOTSUP);
    /* Through this file the kernel lets the stack grow where needed. */
    if (pwrite(in->memory, arch->image, size, (off_t)in->frame) != (ssize_t)size)
        return inject_refuse(in, "has no room on its first stack", errno);
    return 0;
}

static int set(struct injection *in, struct user_regs_struct *registers) {
    struct iovec buffer = {registers, sizeof *registers};
    if (ptrace(PTRACE_SETREGSET, in->thread, (void *)NT_PRSTATUS, &buffer) == 0) return 0;
    return inject_refuse(in, "refuses its registers", errno);
}

int inject_arch_call(struct injection *in, long number, uint64_t first) {
    struct user_regs_struct registers = in->arch->found;
    registers.rip = in->gadgets.call;
    registers.rsp = in->frame;
    registers.rax = (uint64_t)number;
    registers.orig_rax = (uint64_t)-1;
    registers.rdi = first;
    return set(in, &registers);
}

int inject_arch_result(struct injection *in, int64_t *value) {
    struct user_regs_struct registers;
    struct iovec buffer = {&registers, sizeof registers};
    if (ptrace(PTRACE_GETREGSET, in->thread, (void *)NT_PRSTATUS, &buffer) < 0)
        return inject_refuse(in, "ended", errno);
    *value = (int64_t)registers.rax;
    return 0;
}

int inject_arch_restore(struct injection *in) { return set(in, &in->arch->wanted); }
#endif
