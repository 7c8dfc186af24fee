# Sourced by vmlab: starts machines, waits for their job and fetches its results.

qemu=/usr/bin/qemu-system-x86_64
# One processor: with two, code that one patches while the other runs it has crashed guests.
machine=(-M q35 -accel tcg,thread=multi,tb-size=256 -cpu max -smp 1
    -nodefaults -no-user-config -display none -no-reboot -rtc base=utc -device virtio-rng-pci)
# Panics end the machine; mitigations cost time and protect nothing here.
kernel_words="console=ttyS0 loglevel=4 panic=-1 mitigations=off nokaslr random.trust_cpu=on audit=0"
out_mib=64
# A machine starts in 6 to 8 s where nothing else runs.
up_seconds=120

declare -A pids=() ended=()
work=

# disk NAME FILE OPTIONS: the guest finds it by its name.
disk() {
    printf '%s\n' -drive "file=$2,format=raw,if=none,id=$1,cache=unsafe${3:-}" \
        -device "virtio-blk-pci,drive=$1,serial=$1"
}

# The cable is a socket between two machines' processes; the first one listens.
cable() {
    local listens=on
    [ "$2" = 1 ] || listens=off
    printf '%s\n' -netdev "stream,id=cable,server=$listens,addr.type=unix,addr.path=$work/cable" \
        -device "virtio-net-pci,netdev=cable,mac=52:54:00:00:00:0$2"
}

start_machine() {
    local name=$1 number=$2 place=$work/$1 words
    mkdir -p "$place"
    truncate -s "${out_mib}M" "$place/out"
    truncate -s "${spare}M" "$place/spare"
    mapfile -t words < <(
        disk root "$system/root.img" ,snapshot=on
        disk job "$work/job.img" ,readonly=on
        disk out "$place/out"
        if [ "$spare" != 0 ]; then disk spare "$place/spare"; fi
        if [ "$(wc -w <<<"$machines")" -gt 1 ]; then cable "$name" "$number"; fi
    )
    # It dies with this script, however that ends.
    TMPDIR=$place setpriv --pdeathsig KILL -- "$qemu" \
        "${machine[@]}" -name "$name" -m "$memory" \
        -kernel "$system/vmlinuz" -initrd "$system/initrd" \
        -append "$kernel_words vmlab.name=$name" \
        -serial "file:$place/console" -serial "file:$place/said" "${words[@]}" \
        </dev/null >"$place/qemu" 2>&1 9>&- &
    pids[$name]=$!
}

# 0 if every machine's job ended with 0; 75 if one of them did not start its job, or broke: that
# says nothing of the job.
run_machines() {
    local name number=0 deadline=$((SECONDS + seconds)) status=0 one
    rm -rf "$work/cable" "$results"
    for name in $machines; do
        [ $number = 0 ] || sleep "$apart"
        start_machine "$name" $((++number))
        # The second connects to a socket that the first has made.
        if [ $number = 1 ]; then wait_for_cable; fi
    done
    if wait_until_up $number; then wait_for_jobs $number $deadline; fi
    stop_machines
    for name in $machines; do
        one=0
        fetch_results "$name" || one=$?
        [ $status = 75 ] || [ $one = 0 ] || status=$one
    done
    return $status
}

wait_until_up() {
    local end=$((SECONDS + up_seconds)) name
    for name in $machines; do
        until grep -aqs '^vmlab: up' "$work/$name/console"; do
            if [ $SECONDS -ge $end ] || [ "$(count_running)" -lt "$1" ]; then return 1; fi
            sleep 0.2
        done
    done
}

wait_for_jobs() {
    local number=$1 deadline=$2 running
    # Once one has ended, the others have nobody to wait for.
    while running=$(count_running) && [ $running -gt 0 ] && [ $SECONDS -lt $deadline ]; do
        [ $running = $number ] || deadline=$((deadline < SECONDS + 20 ? deadline : SECONDS + 20))
        number=$running
        sleep 0.2
    done
    [ $running = 0 ] || say "machines that still ran were ended"
}

wait_for_cable() {
    local try
    [ "$(wc -w <<<"$machines")" -gt 1 ] || return 0
    for try in {1..100}; do
        [ ! -S "$work/cable" ] || return 0
        sleep 0.1
    done
}

count_running() {
    local name count=0
    for name in "${!pids[@]}"; do
        if kill -0 "${pids[$name]}" 2>/dev/null; then count=$((count + 1)); fi
    done
    echo $count
}

# What of a machine that has ended by itself stays in `ended`: 0 unless QEMU failed.
stop_machines() {
    local name
    ended=()
    for name in "${!pids[@]}"; do
        if kill -KILL "${pids[$name]}" 2>/dev/null; then
            wait "${pids[$name]}" 2>/dev/null || true
        else
            wait "${pids[$name]}" 2>/dev/null || ended[$name]=$?
        fi
    done
    pids=()
}

remove_work() {
    if [ -n "$work" ]; then rm -rf "$work"; fi
    work=
}

fetch_results() {
    local name=$1 place=$work/$1 goal=$results/$1 status
    mkdir -p "$goal"
    cp "$place"/{console,said,qemu} "$goal/"
    tar -x -f "$place/out" -C "$goal" 2>/dev/null || true
    sed "s/^/  $name  /" "$place/said"
    if ! grep -aq '^vmlab: up' "$place/console"; then
        say "machine $name did not come up"
        return 75
    fi
    if [ -n "${ended[$name]:-}" ] || grep -aq 'Kernel panic' "$place/console"; then
        say "machine $name broke: $(tail -n 1 "$place/qemu" "$place/console" | tr -s '\n' ' ')"
        return 75
    fi
    status=$(cat "$goal/status" 2>/dev/null || echo none)
    [ "$status" = 0 ] || { say "machine $name: status $status"; return 1; }
}
