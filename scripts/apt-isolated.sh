# Sourced: apt with a state of its own. It resolves as on an empty machine, downloads, and never
# touches what is installed; signatures are checked with the host's keyring as always.
#
#     apt_isolated DIRECTORY SUITE [COMPONENTS]
#                                          prepares DIRECTORY for SUITE of the host's own mirror
#     apt_isolated_get DIRECTORY ARGUMENTS apt-get in it; archives land in DIRECTORY/cache/archives
#     apt_isolated_backports DIRECTORY SUITE NAMES
#                                          downloads packages of SUITE's backports and what
#                                          they lack here; the host's sources stay as they are

# The first Debian mirror of the host's sources (deb822 or one-line), security archives left out.
apt_mirror() {
    {
        awk '/^URIs:/ { print $2 }' /etc/apt/sources.list.d/*.sources 2>/dev/null || true
        sed -n 's/^deb \(\[[^]]*\] *\)\?\(http[^ ]*\) .*/\2/p' \
            /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true
    } | awk '/\/debian\/?$/ && !found { print; found = 1 }'
}

apt_keyring() {
    local file
    for file in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
        if [ -r "$file" ]; then echo "$file"; return; fi
    done
}

apt_isolated() {
    local directory=$1 suite=$2 components=${3:-main} mirror keyring
    mirror=$(apt_mirror)
    keyring=$(apt_keyring)
    [ -n "$keyring" ] || { echo "no Debian keyring in /usr/share/keyrings" >&2; return 1; }
    mkdir -p "$directory"/{lists,cache/archives}/partial
    : >"$directory/status"
    echo "deb [signed-by=$keyring] ${mirror:-http://deb.debian.org/debian} $suite $components" \
        >"$directory/sources.list"
    {
        # The host's proxy and transport settings, but not its hooks.
        apt-config dump | grep '^Acquire::' || true
        cat <<CONFIGURATION
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "$directory/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "$directory/lists";
Dir::State::status "$directory/status";
Dir::State::extended_states "$directory/extended_states";
Dir::Cache "$directory/cache";
Dir::Log "$directory";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
CONFIGURATION
    } >"$directory/apt.conf"
}

apt_isolated_get() {
    local directory=$1
    shift
    APT_CONFIG="$directory/apt.conf" DEBIAN_FRONTEND=noninteractive apt-get "$@"
}

apt_isolated_backports() {
    local directory=$1 suite=$2
    shift 2
    apt_isolated "$directory" "$suite-backports"
    sed "s/ $suite-backports / $suite /" "$directory/sources.list" >"$directory/suite.list"
    cat "$directory/suite.list" >>"$directory/sources.list"
    cp /var/lib/dpkg/status "$directory/status"
    apt_isolated_get "$directory" update -q >/dev/null
    apt_isolated_get "$directory" install -y -q --download-only \
        -t "$suite-backports" "$@" >/dev/null
}
