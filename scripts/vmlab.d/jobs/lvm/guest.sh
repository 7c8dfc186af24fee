# What lvm pools stand on, and what their volumes keep: the tests that need no other driver.
set -eu
# Pools are files, for which there is room on the root disk.
mkdir -p /var/tmp
mount --bind /var/tmp /tmp
modprobe -a loop dm_thin_pool
# Where these are missing the tests have no such pools, and nothing would be shown.
grep -q device-mapper /proc/devices
test -x /usr/sbin/lvm
exec /job/godwitPackageTests.xctest --testing-library swift-testing --no-parallel \
    --filter '^StorageTests.HostLVMPoolTests'
