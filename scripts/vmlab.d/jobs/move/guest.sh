# A host as a user has it: a bridge on the only wire, and the daemon. Machine a drives both.
set -eu
name=$1
instance=oracle address=10.77.0.10 variant=threads
godwit=/job/godwit lab=/job/lab shell_port=7000

case $name in a) number=1 ;; b) number=2 ;; esac
ip link add gwbr0 type bridge
ip link set eth0 master gwbr0 up
ip address add "10.77.0.$number/24" dev gwbr0
ip link set gwbr0 up
echo 1073741824 >/proc/sys/fs/pipe-max-size
mkdir -p /usr/local/libexec /run/godwit
ln -s /job/criu /usr/local/libexec/godwit

# What it says when it ends badly is worth more than its status.
trap 'cp -r /var/lib/godwit/logs /out/ 2>/dev/null || true' EXIT
within() {
    local seconds=$1 end=$(($(date +%s) + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt $end ] || { echo "not within $seconds s: $what"; exit 1; }
        sleep 0.2
    done
}
at() { printf '%6.1f s  %s\n' "$(cut -d ' ' -f 1 /proc/uptime)" "$*"; }

$godwit daemon --name "host-$name" --listen "10.77.0.$number:7443" >/out/daemon.log 2>&1 &
within 60 "the daemon answers" $godwit list

if [ "$name" = b ]; then
    $godwit check >/out/check.txt || true
    # Machine a is the only one on the wire.
    busybox nc -ll -p $shell_port -e /bin/bash &
    within 240 "machine a is done" test -e /tmp/done
    exit 0
fi

on_b() { echo "exec 2>&1; $*" | busybox nc 10.77.0.2 $shell_port; }
on_b_is_up() { [ "$(on_b echo up)" = up ]; }
ask() { $lab ask $address 6379 VERIFY CHECKED TASKS STEPS | tee -a /out/answers | tr '\n' ' '; }
is_ready() { $godwit logs $instance | grep -q ready; }

within 60 "machine b is up" on_b_is_up
at "two hosts with kernel $(uname -r)"
$godwit check | tee /out/check.txt
$godwit remote add host-b "$(on_b $godwit trust add host-a)"
$godwit launch /job/root $instance --address $address/24 --bridge gwbr0 -- /oracle $variant
within 60 "the instance is ready" is_ready
mkfifo /tmp/hold
$lab witness $address 6379 </tmp/hold >/out/testimony.json &
witness=$!
exec 3>/tmp/hold
at "launched: $(ask)"
$godwit move $instance host-b: --rounds 3
at "moved to b: $(ask)"
on_b $godwit move $instance host-a: --rounds 3
at "moved back to a: $(ask)"
exec 3>&-
wait $witness
$godwit migrations $instance --format json >/out/migrations-a.json
on_b $godwit migrations $instance --format json >/out/migrations-b.json
on_b touch /tmp/done
$lab judge --tracker soft-dirty /out
