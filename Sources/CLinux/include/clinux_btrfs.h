/* btrfs: what has no wrapper in libc. Every function returns 0 or more, or an errno below zero. */
#ifndef CLINUX_BTRFS_H
#define CLINUX_BTRFS_H

#include <stddef.h>
#include <stdint.h>

struct godwit_subvolume {
    uint64_t id;
    /* The transaction that it was made in, and the latest that has changed it and is committed. */
    uint64_t made;
    uint64_t generation;
    int is_read_only;
    uint8_t uuid[16];
    /* Of the subvolume on another host that it was received from; zero if it was not. */
    uint8_t received[16];
};

/* BTRFS_IOC_GET_SUBVOL_INFO of the subvolume that the descriptor lies in. */
int godwit_btrfs_look(int descriptor, struct godwit_subvolume *found);
/* BTRFS_IOC_SUBVOL_CREATE below a directory. */
int godwit_btrfs_create(int directory, const char *name);
/* BTRFS_IOC_SNAP_CREATE_V2 below a directory; returns when the snapshot is on disk. */
int godwit_btrfs_snapshot(int directory, const char *name, int subvolume, int read_only);
/* BTRFS_IOC_SNAP_DESTROY_V2 by number; one that holds others is refused with ENOTEMPTY. */
int godwit_btrfs_destroy(int descriptor, uint64_t id);
/* The numbers of subvolumes that lie in another one, at most `room` of those above `after`; returns
 * how many. */
int godwit_btrfs_nested(
    int descriptor, uint64_t id, uint64_t after, uint64_t *numbers, size_t room);
/* Whether an inode of the subvolume has changed after the transaction: 0 or 1. Only what is
 * committed counts. */
int godwit_btrfs_changed(int descriptor, uint64_t id, uint64_t transaction);
/* FICLONERANGE. */
int godwit_clone_range(
    int file, uint64_t offset, uint64_t length, int target, uint64_t target_offset);

#endif
