# The tests of pools on ZFS with OpenZFS in the kernel; on the machine at hand they have zfs-fuse.
machines=a seconds=2400 memory=1792 spare=256
pack() {
    pack_program "$1" godwitPackageTests.xctest
    pack_zfs "$1"
}
