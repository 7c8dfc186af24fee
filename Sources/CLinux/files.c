#define _GNU_SOURCE
#include "clinux_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int godwit_openat(int directory, const char *path, int flags, int beneath) {
    struct open_how how = {.flags = (uint64_t)(unsigned)flags | O_CLOEXEC};
    if (beneath) how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int godwit_rename_new(const char *path, const char *new_path) {
    return renameat2(AT_FDCWD, path, AT_FDCWD, new_path, RENAME_NOREPLACE);
}

int godwit_rename_exchange(const char *path, const char *other) {
    return renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE);
}

int godwit_syncfs(int descriptor) { return syncfs(descriptor); }

int godwit_chown_descriptor(int descriptor, uid_t user, gid_t group) {
    return fchownat(descriptor, "", user, group, AT_EMPTY_PATH);
}

int godwit_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int godwit_set_pipe_size(int pipe, int size) { return fcntl(pipe, F_SETPIPE_SZ, size); }

const char *godwit_entry_name(const struct dirent *entry) { return entry->d_name; }
