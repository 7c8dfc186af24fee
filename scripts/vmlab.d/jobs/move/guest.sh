# A host as a user has it: a bridge on the only wire, and the daemon. Machine a drives both.
set -eu
name=$1
. ./hosts.sh
instance=oracle address=10.77.0.10
lab=/job/lab
disk=$(readlink -f /dev/disk/out)
volume=/var/lib/godwit/pools/default/volumes/$instance/rootfs
# What udev and a disk's scheduler would have done.
chmod 666 /dev/net/tun
modprobe bfq

host_up "$name"
if [ "$name" = b ]; then
    $godwit check >/out/check.txt || true
    serve
    exit 0
fi

ask() { $lab ask $address 6379 VERIFY CHECKED TASKS STEPS | tee -a /out/answers | tr '\n' ' '; }
is_ready() { $godwit logs $instance | grep -q ready; }
note_clocks() { on "$1" 'echo $(cut -d " " -f 1 /proc/uptime) $(date +%s.%N)' >"/out/booted-$1"; }

fired() { on "$1" "cat $volume/late-*"; }
have_fired() {
    fired "$1" | awk 'NR == FNR { before[FNR] = $1; next } $1 > before[FNR] + 2 { more++ }
        END { exit more != FNR || more == 0 }' /tmp/fired -
}
# All timers fire, and limits, groups and their members are what they were at the start.
look_on() {
    fired "$1" >/tmp/fired
    within $patience "all timers fire on $1" have_fired "$1"
    on "$1" 'bash /job/look.sh' >/out/now
    if [ -e /out/first ]; then
        busybox diff /out/first /out/now || { echo "not as at the start"; exit 1; }
    else
        mv /out/now /out/first
        sed "s/DISK/$(cat /sys/class/block/${disk##*/}/dev)/" expected >/tmp/expected
        sed '/^members:/d' /out/first | busybox diff /tmp/expected - || exit 1
    fi
}

at "host a with kernel $(uname -r)"
$godwit check | tee /out/check.txt
$godwit launch /job/root $instance --address $address/24 --bridge gwbr0 \
    --memory 512MiB --memory-reservation 64MiB --memory-swap 768MiB --cpus 0.9 --cpu-weight 30 \
    --cpuset-cpus 0 --processes 200 --io-weight 50 --device-read-bps $disk:8MiB \
    --device-write-iops $disk:500 --device /dev/net/tun:rw --delegate-cgroups -- /begin
within $patience "the instance is ready" is_ready
look_on a
within $patience "machine b is up" b_is_up
for host in a b; do note_clocks $host; done
$godwit remote add host-b "$(on b "$godwit trust add host-a")"
mkfifo /tmp/hold
$lab witness $address 6379 </tmp/hold >/out/testimony.json &
witness=$!
exec 3>/tmp/hold
at "launched: $(ask)"
$godwit move $instance host-b: --rounds 3
at "moved to b: $(ask)"
look_on b
on b "$godwit move $instance host-a: --rounds 3"
at "moved back to a: $(ask)"
look_on a
exec 3>&-
wait $witness
cp $volume/clocks $volume/late-* /out/
$godwit migrations $instance --format json >/out/migrations-a.json
on b "$godwit migrations $instance --format json" >/out/migrations-b.json
on b 'touch /tmp/done'
$lab judge --tracker soft-dirty /out
