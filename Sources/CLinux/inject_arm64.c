/* Registers, frames and gadgets of arm64.
 *
 * Written against arch/arm64/kernel/{signal,ptrace}.c and include/uapi/asm/{ptrace,sigcontext}.h;
 * compiled, never run. Two things differ from x86-64: the kernel turns an interrupted call into a
 * restart before anyone sees the registers, so that a relative sleep that was interrupted begins
 * anew; and rt_sigreturn's code is the kernel's own, in the vDSO. */
#if defined(__aarch64__)
#define _GNU_SOURCE
#include "inject_internal.h"

#include <asm/ptrace.h>
#include <asm/sigcontext.h>
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

const uint32_t inject_audit_arch = AUDIT_ARCH_AARCH64;
const long inject_number_userfaultfd = SYS_userfaultfd;
const long inject_number_close = SYS_close;
const long inject_number_sigreturn = SYS_rt_sigreturn;

enum {
    get_rseq_configuration = 0x420f,
    nt_system_call = 0x404,
    nt_sve = 0x405,
    sve_registers = 1, /* the flag of the header in whose place full registers follow */
    unknown_stack_flags = 0x7fff,
    reserved_size = 4096,
};

/* struct rt_sigframe: siginfo, then ucontext with a signal set padded to 1024 bits. */
struct signal_frame {
    uint8_t information[128];
    uint64_t flags, link, stack, stack_flags, stack_size;
    uint64_t mask;
    uint8_t padding[120];
    uint64_t aligned;
    uint64_t fault_address, registers[31], sp, pc, pstate;
    uint64_t aligned_too;
    uint8_t reserved[reserved_size] __attribute__((aligned(16)));
} __attribute__((aligned(16)));

struct inject_arch {
    struct user_pt_regs found, wanted;
    struct signal_frame image;
};

struct inject_arch *inject_arch_new(void) {
    return aligned_alloc(16, (sizeof(struct inject_arch) + 15) & ~(size_t)15);
}
void inject_arch_free(struct inject_arch *arch) { free(arch); }

/* svc #0; ret */
static const uint32_t call_code[] = {0xd4000001, 0xd65f03c0};
/* mov x8, #139; svc #0 */
static const uint32_t restore_code[] = {0xd2801168, 0xd4000001};

static void find(uint64_t *gadget, const uint8_t *bytes, size_t size, uint64_t address,
                 const uint32_t code[2]) {
    for (size_t at = (4 - address % 4) % 4; !*gadget && at + 8 <= size; at += 4)
        if (memcmp(bytes + at, code, 8) == 0) *gadget = address + at;
}

void inject_arch_search(
    struct inject_gadgets *gadgets, const uint8_t *bytes, size_t size, uint64_t address) {
    find(&gadgets->call, bytes, size, address, call_code);
    find(&gadgets->restore, bytes, size, address, restore_code);
}

int inject_arch_has_all(const struct inject_gadgets *gadgets) {
    return gadgets->call && gadgets->restore;
}

int inject_arch_verify(const struct injection *in) {
    uint32_t call[2] = {0}, restore[2] = {0};
    inject_read(in, in->gadgets.call, call, sizeof call);
    inject_read(in, in->gadgets.restore, restore, sizeof restore);
    return memcmp(call, call_code, sizeof call) == 0 &&
           memcmp(restore, restore_code, sizeof restore) == 0;
}

/* See inject_x86_64.c. */
static void leave_sequence(const struct injection *in, struct user_pt_regs *registers) {
    struct { uint64_t pointer; uint32_t size, signature, flags, padding; } rseq = {0};
    if (ptrace((enum __ptrace_request)get_rseq_configuration, in->thread, (void *)sizeof rseq,
               &rseq) < 0 || !rseq.pointer)
        return;
    struct { uint32_t version, flags; uint64_t start, length, abort; } section;
    uint64_t pointer = 0;
    if (inject_read(in, rseq.pointer + 8, &pointer, sizeof pointer) != sizeof pointer) return;
    if (!pointer || inject_read(in, pointer, &section, sizeof section) != sizeof section) return;
    if (registers->pc - section.start < section.length) registers->pc = section.abort;
}

/* Live vector registers longer than 128 bits have no place in our frame. */
static int has_live_sve(const struct injection *in) {
    struct { uint32_t size, max_size; uint16_t vl, max_vl, flags, reserved; } header = {0};
    struct iovec buffer = {&header, sizeof header};
    if (ptrace(PTRACE_GETREGSET, in->thread, (void *)nt_sve, &buffer) < 0) return 0;
    return (header.flags & sve_registers) != 0;
}

static int build(struct injection *in) {
    struct inject_arch *arch = in->arch;
    struct signal_frame *frame = &arch->image;
    memset(frame, 0, sizeof *frame);
    frame->stack_flags = unknown_stack_flags;
    frame->mask = in->mask;
    memcpy(frame->registers, arch->wanted.regs, sizeof frame->registers);
    frame->sp = arch->wanted.sp;
    frame->pc = arch->wanted.pc;
    frame->pstate = arch->wanted.pstate;
    struct user_fpsimd_state vectors;
    struct iovec buffer = {&vectors, sizeof vectors};
    if (ptrace(PTRACE_GETREGSET, in->thread, (void *)NT_PRFPREG, &buffer) < 0) return -1;
    struct fpsimd_context context = {
        .head = {FPSIMD_MAGIC, sizeof context}, .fpsr = vectors.fpsr, .fpcr = vectors.fpcr};
    memcpy(context.vregs, vectors.vregs, sizeof context.vregs);
    memcpy(frame->reserved, &context, sizeof context);
    uint64_t pointer = arch->found.sp, place = in->stack_start + inject_room;
    int runs_there = pointer >= in->stack_start && pointer < in->stack_end;
    uint64_t top = runs_there ? pointer : in->stack_start;
    if (place + sizeof *frame > top) place = top - sizeof *frame;
    in->frame = place & ~UINT64_C(15);
    return 0;
}

int inject_arch_prepare(struct injection *in) {
    struct inject_arch *arch = in->arch;
    struct iovec buffer = {&arch->found, sizeof arch->found};
    if (ptrace(PTRACE_GETREGSET, in->thread, (void *)NT_PRSTATUS, &buffer) < 0)
        return inject_refuse(in, "hides its registers", errno);
    if (buffer.iov_len != sizeof arch->found) return inject_refuse(in, "runs 32-bit code", ENOTSUP);
    if (!inject_arch_verify(in)) return inject_refuse(in, "has just changed its program", EAGAIN);
    if (has_live_sve(in)) return inject_refuse(in, "is in the middle of SVE code", EAGAIN);
    arch->wanted = arch->found;
    leave_sequence(in, &arch->wanted);
    if (build(in) < 0) return inject_refuse(in, "has registers of an unknown form", ENOTSUP);
    if (pwrite(in->memory, &arch->image, sizeof arch->image, (off_t)in->frame) !=
        (ssize_t)sizeof arch->image)
        return inject_refuse(in, "has no room on its first stack", errno);
    return 0;
}

static int set(struct injection *in, struct user_pt_regs *registers) {
    struct iovec buffer = {registers, sizeof *registers};
    if (ptrace(PTRACE_SETREGSET, in->thread, (void *)NT_PRSTATUS, &buffer) == 0) return 0;
    return inject_refuse(in, "refuses its registers", errno);
}

int inject_arch_call(struct injection *in, long number, uint64_t first) {
    struct user_pt_regs registers = in->arch->found;
    registers.pc = in->gadgets.call;
    registers.sp = in->frame;
    registers.regs[30] = in->gadgets.restore;
    registers.regs[8] = (uint64_t)number;
    registers.regs[0] = first;
    return set(in, &registers);
}

int inject_arch_result(struct injection *in, int64_t *value) {
    struct user_pt_regs registers;
    struct iovec buffer = {&registers, sizeof registers};
    if (ptrace(PTRACE_GETREGSET, in->thread, (void *)NT_PRSTATUS, &buffer) < 0)
        return inject_refuse(in, "ended", errno);
    *value = (int64_t)registers.regs[0];
    return 0;
}

int inject_arch_restore(struct injection *in) {
    /* No system call is in progress any more, whatever the last one left. */
    int none = -1;
    struct iovec buffer = {&none, sizeof none};
    ptrace(PTRACE_SETREGSET, in->thread, (void *)nt_system_call, &buffer);
    return set(in, &in->arch->wanted);
}
#endif
