# Machine a has its controllers in hierarchies of version 1, as hosts had them until Debian 10; machine
# b has version 2 alone. The limits stand in the kernel's files of either, wherever the instance is.
set -eu
name=$1
. ./hosts.sh
instance=oracle address=10.77.0.10 lab=/job/lab

use_version_1() {
    local list
    echo '-cpu -memory -pids' >/sys/fs/cgroup/cgroup.subtree_control
    umount /sys/fs/cgroup
    mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
    for list in cpu,cpuacct cpuset memory pids blkio devices freezer; do
        mkdir /sys/fs/cgroup/$list
        within 30 "$list in version 1" mount -t cgroup -o $list cgroup /sys/fs/cgroup/$list
    done
}
if [ "$name" = a ]; then use_version_1; fi
host_up "$name"
if [ "$name" = b ]; then
    serve
    exit 0
fi

limits_of_version_1() {
    local place=godwit/$instance
    (cd /sys/fs/cgroup && cat memory/$place/memory.limit_in_bytes cpu,cpuacct/$place/cpu.cfs_quota_us \
        cpu,cpuacct/$place/cpu.shares pids/$place/pids.max) | tr '\n' ' '
}
limits_of_version_2() {
    on b "cd /sys/fs/cgroup/godwit/$instance && cat memory.max cpu.max cpu.weight pids.max" |
        tr '\n' ' '
}
expect() { [ "$2" = "$3" ] || { echo "NOT GOOD: $1: \"$2\" and not \"$3\""; exit 1; }; }
here() { expect "limits of version 1" "$(limits_of_version_1)" "536870912 90000 307 200 "; }
there() { expect "limits of version 2" "$(limits_of_version_2)" "536870912 90000 100000 30 200 "; }
# How many pages are wrong, how many were looked at, tasks and their steps.
ask() { $lab ask $address 6379 VERIFY CHECKED TASKS STEPS | tr '\n' ' '; }
verify() {
    local said
    said=$(ask)
    at "$1: $said"
    case $said in
    "0 0 "* | [!0]* | "") echo "NOT GOOD: pages are wrong or were not looked at"; exit 1 ;;
    esac
}
is_ready() { $godwit logs $instance | grep -q ready; }

at "version 1 here: $(ls -x /sys/fs/cgroup)"
$godwit launch /job/root $instance --address $address/24 --bridge gwbr0 --memory 512MiB \
    --cpus 0.9 --cpu-weight 30 --processes 200 -- /oracle threads
within $patience "the instance is ready" is_ready
here
verify launched
within $patience "machine b is up" b_is_up
$godwit remote add host-b "$(on b "$godwit trust add host-a")"
mkfifo /tmp/hold
$lab witness $address 6379 </tmp/hold >/out/testimony.json &
witness=$!
exec 3>/tmp/hold
$godwit move $instance host-b: --rounds 3 >/out/there.txt
there
verify "in version 2"
on b "$godwit move $instance host-a: --rounds 3" >/out/back.txt
here
verify "in version 1 again"
exec 3>&-
wait $witness
for fact in '"connectionAlive":true' '"repliesLost":0[,}]'; do
    grep -q "$fact" /out/testimony.json || { echo "NOT GOOD: the client says otherwise"; exit 1; }
done
on b 'touch /tmp/done'
