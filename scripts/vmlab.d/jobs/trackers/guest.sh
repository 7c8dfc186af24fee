export LD_LIBRARY_PATH=/job/lib
uname -r
/job/lab --help | head -3
time /job/godwitPackageTests.xctest --testing-library swift-testing --no-parallel --filter 'AddressSetTests'
