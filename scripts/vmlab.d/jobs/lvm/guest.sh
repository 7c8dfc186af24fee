# What lvm pools stand on, and what their volumes keep: the tests that need no other driver.
set -u
# Pools are files, for which there is room on the root disk.
mkdir -p /var/tmp
mount --bind /var/tmp /tmp
modprobe -a loop dm_thin_pool
exec /job/godwitPackageTests.xctest --testing-library swift-testing --no-parallel \
    --filter '^StorageTests.HostLVMPoolTests'
