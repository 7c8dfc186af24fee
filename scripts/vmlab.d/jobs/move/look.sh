# Prints the instance's limits as they stand in the kernel's files here, and what the instance sees
# of its own groups. The last line, which processes those are, differs from start to start.
cd /sys/fs/cgroup/godwit/oracle
for file in memory.max memory.low memory.swap.max cpu.max cpu.weight cpuset.cpus pids.max io.max \
    io.bfq.weight; do
    echo "$file: $(cat $file)"
done
exec /job/godwit exec oracle -- /bin/sh -c '
    cd /sys/fs/cgroup
    for file in cgroup.subtree_control timers/cgroup.subtree_control timers/memory.max \
        timers/cpu.weight timers/pids.max timers/deep/pids.max; do
        echo "$file: $(cat $file)"
    done
    echo "owners:" $(stat -c %u main timers/memory.max timers/deep timers/deep/cgroup.procs \
        timers/deep/pids.max)
    echo "groups:" $(find . -type d | sort)
    # It can go on making groups and setting their limits, but not lift its own.
    mkdir timers/more && echo 1 >timers/more/pids.max && rmdir timers/more && echo "made another"
    echo 30 >timers/deep/pids.max && echo 20 >timers/deep/pids.max && echo "changed a limit"
    (echo 999 >pids.max) 2>/dev/null && echo "lifted its own limit"
    (exec 3<>/dev/net/tun) && echo "opened its device"
    members=$(cat timers/deep/cgroup.procs)
    echo "first in main:" $(grep -cx 1 main/cgroup.procs)
    echo "timers in timers/deep:" \
        $(for pid in $members; do cat /proc/$pid/cmdline; done | tr "\0" "\n" | grep -c ^/timers)
    set -- $members
    echo "open file:" $(cat /proc/$1/fd/9)
    echo "members:" $members'
