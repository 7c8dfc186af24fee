#define _GNU_SOURCE
#include "clinux_btrfs.h"

#include <errno.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

int godwit_btrfs_look(int descriptor, struct godwit_subvolume *found) {
    struct btrfs_ioctl_get_subvol_info_args info;
    memset(&info, 0, sizeof info);
    /* Linux 6.18 was seen to return 1 where all went well. */
    if (ioctl(descriptor, BTRFS_IOC_GET_SUBVOL_INFO, &info) < 0) return -errno;
    found->id = info.treeid;
    found->made = info.otransid;
    found->generation = info.generation;
    found->is_read_only = (info.flags & BTRFS_ROOT_SUBVOL_RDONLY) != 0;
    memcpy(found->uuid, info.uuid, sizeof found->uuid);
    memcpy(found->received, info.received_uuid, sizeof found->received);
    return 0;
}

int godwit_btrfs_create(int directory, const char *name) {
    struct btrfs_ioctl_vol_args arguments = {.fd = 0};
    if (strlen(name) > BTRFS_VOL_NAME_MAX) return -ENAMETOOLONG;
    strcpy(arguments.name, name);
    return ioctl(directory, BTRFS_IOC_SUBVOL_CREATE, &arguments) < 0 ? -errno : 0;
}

int godwit_btrfs_snapshot(int directory, const char *name, int subvolume, int read_only) {
    struct btrfs_ioctl_vol_args_v2 arguments = {.fd = subvolume};
    if (strlen(name) > BTRFS_VOL_NAME_MAX) return -ENAMETOOLONG;
    strcpy(arguments.name, name);
    arguments.flags = read_only ? BTRFS_SUBVOL_RDONLY : 0;
    return ioctl(directory, BTRFS_IOC_SNAP_CREATE_V2, &arguments) < 0 ? -errno : 0;
}

int godwit_btrfs_destroy(int descriptor, uint64_t id) {
    struct btrfs_ioctl_vol_args_v2 arguments = {.flags = BTRFS_SUBVOL_SPEC_BY_ID};
    arguments.subvolid = id;
    return ioctl(descriptor, BTRFS_IOC_SNAP_DESTROY_V2, &arguments) < 0 ? -errno : 0;
}

/* The largest item of the largest node (64 KiB), and some. */
enum { search_room = 128 << 10 };

static struct btrfs_ioctl_search_args_v2 *new_search(uint64_t tree) {
    struct btrfs_ioctl_search_args_v2 *search = calloc(1, sizeof *search + search_room);
    if (!search) return NULL;
    search->key.tree_id = tree;
    search->key.max_objectid = UINT64_MAX;
    search->key.max_type = UINT32_MAX;
    search->key.max_offset = UINT64_MAX;
    search->key.max_transid = UINT64_MAX;
    return search;
}

/* The next part of what is found, behind `last` unless that is NULL: 0, or an errno below zero. */
static int search_on(
    int descriptor, struct btrfs_ioctl_search_args_v2 *search,
    const struct btrfs_ioctl_search_header *last) {
    struct btrfs_ioctl_search_key *key = &search->key;
    if (last) {
        key->min_objectid = last->objectid;
        key->min_type = last->type;
        key->min_offset = last->offset + 1;
        if (!key->min_offset) key->min_type++;
    }
    key->nr_items = UINT32_MAX;
    search->buf_size = search_room;
    return ioctl(descriptor, BTRFS_IOC_TREE_SEARCH_V2, search) < 0 ? -errno : 0;
}

int godwit_btrfs_nested(
    int descriptor, uint64_t id, uint64_t after, uint64_t *numbers, size_t room) {
    struct btrfs_ioctl_search_args_v2 *search = new_search(BTRFS_ROOT_TREE_OBJECTID);
    if (!search) return -ENOMEM;
    search->key.min_objectid = search->key.max_objectid = id;
    search->key.min_type = search->key.max_type = BTRFS_ROOT_REF_KEY;
    search->key.min_offset = after + 1;
    int result = search_on(descriptor, search, NULL);
    size_t count = 0;
    const char *place = (const char *)search->buf;
    for (uint32_t item = 0; !result && item < search->key.nr_items && count < room; item++) {
        struct btrfs_ioctl_search_header header;
        memcpy(&header, place, sizeof header);
        place += sizeof header + header.len;
        numbers[count++] = header.offset;
    }
    free(search);
    return result ? result : (int)count;
}

int godwit_btrfs_changed(int descriptor, uint64_t id, uint64_t transaction) {
    struct btrfs_ioctl_search_args_v2 *search = new_search(id);
    if (!search) return -ENOMEM;
    search->key.min_objectid = BTRFS_FIRST_FREE_OBJECTID;
    /* Leaves that are older are not even read. */
    search->key.min_transid = transaction + 1;
    struct btrfs_ioctl_search_header header;
    int result = search_on(descriptor, search, NULL);
    while (!result && search->key.nr_items) {
        const char *place = (const char *)search->buf;
        for (uint32_t item = 0; !result && item < search->key.nr_items; item++) {
            struct btrfs_inode_item inode;
            memcpy(&header, place, sizeof header);
            place += sizeof header;
            if (header.type == BTRFS_INODE_ITEM_KEY && header.len >= sizeof inode) {
                memcpy(&inode, place, sizeof inode);
                result = inode.transid > transaction;
            }
            place += header.len;
        }
        if (!result) result = search_on(descriptor, search, &header);
    }
    free(search);
    return result;
}

int godwit_clone_range(
    int file, uint64_t offset, uint64_t length, int target, uint64_t target_offset) {
    struct file_clone_range range = {
        .src_fd = file, .src_offset = offset, .src_length = length, .dest_offset = target_offset};
    return ioctl(target, FICLONERANGE, &range) < 0 ? -errno : 0;
}
