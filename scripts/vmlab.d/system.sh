# Sourced by vmlab: the system that all machines start. Made of Debian packages that are unpacked,
# with no maintainer script run, and kept in .build/vmlab until what it is made from changes.
#
#     system_directory   prints where it lies: root.img, initrd, vmlinuz, and version of the kernel
#     make_system        makes it if it is missing

# What a job finds in its machine, of the Debian suite that this host has, so that programs built
# here find the same C library there. kmod serves the making of the system itself, too.
guest_packages="base-files base-passwd bash dash coreutils mawk sed grep tar gzip findutils
hostname mount util-linux iproute2 iputils-ping kmod procps runc rsync nftables iptables acl
attr python3 libcap2-bin libc-bin libstdc++6 libgcc-s1 lvm2 thin-provisioning-tools e2fsprogs"

# The suite that a kernel comes from. Cloud kernels have what matters here, at a third of the size.
kernel_suite() {
    case $1 in
    6.1) echo bookworm ;;
    6.12) echo trixie ;;
    esac
}
# Enough for a pool with a few root filesystems.
system_mib=2048

system_directory() {
    local recipe
    . /etc/os-release
    suite=${VERSION_CODENAME:?}
    recipe=$(cat "$parts"/system.sh "$parts"/guest/* "$here/apt-isolated.sh" | sha256sum)
    echo "$top/.build/vmlab/$suite-$kernel-${recipe:0:12}"
}

make_system() {
    local work status=0 begin=$SECONDS
    mkdir -p "$top/.build/vmlab"
    exec 9>"$top/.build/vmlab/lock"
    flock 9
    if [ ! -d "$system" ]; then
        . /etc/os-release
        suite=$VERSION_CODENAME
        rm -rf "$top/.build/vmlab/$suite-$kernel"-* "$top/.build/vmlab"/new-*
        work=$(mktemp -d "$top/.build/vmlab/new-XXXXXX")
        # A subshell of its own: `set -e` is off inside a condition.
        set +e
        (set -e; build_system "$work") >"$work/log" 2>&1
        status=$?
        set -e
        if [ $status != 0 ]; then
            tail -5 "$work/log" >&2
            fail "the system could not be made" "see $work/log"
        fi
        mv "$work/system" "$system"
        rm -rf "$work"
        say "made a system with kernel $kernel in $((SECONDS - begin)) s"
    fi
    flock -u 9
}

build_system() {
    local work=$1 tree=$1/tree version
    mkdir -p "$work/system"
    unpack_tree "$work" "$tree"
    unpack_kernel "$work"
    version=$(ls "$work/kernel/lib/modules")
    echo "$version" >"$work/system/version"
    cp "$work/kernel/boot/vmlinuz-$version" "$work/system/vmlinuz"
    cp -a "$work/kernel/lib/modules" "$tree/usr/lib/"
    rm -rf "$tree/usr/lib/modules/$version"/kernel/{sound,drivers/{gpu,media,infiniband}}
    chroot "$tree" depmod "$version"
    install -m 755 "$parts/guest/init" "$tree/sbin/vmlab-init"
    make_initrd "$tree" "$version" "$work/initrd" "$work/system/initrd"
    make_disk "$tree" "$work/system/root.img" $system_mib
}

unpack_tree() {
    local work=$1 tree=$2 deb name
    apt_isolated "$work/apt" "$suite"
    apt_isolated_get "$work/apt" update -q
    apt_isolated_get "$work/apt" install -y -q --download-only $guest_packages
    # The links of the merged /usr, which the packages unpack through.
    for name in bin sbin lib lib64; do
        mkdir -p "$tree/usr/$name"
        ln -s "usr/$name" "$tree/$name"
    done
    for deb in "$work"/apt/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$tree" --keep-directory-symlink
    done
    finish_tree "$tree"
    rm -rf "$tree"/usr/share/{doc,man,locale,info,perl,perl5,lintian,bug,zoneinfo}
}

# What maintainer scripts would have done, no more.
finish_tree() {
    local tree=$1 python name family
    mkdir -p "$tree"/{proc,sys,dev,run,tmp,root,job,out,usr/local/bin}
    cp "$tree/usr/share/base-passwd/passwd.master" "$tree/etc/passwd"
    cp "$tree/usr/share/base-passwd/group.master" "$tree/etc/group"
    echo '127.0.0.1 localhost' >"$tree/etc/hosts"
    [ -e "$tree/bin/sh" ] || ln -s dash "$tree/bin/sh"
    ln -sf mawk "$tree/usr/bin/awk"
    python=$(cd "$tree/usr/bin" && ls python3.?? | sed -n 1p)
    ln -sf "$python" "$tree/usr/bin/python3"
    # CRIU locks the network with the restoring ones.
    for family in iptables ip6tables; do
        for name in "" -restore -save; do
            ln -sf $family-nft$name "$tree/usr/sbin/$family$name"
        done
    done
    cp "$(command -v busybox)" "$tree/usr/local/bin/"
    ldconfig -r "$tree"
}

unpack_kernel() {
    local work=$1 name
    apt_isolated "$work/kernel-apt" "$(kernel_suite $kernel)"
    apt_isolated_get "$work/kernel-apt" update -q
    name=$(APT_CONFIG="$work/kernel-apt/apt.conf" apt-cache depends linux-image-cloud-amd64 |
        awk '$1 == "Depends:" && $2 ~ /^linux-image-/ && !found { print $2; found = 1 }')
    (cd "$work" && apt_isolated_get "$work/kernel-apt" download "$name")
    dpkg-deb -x "$work/$name"_*.deb "$work/kernel"
    # Since the merge the package has them below usr.
    if [ -d "$work/kernel/usr/lib/modules" ]; then
        mkdir -p "$work/kernel/lib"
        mv "$work/kernel/usr/lib/modules" "$work/kernel/lib/"
    fi
}

# busybox and the modules that it takes to see the root disk, in the order of loading.
make_initrd() {
    local tree=$1 version=$2 root=$3 goal=$4 module file name
    mkdir -p "$root"/{bin,dev,root,modules,proc}
    cp "$(command -v busybox)" "$root/bin/"
    install -m 755 "$parts/guest/initrd-init" "$root/init"
    for module in virtio_pci virtio_blk ext4; do
        chroot "$tree" modprobe -S "$version" --show-depends $module
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
        name=$(basename "${file%.xz}")
        case $file in
        *.xz) xz -dc "$tree$file" >"$root/modules/$name" ;;
        *) cp "$tree$file" "$root/modules/$name" ;;
        esac
        echo "$name" >>"$root/modules/order"
    done
    (cd "$root" && find . | busybox cpio -o -H newc) | gzip -1 >"$goal"
}

# make_disk FOLDER IMAGE MIB: an ext4 image of the folder with so much room beside it.
make_disk() {
    local size
    size=$(($(du -sm --apparent-size "$1" | cut -f 1) * 5 / 4 + $3))
    truncate -s "${size}M" "$2"
    mke2fs -q -F -t ext4 -O ^has_journal -E lazy_itable_init=1,nodiscard -m 0 -d "$1" "$2"
}
