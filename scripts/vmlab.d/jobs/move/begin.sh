#!/bin/sh
# The instance's first program: divides its control group, arms timers in a group below a group,
# and becomes the oracle. In version 2 nobody may be in a group that passes controllers on.
set -e
cd /sys/fs/cgroup
mkdir main timers timers/deep
echo 0 >main/cgroup.procs
echo '+cpu +memory +pids' >cgroup.subtree_control
echo '+pids' >timers/cgroup.subtree_control
echo 67108864 >timers/memory.max
echo 50 >timers/cpu.weight
echo 40 >timers/pids.max
echo 20 >timers/deep/pids.max
chown 33 timers/deep timers/deep/cgroup.procs
(
    echo 0 >timers/deep/cgroup.procs
    # A file of a group stays open over the moves.
    exec 9<timers/deep/pids.max
    exec /timers nanosleep absolute-sleep timerfd timerfd-boot timerfd-real setitimer \
        posix-timer poll futex volley timerfds
) &
cd /
exec /oracle threads
