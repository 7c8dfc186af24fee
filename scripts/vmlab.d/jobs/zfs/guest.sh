# The zfs driver's own tests, and what the conformance suites ask of every driver and pair of them,
# with OpenZFS.
set -eu
. ./zfs-guest.sh
zfs_up
modprobe loop
# Pools are files, for which there is room on the root disk.
mkdir -p /var/tmp
mount --bind /var/tmp /tmp
# A disk that is given as a whole gets partitions, and zpool waits for what udev says of them.
GODWIT_SPARE_DISK=$(readlink /dev/disk/spare)
mkdir -p /run/udev/data
IFS=: read -r major minor <"/sys/class/block/${GODWIT_SPARE_DISK#/dev/}/dev"
for part in 1 9; do
    ln -s "$GODWIT_SPARE_DISK$part" "/dev/disk/spare-part$part"
    printf 'S:disk/spare-part%s\nI:1\n' $part >"/run/udev/data/b$major:$((minor + part))"
done
export GODWIT_SPARE_DISK GODWIT_PAIRINGS=zfs
# Left out: what only needs time here, as it asks nothing of the driver that other tests do not, and
# what is for zfs-fuse alone, or for other drivers.
/job/godwitPackageTests.xctest --testing-library swift-testing --no-parallel \
    --event-stream-version 0 --event-stream-output-path /out/zfs.jsonl \
    --filter '^StorageTests.HostZfs(Pool|Pass)Tests' \
    --filter '^StorageTests.Host(VolumeConformance|SnapshotConformance|KeptConformance|PassList)Tests' \
    --filter '^StorageTests.HostIDArrivalTests.*every kind of file' \
    --filter '^StorageTests.HostIDArrivalTests.*snapshots arrive' \
    --skip 'five thousand small files|an empty volume|a mapped file is compared' \
    --skip 'a change that keeps size|an access list that says' \
    --skip 'nothing else is looked at|done before a snapshot is in it' \
    --skip 'a snapshot has directories that change places' || status=$?
if grep '"kind":"testSkipped"' /out/zfs.jsonl; then echo "these were skipped"; exit 1; fi
echo "$(grep -c '"kind":"testEnded"' /out/zfs.jsonl) tests and suites"
exit "${status:-0}"
