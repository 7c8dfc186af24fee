# The comparison, then the tests of trackers with the one that this kernel prefers.
set -u
# On the root disk, for direct writes need a file system that knows them.
export GODWIT_STORM=/job/storm TMPDIR=/var/tmp
mkdir -p /var/tmp
# Beside the version 2 groups, so that both freezers are met: the job `move` freezes by version 2.
mkdir /run/freezer
mount -t cgroup -o freezer freezer /run/freezer
status=0
/job/lab trackers --program /job/writer --size 64 --output /out/trackers.json || status=1
/job/godwitPackageTests.xctest --testing-library swift-testing --no-parallel \
    --event-stream-version 0 --event-stream-output-path /out/trackers.jsonl \
    --filter '^PagesTests.Host(TrackerModel|MemoryTracker|MovedMapping)Tests' || status=1
exit $status
