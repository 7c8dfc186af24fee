# Sourced in a machine by jobs that move instances between two: a host as a user has it, with a bridge
# on the only wire. Machine a drives both; b does what it is told, and ends when a says so.
#
#     host_up NAME          makes the bridge, starts the daemon
#     on a|b COMMANDS       runs commands on one of the two
#     within SECONDS WHAT COMMAND...
#     verify_on a|b         ends the job if the instance web (lab make-program records) has not kept
#                           every record, and added some
#     move_records POOL DRIVER
#                           starts web in the pool, has it move to b and back, the second time with
#                           a snapshot, and verifies it each time

godwit=/job/godwit shell_port=7000
# A machine that is busy with other things may be some times slower.
patience=240

at() { printf '%6.1f s  %s\n' "$(cut -d ' ' -f 1 /proc/uptime)" "$*"; }

within() {
    local seconds=$1 end=$(($(date +%s) + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt $end ] || { echo "not within $seconds s: $what"; exit 1; }
        sleep 0.2
    done
}

host_up() {
    local number
    case $1 in a) number=1 ;; b) number=2 ;; esac
    ip link add gwbr0 type bridge
    ip link set eth0 master gwbr0 up
    ip address add "10.77.0.$number/24" dev gwbr0
    ip link set gwbr0 up
    echo 1073741824 >/proc/sys/fs/pipe-max-size
    mkdir -p /usr/local/libexec /run/godwit
    ln -s /job/criu /usr/local/libexec/godwit
    # What it says when it ends badly is worth more than its status.
    trap leave_logs EXIT
    $godwit daemon --name "host-$1" --listen "10.77.0.$number:7443" >/out/daemon.log 2>&1 &
    within $patience "the daemon answers" $godwit list
}

leave_logs() {
    local status=$?
    cp -r /var/lib/godwit/logs /out/ 2>/dev/null || true
    [ $status != 0 ] || return 0
    timeout 30 $godwit migrations --format json >/out/migrations.json 2>&1 || true
    # Machine b goes on waiting, and brings its own only when it has ended.
    if [ "$(hostname)" = a ]; then
        echo 'cat /out/daemon.log; exit' |
            timeout 10 busybox nc 10.77.0.2 $shell_port >/out/daemon-b.log || true
    fi
    return $status
}

# Machine a is the only one on the wire.
serve() {
    busybox nc -ll -p $shell_port -e /bin/bash &
    within 800 "machine a is done" test -e /tmp/done
}

# With the status of the commands, also of those on b.
on() {
    if [ "$1" = a ]; then bash -c "$2" 2>&1; return; fi
    local said
    # What is to come is not for the commands to read.
    said=$(printf 'exec 2>&1\n{ %s\n} </dev/null\nprintf "\\nstatus %%s" $?\n' "$2" |
        busybox nc 10.77.0.2 $shell_port) || return
    case $said in *"status "[0-9]*) ;; *) return 1 ;; esac
    printf '%s' "${said%?status *}"
    return "${said##*status }"
}
b_is_up() { [ "$(on b 'echo up')" = up ]; }

records=0
# How many records `web` has, and how many of them are lost, doubled, torn, other files.
answer() { on "$1" "$godwit exec web -- /bin/busybox sh -c 'cat /answer'"; }
is_answered() { answer "$1" | grep -qx '[0-9]* [0-9]* [0-9]* [0-9]* [0-9]*'; }
# The program in the instance compares its files with what it remembers of them.
verify_on() {
    local said
    on "$1" "$godwit exec web -- /bin/busybox sh -c 'rm -f /answer; : >/ask'"
    within $patience "the program looks at its records" is_answered "$1"
    said=$(answer "$1")
    case $said in
    *" 0 0 0 0") ;;
    *) echo "lost, doubled, torn, differing: $said"; exit 1 ;;
    esac
    [ "${said%% *}" -gt $records ] || { echo "no more than $records: $said"; exit 1; }
    records=${said%% *}
}
move_records() {
    at "host a with kernel $(uname -r)"
    # It writes less often than where instructions are not interpreted.
    $godwit launch /job/root web --pool "$1" -- /records 10000
    within $patience "machine b is up" b_is_up
    $godwit remote add host-b "$(on b "$godwit trust add host-a")"
    verify_on a
    $godwit move web host-b: --dry-run | tee /out/plan | grep -q "volume web by $2"
    at "launched, $records records"
    $godwit move web host-b:
    verify_on b
    at "moved to b, $records records"
    on b "$godwit snapshot web one"
    on b "$godwit move web host-a:"
    verify_on a
    $godwit info web | grep -q one
    at "moved back to a with a snapshot, $records records"
    $godwit migrations web --format json >/out/migrations-a.json
    on b "$godwit migrations web --format json" >/out/migrations-b.json
}
