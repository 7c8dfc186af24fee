/* What is used of linux/mount.h of 5.12 and newer, whose names glibc has only some of. */
#ifndef MOUNT_INTERNAL_H
#define MOUNT_INTERNAL_H

#include <stdint.h>

struct mount_attributes { uint64_t set, clear, propagation, user_namespace; };

enum {
    attribute_rdonly = 1,
    attribute_nosuid = 2,
    attribute_nodev = 4,
    attribute_idmap = 1 << 20,
    tree_clone = 1,
    move_from_descriptor = 4,
    context_cloexec = 1,
    config_create = 6,
};

#endif
