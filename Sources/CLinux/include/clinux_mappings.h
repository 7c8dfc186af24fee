/* The flags of another process's mappings, without the walk over all pages that smaps costs. */
#ifndef CLINUX_MAPPINGS_H
#define CLINUX_MAPPINGS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* `vm_flags` of the kernel, whose bits mean something else in another version. */
struct godwit_mapping {
    uint64_t start, end, flags;
};

/* Loads a BPF program that the kernel runs for each mapping of a process (bpf_iter/task_vma, Linux
 * 5.12; of one process, 6.1). Returns its descriptor or a negated errno: EOPNOTSUPP where the
 * kernel's types (/sys/kernel/btf/vmlinux) are not there or not as we know them. */
int godwit_mappings_program(void);
/* Starts it for one process: a descriptor that reads as `godwit_mapping`s, ascending, without the
 * kernel's own page; or a negated errno. */
int godwit_mappings_open(int program, pid_t pid);

#endif
