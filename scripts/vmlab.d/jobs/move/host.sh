# An instance that verifies all of its memory, with limits and control groups of its own, moves from
# one machine to another and back. The second is started later, so that its clocks stand elsewhere.
machines="a b" apart=8 seconds=900 memory=1536
pack() {
    local criu=/usr/local/libexec/godwit
    [ -d $criu/criu-root ] || fail "no CRIU with libraries of its own in $criu" \
        "scripts/setup puts it there"
    pack_program "$1" godwit lab libgodwit-criu.so
    "$built/lab" make-program oracle "$1/root"
    install -m 755 "$1/begin.sh" "$1/root/begin"
    cp -a $criu "$1/criu"
}
