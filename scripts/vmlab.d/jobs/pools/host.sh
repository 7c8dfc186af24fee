# The tests of pools on LVM, which needs a kernel with device-mapper.
machines=a seconds=1500 memory=1536
pack() { pack_program "$1" godwitPackageTests.xctest; }
