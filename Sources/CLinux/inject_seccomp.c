/* Asks a task's seccomp filters what they would say to the injected calls.
 *
 * They are suspended while the calls run, but only as long as somebody traces the task: should we
 * die between setting its registers and the call, the filters judge it. One that answers with an
 * error does no harm then, one that kills would. */
#define _GNU_SOURCE
#include "inject_internal.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

enum { get_filter = 0x420c, words = 16 };

struct machine {
    uint32_t a, x, memory[words];
};

static uint32_t load(const struct seccomp_data *data, uint32_t offset) {
    uint32_t value = 0;
    if (offset <= sizeof *data - sizeof value)
        memcpy(&value, (const char *)data + offset, sizeof value);
    return value;
}

static uint32_t compute(uint16_t operation, uint32_t a, uint32_t b) {
    switch (operation) {
    case BPF_ADD: return a + b;
    case BPF_SUB: return a - b;
    case BPF_MUL: return a * b;
    case BPF_DIV: return b ? a / b : 0;
    case BPF_OR: return a | b;
    case BPF_AND: return a & b;
    case BPF_XOR: return a ^ b;
    case BPF_LSH: return b < 32 ? a << b : 0;
    case BPF_RSH: return b < 32 ? a >> b : 0;
    default: return -a;
    }
}

static int holds(uint16_t operation, uint32_t a, uint32_t b) {
    switch (operation) {
    case BPF_JEQ: return a == b;
    case BPF_JGT: return a > b;
    case BPF_JGE: return a >= b;
    default: return (a & b) != 0;
    }
}

/* Any instruction but a jump or a return; -1 for one that seccomp(2) does not know. */
static int execute(struct machine *machine, const struct sock_filter *now,
                   const struct seccomp_data *data) {
    uint32_t constant = now->k;
    switch (BPF_CLASS(now->code)) {
    case BPF_LD:
        if (BPF_MODE(now->code) == BPF_ABS) machine->a = load(data, constant);
        else if (BPF_MODE(now->code) == BPF_IMM) machine->a = constant;
        else if (BPF_MODE(now->code) == BPF_LEN) machine->a = sizeof *data;
        else machine->a = machine->memory[constant % words];
        return 0;
    case BPF_LDX:
        if (BPF_MODE(now->code) == BPF_IMM) machine->x = constant;
        else if (BPF_MODE(now->code) == BPF_LEN) machine->x = sizeof *data;
        else machine->x = machine->memory[constant % words];
        return 0;
    case BPF_ST: machine->memory[constant % words] = machine->a; return 0;
    case BPF_STX: machine->memory[constant % words] = machine->x; return 0;
    case BPF_ALU:
        machine->a = compute(BPF_OP(now->code), machine->a,
                             BPF_SRC(now->code) == BPF_X ? machine->x : constant);
        return 0;
    case BPF_MISC:
        if (BPF_MISCOP(now->code) == BPF_TAX) machine->x = machine->a;
        else machine->a = machine->x;
        return 0;
    default: return -1;
    }
}

static uint32_t judge(const struct sock_filter *program, size_t count,
                      const struct seccomp_data *data) {
    struct machine machine = {0};
    for (size_t index = 0; index < count; index++) {
        const struct sock_filter *now = &program[index];
        if (BPF_CLASS(now->code) == BPF_RET)
            return BPF_RVAL(now->code) == BPF_A ? machine.a : now->k;
        if (BPF_CLASS(now->code) != BPF_JMP) {
            if (execute(&machine, now, data) < 0) break;
        } else if (BPF_OP(now->code) == BPF_JA) {
            index += now->k;
        } else {
            uint32_t other = BPF_SRC(now->code) == BPF_X ? machine.x : now->k;
            index += holds(BPF_OP(now->code), machine.a, other) ? now->jt : now->jf;
        }
    }
    return SECCOMP_RET_KILL_PROCESS;
}

enum verdict { allows, answers, kills };

static enum verdict verdict_of(uint32_t action) {
    switch (action & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG: return allows;
    case SECCOMP_RET_ERRNO:
    case SECCOMP_RET_TRACE: return answers;
    default: return kills;
    }
}

/* The strictest answer of one filter to the calls; returning from the frame must be allowed. */
static enum verdict ask(const struct injection *in, const struct sock_filter *program,
                        size_t count) {
    struct seccomp_data data = {
        .arch = inject_audit_arch, .instruction_pointer = in->gadgets.call + 2,
        .args = {02000000 | 04000 | 1}};
    data.nr = (int)inject_number_userfaultfd;
    enum verdict worst = verdict_of(judge(program, count, &data));
    memset(data.args, 0, sizeof data.args);
    data.args[0] = 3;
    data.nr = (int)inject_number_close;
    enum verdict next = verdict_of(judge(program, count, &data));
    if (next > worst) worst = next;
    data.nr = (int)inject_number_sigreturn;
    if (verdict_of(judge(program, count, &data)) != allows) worst = kills;
    return worst;
}

int inject_judge_seccomp(struct injection *in) {
    if (!inject_uses_seccomp(in)) return 0;
    enum verdict worst = allows;
    for (long index = 0;; index++) {
        long count = ptrace((enum __ptrace_request)get_filter, in->thread, (void *)index, 0);
        if (count < 0 && errno == ENOENT && index > 0) break;
        if (count < 0)
            return inject_refuse(in, "has a seccomp filter that this host cannot read", errno);
        struct sock_filter *program = calloc((size_t)count, sizeof *program);
        if (!program) return inject_refuse(in, "has a seccomp filter too large", ENOMEM);
        count = ptrace((enum __ptrace_request)get_filter, in->thread, (void *)index, program);
        enum verdict next = count < 0 ? kills : ask(in, program, (size_t)count);
        free(program);
        if (next > worst) worst = next;
    }
    if (worst == kills)
        return inject_refuse(in, "has a seccomp filter that kills for an injected call", EACCES);
    in->suspends_seccomp = worst != allows;
    return 0;
}
