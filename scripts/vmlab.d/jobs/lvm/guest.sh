# A thin pool on a loop file: volumes, snapshots, the blocks in which two differ, growth, the end.
set -euo pipefail
file=/var/tmp/pool.img group=vmlab

# What the tools say is only of interest when something fails.
exec 3>&1 >/out/tools 2>&1
at() { printf '%6.1f s  %s\n' "$(cut -d ' ' -f 1 /proc/uptime)" "$*" >&3; }
fail() { echo "NOT GOOD: $*" >&3; exit 1; }
digest() { md5sum <"$1" | cut -d ' ' -f 1; }
thin_id() { lvs --noheadings --options thin_id "$group/$1" | tr -d ' '; }
end() { [ $1 = 0 ] || { tail -n 5 /out/tools; dmsetup table; lvs --all; } >&3 2>&3; }
trap 'end $?' EXIT

mkdir -p /etc/lvm /run/lock/lvm /mnt/web /mnt/seen
# Nobody makes device files here, nor waits for them.
cat >/etc/lvm/lvmlocal.conf <<'CONFIGURATION'
activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }
devices { obtain_device_list_from_udev = 0 use_devicesfile = 0 }
CONFIGURATION
modprobe loop

truncate -s 512M $file
loop=$(losetup --find --show $file)
pvcreate "$loop"
vgcreate $group "$loop"
lvcreate --type thin-pool --size 256M --poolmetadatasize 8M --chunksize 64k \
    --name pool $group
lvcreate --thin --virtualsize 64M --name web $group/pool
mkfs.ext4 -q -E nodiscard /dev/$group/web
mount /dev/$group/web /mnt/web
at "a pool on $loop and a volume in it"

# A snapshot suspends its origin, whose file system is whole then and needs no journal.
head -c 10M /dev/urandom >/mnt/web/base
before=$(digest /mnt/web/base)
lvcreate --snapshot --name one $group/web
head -c 4M /dev/urandom >/mnt/web/more
head -c 1M /dev/urandom | dd of=/mnt/web/base bs=1M seek=5 conv=notrunc status=none
lvcreate --snapshot --name two $group/web
for name in one two; do lvchange --activate y --ignoreactivationskip $group/$name; done
mount -o ro,noload /dev/$group/one /mnt/seen
[ "$(digest /mnt/seen/base)" = "$before" ] || fail "the snapshot follows its origin"
[ ! -e /mnt/seen/more ] || fail "the snapshot has what came later"
umount /mnt/seen
at "two snapshots"

# The pool is in use: what stands in its metadata is read from a snapshot of that.
dmsetup message $group-pool-tpool 0 reserve_metadata_snap
thin_delta --metadata-snap --snap1 "$(thin_id one)" --snap2 "$(thin_id two)" \
    /dev/mapper/$group-pool_tmeta >/out/delta.xml
dmsetup message $group-pool-tpool 0 release_metadata_snap
lvcreate --snapshot --name copy $group/one
lvchange --activate y --ignoreactivationskip $group/copy
blocks=0
while read -r kind begin length; do
    [ "$kind" != left_only ] || fail "a block was given back: $begin"
    dd if=/dev/$group/two of=/dev/$group/copy bs=64k skip="$begin" seek="$begin" count="$length" \
        conv=notrunc status=none
    blocks=$((blocks + length))
done < <(sed -n 's/.*<\(different\|[a-z]*_only\) begin="\([0-9]*\)" length="\([0-9]*\)".*/\1 \2 \3/p' \
    /out/delta.xml)
[ "$(digest /dev/$group/two)" = "$(digest /dev/$group/copy)" ] || fail "the delta is not whole"
# 5 MiB were written, in blocks of 64 KiB.
{ [ $blocks -ge 80 ] && [ $blocks -lt 160 ]; } || fail "the delta has $blocks blocks"
at "a delta of $blocks blocks makes one into two"

truncate -s 768M $file
losetup --set-capacity "$loop"
pvresize "$loop"
lvextend --size +128M $group/pool
lvextend --size 96M $group/web
resize2fs /dev/$group/web
[ "$(df --output=size -BM /mnt/web | tail -n 1 | tr -dc 0-9)" -gt 80 ] || fail "it did not grow"
at "the pool and a mounted volume have grown"

umount /mnt/web
lvremove --yes $group
vgremove $group
pvremove "$loop"
losetup --detach "$loop"
[ "$(dmsetup ls 2>&1)" = "No devices found" ] || fail "left: $(dmsetup ls)"
[ -z "$(losetup --list --noheadings)" ] || fail "left: $(losetup --list)"
at "nothing is left"
