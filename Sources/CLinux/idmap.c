#define _GNU_SOURCE
#include "clinux_idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mount_internal.h"

static int write_map(pid_t pid, const char *name, const char *map) {
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t length = (ssize_t)strlen(map), count = write(file, map, (size_t)length);
    int error = errno;
    close(file);
    errno = error;
    return count == length ? 0 : -1;
}

/* Of a process that ends at the latest when this one has. */
static int namespace_of(pid_t pid, const char *map) {
    char path[48];
    if (write_map(pid, "uid_map", map) || write_map(pid, "gid_map", map)) return -1;
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* A user namespace with nobody in it. The kernel makes none in a process of several threads. */
static int new_user_namespace(const char *map) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return -1;
    /* As fork(2), but its end is told to nobody who does not ask for it. */
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) != 0);
    }
    int result = pid > 0 ? namespace_of(pid, map) : -1;
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    /* What another call has started meanwhile may hold the pipe's end as well. */
    if (pid > 0) kill(pid, SIGKILL);
    while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) continue;
    errno = error;
    return result;
}

int godwit_idmapped_tree(const char *path, const char *map) {
    int space = new_user_namespace(map);
    if (space < 0) return -1;
    struct mount_attributes wanted = {.set = attribute_idmap, .user_namespace = (uint64_t)space};
    int flags = tree_clone | O_CLOEXEC | AT_SYMLINK_NOFOLLOW;
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, flags);
    if (tree >= 0 &&
        syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &wanted, sizeof wanted)) {
        int error = errno;
        close(tree);
        errno = error;
        tree = -1;
    }
    int error = errno;
    close(space);
    errno = error;
    return tree;
}
