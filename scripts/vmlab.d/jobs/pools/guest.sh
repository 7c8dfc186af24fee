# What the conformance suites ask of every driver and pair of them, for lvm; its own tests are the
# job lvm.
set -eu
# Pools are files, for which there is room on the root disk.
mkdir -p /var/tmp
mount --bind /var/tmp /tmp
modprobe -a loop dm_thin_pool
# Where these are missing the tests have no such pools, and nothing would be shown.
grep -q device-mapper /proc/devices
test -x /usr/sbin/lvm
export GODWIT_PAIRINGS=lvm
# Left out: what only needs time here, as it asks nothing of the driver that other tests do not.
/job/godwitPackageTests.xctest --testing-library swift-testing --no-parallel \
    --event-stream-version 0 --event-stream-output-path /out/pools.jsonl \
    --filter '^StorageTests.Host(VolumeConformance|SnapshotConformance|KeptConformance|PassList|IDArrival)Tests' \
    --skip 'a change is seen|five thousand small files|an empty volume|a mapped file is compared' \
    --skip 'a change that keeps size|done before a snapshot is in it' || status=$?
echo "$(grep -c '"kind":"testCaseEnded"' /out/pools.jsonl) cases"
exit "${status:-0}"
