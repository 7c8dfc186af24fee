# Sourced by vmlab: OpenZFS for the machines. Debian has its modules as source alone; they are
# compiled with this host's compiler, once for each kernel, and kept in .build/vmlab.
#
#     pack_zfs FOLDER   puts the modules into FOLDER/modules, the programs into FOLDER/zfs, and
#                       zfs-guest.sh, which makes them the machine's

pack_zfs() {
    local version made
    version=$(cat "$system/version")
    made=$top/.build/vmlab/zfs-$version
    [ -d "$made" ] || make_zfs "$version" "$made"
    cp -a "$made/modules" "$1/modules"
    cp -a "$made/programs" "$1/zfs"
    cp "$parts/zfs-guest.sh" "$1/"
}

make_zfs() {
    local version=$1 goal=$2 work status=0 begin=$SECONDS
    . /etc/os-release
    [ "$(kernel_suite "$kernel")" = "$VERSION_CODENAME" ] ||
        fail "OpenZFS of $VERSION_CODENAME is not made for kernel $kernel" \
            "take the kernel of this machine's own Debian"
    work=$(mktemp -d "$top/.build/vmlab/new-XXXXXX")
    # As in make_system.
    set +e
    (set -e; build_zfs "$work" "$version" "$VERSION_CODENAME") >"$work/log" 2>&1
    status=$?
    set -e
    if [ $status != 0 ]; then
        tail -5 "$work/log" >&2
        fail "OpenZFS could not be made" "see $work/log"
    fi
    mv "$work/result" "$goal"
    rm -rf "$work"
    say "made OpenZFS for kernel $version in $((SECONDS - begin)) s"
}

build_zfs() {
    local work=$1 version=$2 suite=$3 root=$1/root headers names libraries file
    apt_isolated "$work/apt" "$suite" "main contrib"
    apt_isolated_get "$work/apt" update -q
    # What it needs beside these is here, or in the machine.
    headers=linux-headers-$version
    names=$(package_needs "$work" "$headers" '^linux-(headers|kbuild)-')
    libraries=$(package_needs "$work" zfsutils-linux '^lib(nvpair|uutil|zfs|zpool)[0-9]')
    (cd "$work" && apt_isolated_get "$work/apt" download -q "$headers" $names zfs-dkms \
        zfsutils-linux $libraries)
    mkdir -p "$work"/result/{modules,programs}
    for file in "$work"/*.deb; do
        case ${file##*/} in
        linux-* | zfs-dkms_*) dpkg-deb -x "$file" "$root" ;;
        *) dpkg-deb -x "$file" "$work/result/programs" ;;
        esac
    done
    rm -rf "$work/result/programs/usr/share"/{doc,man,lintian}
    compile_zfs "$root" "$version"
    for file in $(find "$root"/usr/src/zfs-*/module -name '*.ko'); do
        strip --strip-debug -o "$work/result/modules/${file##*/}" "$file"
    done
    [ -e "$work/result/modules/zfs.ko" ]
}

# package_needs WORK PACKAGE PATTERN: names of what the package depends on.
package_needs() {
    APT_CONFIG="$1/apt/apt.conf" apt-cache depends "$2" |
        awk -v pattern="$3" '$1 ~ /^\|?Depends:$/ && $2 ~ pattern { print $2 }'
}

compile_zfs() {
    local root=$1 version=$2 objects=$1/usr/src/linux-headers-$2
    # It names the others where packages put them.
    sed -i "s,/usr/src/,$root/usr/src/,g" "$objects/Makefile"
    cd "$root"/usr/src/zfs-*
    ./configure -q --with-config=kernel --with-linux-obj="$objects" \
        --with-linux="$root/usr/src/linux-headers-${version%-cloud-amd64}-common"
    make -s -j"$(nproc)"
}
