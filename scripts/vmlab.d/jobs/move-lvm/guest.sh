set -eu
name=$1
. ./hosts.sh
modprobe -a loop dm_thin_pool
host_up "$name"
$godwit pool create thin lvm size=512MiB
if [ "$name" = b ]; then
    serve
    exit 0
fi

at "host a with kernel $(uname -r)"
# It writes less often than where instructions are not interpreted.
$godwit launch /job/root web --pool thin -- /records 10000
within $patience "machine b is up" b_is_up
$godwit remote add host-b "$(on b "$godwit trust add host-a")"
verify_on a
$godwit move web host-b: --dry-run | tee /out/plan | grep -q 'volume web by lvm'
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
# But for the copy that is kept there.
on b "$godwit pool prune thin"
left=$(on b 'dmsetup ls --target thin | grep -e -gw || :')
[ -z "$left" ] || { echo "left on b: $left"; exit 1; }
$godwit delete web --force
$godwit pool delete thin
[ "$(dmsetup ls)" = "No devices found" ] || { echo "left on a: $(dmsetup ls)"; exit 1; }
on b 'touch /tmp/done'
