# Sourced in a machine by jobs with OpenZFS, which `pack_zfs` has put beside it.

# Ends the job where the kernel has no ZFS then: tests would have zfs-fuse, or be skipped.
zfs_up() {
    local place
    place=/run/modules/lib/modules/$(uname -r)
    tar -c -C zfs . | tar -x -C / --keep-directory-symlink
    ldconfig
    mkdir -p "$place"
    cp modules/*.ko "$place/"
    # It misses lists of a whole kernel's modules.
    depmod -b /run/modules 2>/dev/null
    # The machine's memory is for the job.
    modprobe -d /run/modules zfs zfs_arc_max=$((128 << 20))
    grep -qw zfs /proc/filesystems
    test -c /dev/zfs
    zfs version
}
