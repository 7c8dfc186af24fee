/* Serving the missing pages of other processes through their userfaultfds. No logic. */
#ifndef CLINUX_UFFD_H
#define CLINUX_UFFD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    godwit_fault = 1, /* from: the address */
    godwit_fork = 2, /* descriptor: the child's userfaultfd */
    godwit_remap = 3, /* from, to, length */
    godwit_remove = 4, /* from, to: madvise has emptied the range */
    godwit_unmap = 5 /* from, to */
};

struct godwit_memory_event {
    int32_t kind;
    int32_t descriptor;
    uint64_t from;
    uint64_t to;
    uint64_t length;
};

/* Reads what is there, at most `count`, without waiting: their number, or minus an errno. */
int godwit_uffd_read(int uffd, struct godwit_memory_event *events, int count);
/* UFFDIO_COPY, UFFDIO_ZEROPAGE: 0 with at least one byte placed, or an errno with none. */
int godwit_uffd_copy(int uffd, uint64_t to, const void *from, uint64_t length, uint64_t *placed);
int godwit_uffd_zero(int uffd, uint64_t to, uint64_t length, uint64_t *placed);
/* UFFDIO_WAKE: 0 or an errno. */
int godwit_uffd_wake(int uffd, uint64_t start, uint64_t length);
/* userfaultfd(2) for this process with the events of `godwit_memory_event`, close-on-exec and
 * non-blocking: a descriptor, or minus an errno. */
int godwit_uffd_own(void);
/* UFFDIO_REGISTER for missing pages: 0 or an errno. */
int godwit_uffd_register(int uffd, uint64_t start, uint64_t length);

/* A listening stream socket `name` in `directory`, close-on-exec, in place of an older one: a
 * descriptor, or minus an errno. The path may be longer than sockaddr_un's. */
int godwit_listen_in(int directory, const char *name, mode_t mode);
/* A stream socket connected to that name, close-on-exec: a descriptor, or minus an errno. */
int godwit_connect_in(int directory, const char *name);
/* accept4(2), close-on-exec: a descriptor, or minus an errno. */
int godwit_accept(int listening);
/* One byte and the descriptor with it: 0 or an errno; `descriptor` is -1 if none came, and the
 * result EPIPE at the end of the stream. */
int godwit_receive_descriptor(int socket, int *descriptor);
int godwit_send_descriptor(int socket, int descriptor);
/* send(2) without SIGPIPE: 0 or an errno. */
int godwit_send_byte(int socket, uint8_t byte);

/* pthread_rwlock_t in which a waiting writer goes before new readers; NULL without memory. */
void *godwit_rwlock_make(void);
void godwit_rwlock_free(void *lock);
void godwit_rwlock_read(void *lock);
void godwit_rwlock_write(void *lock);
void godwit_rwlock_unlock(void *lock);

/* Anonymous memory that no core dump shows: NULL and errno. */
void *godwit_map_memory(size_t length);
/* munmap(2), and madvise(2) MADV_DONTNEED. */
void godwit_unmap_memory(void *memory, size_t length);
void godwit_empty_memory(void *memory, size_t length);

#endif
