# Sourced by vmlab: what a job takes along into its machines.

built=$top/.build/release

# pack_hosts FOLDER: what machines need to be hosts between which instances move.
pack_hosts() {
    local criu=/usr/local/libexec/godwit
    [ -d $criu/criu-root ] || fail "no CRIU with libraries of its own in $criu" \
        "scripts/setup puts it there"
    pack_program "$1" godwit libgodwit-criu.so
    cp -a $criu "$1/criu"
    cp "$parts/hosts.sh" "$1/"
}

# pack_program FOLDER NAME...: programs of the build, with all libraries that the guest may lack.
pack_program() {
    local folder=$1 name library
    shift
    mkdir -p "$folder/lib"
    for name; do
        [ -e "$built/$name" ] || fail "no $built/$name" "run 'make build' first"
        # Symbols are half of it.
        strip --strip-debug -o "$folder/$name" "$built/$name"
        ldd "$built/$name" | awk '$3 ~ /^\// { print $3 }' | while read -r library; do
            case ${library##*/} in
            # These belong to the guest's own C library.
            libc.so.* | libm.so.* | libpthread.so.* | libdl.so.* | librt.so.*) ;;
            *) cp -nL "$library" "$folder/lib/" ;;
            esac
        done
    done
}
