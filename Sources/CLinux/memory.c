#define _GNU_SOURCE
#include "include/clinux_memory.h"

#include <errno.h>
#include <sys/uio.h>

enum { most = 1024 }; /* IOV_MAX, which the kernel calls UIO_MAXIOV */

ssize_t godwit_read_memory(
    pid_t pid, void *into, size_t size, const uint64_t *spans, size_t count, uint64_t skip)
{
    struct iovec remote[most];
    struct iovec local = {into, size};
    size_t taken = count < most ? count : most;
    for (size_t i = 0; i < taken; i++) {
        uint64_t gone = i == 0 ? skip : 0;
        remote[i].iov_base = (void *)(uintptr_t)(spans[2 * i] + gone);
        remote[i].iov_len = spans[2 * i + 1] - gone;
    }
    ssize_t result = process_vm_readv(pid, &local, 1, remote, taken, 0);
    return result < 0 ? -errno : result;
}
