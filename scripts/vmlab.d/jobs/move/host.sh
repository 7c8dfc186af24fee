# An instance that verifies all of its memory moves from one machine to another and back.
machines="a b" seconds=300 memory=1536
pack() {
    local criu=/usr/local/libexec/godwit
    [ -d $criu/criu-root ] || fail "no CRIU with libraries of its own in $criu" \
        "scripts/setup puts it there"
    pack_program "$1" godwit lab libgodwit-criu.so
    "$built/lab" make-program oracle "$1/root"
    cp -a $criu "$1/criu"
}
