#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { lowest_copy = 64 };

static int prepare(
    posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, const char *directory,
    int new_session) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int error = posix_spawnattr_setsigmask(attributes, &none);
    if (!error) error = posix_spawnattr_setsigdefault(attributes, &all);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    flags |= new_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
    if (!error) error = posix_spawnattr_setflags(attributes, flags);
    if (!error && directory) error = posix_spawn_file_actions_addchdir_np(actions, directory);
    return error;
}

struct spawning {
    pid_t *pid;
    const char *file;
    char *const *argv, *const *envp;
    posix_spawn_file_actions_t *actions;
    posix_spawnattr_t *attributes;
};

static int spawn(void *argument) {
    struct spawning *in = argument;
    return posix_spawnp(in->pid, in->file, in->actions, in->attributes, in->argv, in->envp);
}

int godwit_spawn(
    pid_t *pid, const char *file, char *const argv[], char *const envp[], const char *directory,
    const int *pairs, size_t count, int new_session, const struct godwit_place *places,
    size_t place_count) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    struct spawning spawning = {pid, file, argv, envp, &actions, &attributes};
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return error;
    error = posix_spawnattr_init(&attributes);
    if (error) {
        posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    /* Copies above every number that the child gets: one pair must not overwrite another's source.
     * */
    int *copies = calloc(count ? count : 1, sizeof *copies);
    size_t made = 0;
    int highest = 2;
    for (size_t index = 0; index < count; index++)
        if (pairs[2 * index + 1] > highest) highest = pairs[2 * index + 1];
    int lowest = highest < lowest_copy ? lowest_copy : highest + 1;
    if (!copies) error = ENOMEM;
    for (; !error && made < count; made++) {
        copies[made] = fcntl(pairs[2 * made], F_DUPFD_CLOEXEC, lowest);
        if (copies[made] < 0) {
            error = errno;
            break;
        }
        error = posix_spawn_file_actions_adddup2(&actions, copies[made], pairs[2 * made + 1]);
    }
    /* glibc passes over numbers that are not open. */
    for (int number = 3; !error && number < highest; number++) {
        int given = 0;
        for (size_t index = 0; index < count; index++) given |= pairs[2 * index + 1] == number;
        if (!given) error = posix_spawn_file_actions_addclose(&actions, number);
    }
    if (!error) error = posix_spawn_file_actions_addclosefrom_np(&actions, highest + 1);
    if (!error) error = prepare(&actions, &attributes, directory, new_session);
    if (!error)
        error = place_count ? godwit_confined(places, place_count, spawn, &spawning)
                            : spawn(&spawning);
    for (size_t index = 0; copies && index < made; index++) close(copies[index]);
    free(copies);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int godwit_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int godwit_socket_pair(int ends[2], int buffer) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) return -1;
    /* Beyond the system's limit as root; without the right to, the kernel's own size does. */
    for (int end = 0; end < 2; end++)
        if (setsockopt(ends[end], SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer))
            setsockopt(ends[end], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    return 0;
}

int godwit_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int godwit_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int godwit_pidfd_wait(int pidfd, int *code, int *status) {
    siginfo_t info = {0};
    int result;
    do result = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
    while (result < 0 && errno == EINTR);
    if (result < 0) return errno;
    *code = info.si_code;
    *status = info.si_status;
    return 0;
}

int godwit_pidfd_await(int pidfd) {
    siginfo_t info = {0};
    int result;
    do result = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOWAIT);
    while (result < 0 && errno == EINTR);
    return result < 0 ? errno : 0;
}

int godwit_set_child_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

void godwit_keep_large_buffers(void) {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
}
