# The lvm driver's own tests, on a kernel with device-mapper, which the machine at hand may lack.
machines=a seconds=400 memory=1536
pack() { pack_program "$1" godwitPackageTests.xctest; }
