# The trackers against a model of what they watch, and against each other.
machines=a seconds=600 memory=1536
pack() {
    pack_program "$1" godwitPackageTests.xctest lab
    "$built/lab" make-program storm "$1/storm"
    "$built/lab" make-program writer "$1/writer"
}
