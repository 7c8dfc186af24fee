# Sourced by jobs with two machines: each becomes a host as a user has it, and machine a drives both.
# `name` is the machine's.
godwit=/job/godwit lab=/job/lab shell_port=7000
# A machine that is busy with other things may be some times slower.
patience=240

within() {
    local seconds=$1 end=$(($(date +%s) + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt $end ] || { echo "not within $seconds s: $what"; exit 1; }
        sleep 0.2
    done
}
at() { printf '%6.1f s  %s\n' "$(cut -d ' ' -f 1 /proc/uptime)" "$*"; }

# A bridge on the only wire, and the daemon.
become_host() {
    local number
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
    $godwit daemon --name "host-$name" --listen "10.77.0.$number:7443" >/out/daemon.log 2>&1 &
    within $patience "the daemon answers" $godwit list
    $godwit check >/out/check.txt || true
}

# What machine b does: whatever machine a says, until that is done.
serve() {
    # Machine a is the only one on the wire.
    busybox nc -ll -p $shell_port -e /bin/bash &
    within 800 "machine a is done" test -e /tmp/done
}

# on a|b COMMAND: runs a line of shell there.
on() {
    case $1 in
    a) bash -c "$2" 2>&1 ;;
    b) echo "exec 2>&1; $2" | busybox nc 10.77.0.2 $shell_port ;;
    esac
}
b_is_up() { [ "$(on b 'echo up')" = up ]; }

# Waits for machine b, and lets both trust each other.
meet() {
    within $patience "machine b is up" b_is_up
    $godwit remote add host-b "$(on b "$godwit trust add host-a")"
}
