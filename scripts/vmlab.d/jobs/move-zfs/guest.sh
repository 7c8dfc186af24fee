set -eu
name=$1
. ./hosts.sh
. ./zfs-guest.sh
zfs_up
host_up "$name"
$godwit pool create safe zfs size=512MiB
if [ "$name" = b ]; then
    serve
    exit 0
fi

at "host a with kernel $(uname -r)"
# It writes less often than where instructions are not interpreted.
$godwit launch /job/root web --pool safe -- /records 10000
within $patience "machine b is up" b_is_up
$godwit remote add host-b "$(on b "$godwit trust add host-a")"
verify_on a
$godwit move web host-b: --dry-run | tee /out/plan | grep -q 'volume web by zfs'
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
volumes=godwit-safe/volumes
left=$(on b "zfs list -H -r -t all -o name $volumes")
[ "$left" = $volumes ] || { echo "left on b: $left"; exit 1; }
left=$(zfs list -H -r -t all -o name $volumes/web | tr '\n' ' ')
[ "$left" = "$volumes/web $volumes/web/rootfs $volumes/web/rootfs@godwit-snapshot-one " ] ||
    { echo "on a: $left"; exit 1; }
$godwit delete web --force
$godwit pool delete safe
if zpool list -H -o name | grep godwit-; then echo "left on a"; exit 1; fi
on b 'touch /tmp/done'
