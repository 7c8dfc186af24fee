# An instance that verifies all of its memory, with limits and control groups of its own, moves from
# one machine to another and back. The second is started later, so that its clocks stand elsewhere.
machines="a b" apart=8 seconds=900 memory=1536
pack() {
    pack_hosts "$1"
    pack_program "$1" lab
    "$built/lab" make-program oracle "$1/root"
    install -m 755 "$1/begin.sh" "$1/root/begin"
}
