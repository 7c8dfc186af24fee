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

move_records safe zfs
volumes=godwit-safe/volumes
# But for the copy that is kept there, and what copies are below.
on b "$godwit pool prune safe"
left=$(on b "zfs list -H -r -t all -o name $volumes" | tr '\n' ' ')
[ "$left" = "$volumes $volumes/.kept " ] || { echo "left on b: $left"; exit 1; }
left=$(zfs list -H -r -t all -o name $volumes/web | tr '\n' ' ')
[ "$left" = "$volumes/web $volumes/web/rootfs $volumes/web/rootfs@godwit-snapshot-one " ] ||
    { echo "on a: $left"; exit 1; }
$godwit delete web --force
$godwit pool delete safe
if zpool list -H -o name | grep godwit-; then echo "left on a"; exit 1; fi
on b 'touch /tmp/done'
