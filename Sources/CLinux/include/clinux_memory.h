/* Reading another process's memory. */
#ifndef CLINUX_MEMORY_H
#define CLINUX_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* process_vm_readv(2) with one local buffer: reads `count` spans (pairs of address and size, at
 * most 1024 are taken) one after another, the first without its first `skip` bytes. Returns the
 * bytes read, which may be fewer than asked for, or a negated errno. */
ssize_t godwit_read_memory(
    pid_t pid, void *into, size_t size, const uint64_t *spans, size_t count, uint64_t skip);

#endif
