machines=a seconds=300 memory=1536
pack() { pack_program "$1" godwitPackageTests.xctest lab; }
