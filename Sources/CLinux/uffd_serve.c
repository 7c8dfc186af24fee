#define _GNU_SOURCE
#include "clinux_uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { messages_at_once = 32 };

static struct godwit_memory_event event_of(const struct uffd_msg *message) {
    struct godwit_memory_event event = {.descriptor = -1};
    switch (message->event) {
    case UFFD_EVENT_PAGEFAULT:
        event.kind = godwit_fault;
        event.from = message->arg.pagefault.address;
        break;
    case UFFD_EVENT_FORK:
        event.kind = godwit_fork;
        event.descriptor = (int32_t)message->arg.fork.ufd;
        break;
    case UFFD_EVENT_REMAP:
        event.kind = godwit_remap;
        event.from = message->arg.remap.from;
        event.to = message->arg.remap.to;
        event.length = message->arg.remap.len;
        break;
    case UFFD_EVENT_REMOVE:
    case UFFD_EVENT_UNMAP:
        event.kind = message->event == UFFD_EVENT_REMOVE ? godwit_remove : godwit_unmap;
        event.from = message->arg.remove.start;
        event.to = message->arg.remove.end;
        break;
    }
    return event;
}

int godwit_uffd_read(int uffd, struct godwit_memory_event *events, int count) {
    struct uffd_msg messages[messages_at_once];
    if (count > messages_at_once) count = messages_at_once;
    ssize_t length;
    do length = read(uffd, messages, (size_t)count * sizeof *messages);
    while (length < 0 && errno == EINTR);
    if (length < 0) return errno == EAGAIN ? 0 : -errno;
    int found = (int)((size_t)length / sizeof *messages);
    for (int index = 0; index < found; index++) events[index] = event_of(&messages[index]);
    return found;
}

static int placed_or_error(int result, int64_t done, uint64_t *placed) {
    int error = errno;
    *placed = done > 0 ? (uint64_t)done : 0;
    if (result == 0 || done > 0) return 0;
    return done < 0 ? (int)-done : error;
}

int godwit_uffd_copy(int uffd, uint64_t to, const void *from, uint64_t length, uint64_t *placed) {
    struct uffdio_copy copy = {.dst = to, .src = (uint64_t)(uintptr_t)from, .len = length};
    int result = ioctl(uffd, UFFDIO_COPY, &copy);
    return placed_or_error(result, copy.copy, placed);
}

int godwit_uffd_zero(int uffd, uint64_t to, uint64_t length, uint64_t *placed) {
    struct uffdio_zeropage zero = {.range = {.start = to, .len = length}};
    int result = ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
    return placed_or_error(result, zero.zeropage, placed);
}

int godwit_uffd_wake(int uffd, uint64_t start, uint64_t length) {
    struct uffdio_range range = {.start = start, .len = length};
    return ioctl(uffd, UFFDIO_WAKE, &range) < 0 ? errno : 0;
}

int godwit_uffd_own(void) {
    int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (uffd < 0) return -errno;
    struct uffdio_api api = {
        .api = UFFD_API,
        .features = UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |
                    UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP};
    if (ioctl(uffd, UFFDIO_API, &api) == 0) return uffd;
    int error = errno;
    close(uffd);
    return -error;
}

int godwit_uffd_register(int uffd, uint64_t start, uint64_t length) {
    struct uffdio_register range = {
        .range = {.start = start, .len = length}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    return ioctl(uffd, UFFDIO_REGISTER, &range) < 0 ? errno : 0;
}

static int address_in(int directory, const char *name, struct sockaddr_un *address) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(
        address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", directory, name);
    return length < 0 || (size_t)length >= sizeof address->sun_path ? -ENAMETOOLONG : 0;
}

int godwit_connect_in(int directory, const char *name) {
    struct sockaddr_un address;
    if (address_in(directory, name, &address)) return -ENAMETOOLONG;
    int connecting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connecting < 0) return -errno;
    if (connect(connecting, (const struct sockaddr *)&address, sizeof address) == 0)
        return connecting;
    int error = errno;
    close(connecting);
    return -error;
}

int godwit_listen_in(int directory, const char *name, mode_t mode) {
    struct sockaddr_un address;
    if (address_in(directory, name, &address)) return -ENAMETOOLONG;
    if (unlinkat(directory, name, 0) < 0 && errno != ENOENT) return -errno;
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listening < 0) return -errno;
    if (bind(listening, (const struct sockaddr *)&address, sizeof address) == 0 &&
        fchmodat(directory, name, mode, 0) == 0 && listen(listening, 64) == 0)
        return listening;
    int error = errno;
    close(listening);
    return -error;
}

int godwit_accept(int listening) {
    int result;
    do result = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

int godwit_receive_descriptor(int socket, int *descriptor) {
    char byte;
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
        .msg_controllen = sizeof control};
    *descriptor = -1;
    ssize_t length;
    do length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length <= 0) return length < 0 ? errno : EPIPE;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
        head->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(descriptor, CMSG_DATA(head), sizeof *descriptor);
    return 0;
}

int godwit_send_descriptor(int socket, int descriptor) {
    char byte = 0;
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
        .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? errno : 0;
}

int godwit_send_byte(int socket, uint8_t byte) {
    return send(socket, &byte, 1, MSG_NOSIGNAL) < 0 ? errno : 0;
}

void *godwit_rwlock_make(void) {
    pthread_rwlock_t *lock = malloc(sizeof *lock);
    pthread_rwlockattr_t attributes;
    if (!lock || pthread_rwlockattr_init(&attributes)) return NULL;
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    int error = pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    return error ? NULL : lock;
}

void godwit_rwlock_free(void *lock) {
    pthread_rwlock_destroy(lock);
    free(lock);
}

void godwit_rwlock_read(void *lock) { pthread_rwlock_rdlock(lock); }
void godwit_rwlock_write(void *lock) { pthread_rwlock_wrlock(lock); }
void godwit_rwlock_unlock(void *lock) { pthread_rwlock_unlock(lock); }

void *godwit_map_memory(size_t length) {
    void *memory =
        mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    madvise(memory, length, MADV_DONTDUMP);
    return memory;
}

void godwit_unmap_memory(void *memory, size_t length) { munmap(memory, length); }
void godwit_empty_memory(void *memory, size_t length) { madvise(memory, length, MADV_DONTNEED); }
