# An instance moves live from version 1 control groups to version 2, and back.
machines="a b" seconds=900 memory=1536
pack() {
    pack_hosts "$1"
    pack_program "$1" lab
    "$built/lab" make-program oracle "$1/root"
}
