/* Files: system calls that glibc 2.36 does not wrap, and headers that Swift's Glibc leaves out. */
#ifndef CLINUX_FILES_H
#define CLINUX_FILES_H

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

/* glibc shows O_PATH and O_NOATIME only to GNU sources. */
static const int godwit_o_path = __O_PATH;
static const int godwit_o_noatime = __O_NOATIME;

/* openat2(2), close-on-exec: a descriptor, or -1 and errno. With `beneath`, no component of `path`
 * may be
 * a symbolic link or lead out of `directory`. */
int godwit_openat(int directory, const char *path, int flags, int beneath);

/* renameat2(2) with RENAME_NOREPLACE: 0, or -1 and errno. */
int godwit_rename_new(const char *path, const char *new_path);

/* renameat2(2) with RENAME_EXCHANGE: 0, or -1 and errno. */
int godwit_rename_exchange(const char *path, const char *other);

/* syncfs(2) of the filesystem that the descriptor's file is on: 0, or -1 and errno. */
int godwit_syncfs(int descriptor);

/* fchownat(2) of the file that an O_PATH descriptor names: 0, or -1 and errno. */
int godwit_chown_descriptor(int descriptor, uid_t user, gid_t group);

/* memfd_create(2), close-on-exec: a descriptor, or -1 and errno. */
int godwit_memory_file(const char *name);

/* fcntl(2) F_SETPIPE_SZ: the size, or -1 and errno. */
int godwit_set_pipe_size(int pipe, int size);

/* Where `d_name` begins in a directory entry: importing the array as a tuple of 256 would copy it.
 * */
const char *godwit_entry_name(const struct dirent *entry);

#endif
