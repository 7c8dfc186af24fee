#define _GNU_SOURCE
#include "clinux_confine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mount_internal.h"

enum { longest_name = 4095 };

/* An empty filesystem that takes the place of what was root, but without it as root directory. */
static int empty_root(void) {
    int context = (int)syscall(SYS_fsopen, "tmpfs", context_cloexec);
    if (context < 0) return -1;
    int mount = -1;
    if (!syscall(SYS_fsconfig, context, config_create, NULL, NULL, 0))
        mount = (int)syscall(SYS_fsmount, context, context_cloexec, attribute_nosuid);
    int error = errno;
    close(context);
    if (mount >= 0 && (syscall(SYS_move_mount, mount, "", AT_FDCWD, "/", move_from_descriptor) ||
                       fchdir(mount))) {
        error = errno;
        close(mount);
        mount = -1;
    }
    errno = error;
    if (mount >= 0) close(mount);
    return mount < 0 ? -1 : 0;
}

/* All directories on the way to `name`, which is changed meanwhile. */
static int make_parents(char *name) {
    for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int failed = mkdir(name, 0755) && errno != EEXIST;
        *slash = '/';
        if (failed) return -1;
    }
    return 0;
}

static int make_link(const char *source, const char *name) {
    char target[longest_name + 1];
    ssize_t length = readlink(source, target, longest_name);
    if (length < 0) return -1;
    target[length] = 0;
    return symlink(target, name);
}

static int attach(const struct godwit_place *place, mode_t kind, const char *name) {
    struct mount_attributes wanted = {.set = attribute_nosuid};
    if (S_ISDIR(kind)) wanted.set |= attribute_nodev;
    if (!place->writable) wanted.set |= attribute_rdonly;
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, place->source,
        tree_clone | O_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    if (tree < 0) return -1;
    int failed =
        syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &wanted, sizeof wanted) ||
        (S_ISDIR(kind) ? mkdir(name, 0755) : mknod(name, S_IFREG | 0644, 0)) ||
        syscall(SYS_move_mount, tree, "", AT_FDCWD, name, move_from_descriptor);
    int error = errno;
    close(tree);
    errno = error;
    return failed ? -1 : 0;
}

/* The working directory is the new root, `/` still the old one. */
static int place_in(const struct godwit_place *place) {
    char name[longest_name + 1];
    struct stat status;
    if (lstat(place->source, &status)) return place->optional && errno == ENOENT ? 0 : -1;
    size_t length = strnlen(place->name, sizeof name);
    if (length == sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, place->name, length + 1);
    if (make_parents(name)) return -1;
    return S_ISLNK(status.st_mode) ? make_link(place->source, name)
                                   : attach(place, status.st_mode, name);
}

/* The mounts of the host are let go at once: copies of them would keep them from being unmounted. */
static int confine(const struct godwit_place *places, size_t count) {
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) return -1;
    if (empty_root()) return -1;
    for (size_t index = 0; index < count; index++)
        if (place_in(&places[index])) return -1;
    if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH)) return -1;
    return chdir("/");
}

struct confined {
    const struct godwit_place *places;
    size_t count;
    int (*body)(void *);
    void *argument;
    int error;
};

static void *run(void *argument) {
    struct confined *confined = argument;
    confined->error = confine(confined->places, confined->count)
        ? errno : confined->body(confined->argument);
    return NULL;
}

int godwit_confined(
    const struct godwit_place *places, size_t count, int (*body)(void *), void *argument) {
    struct confined confined = {places, count, body, argument, 0};
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run, &confined);
    if (error) return error;
    pthread_join(thread, NULL);
    return confined.error;
}
