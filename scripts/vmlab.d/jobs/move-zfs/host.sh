# An instance that writes all the time moves between two zfs pools, and back, with OpenZFS.
machines="a b" seconds=600 memory=1024
pack() {
    pack_hosts "$1"
    pack_zfs "$1"
    "$built/lab" make-program records "$1/root"
}
