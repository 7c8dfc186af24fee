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

move_records thin lvm
# But for the copy that is kept there.
on b "$godwit pool prune thin"
left=$(on b 'dmsetup ls --target thin | grep -e -gw || :')
[ -z "$left" ] || { echo "left on b: $left"; exit 1; }
$godwit delete web --force
$godwit pool delete thin
[ "$(dmsetup ls)" = "No devices found" ] || { echo "left on a: $(dmsetup ls)"; exit 1; }
on b 'touch /tmp/done'
