package import LinuxHost

/// All that the lab ever asks of a tool. Names in it are short: `port` is the switch's end of a
/// link, `uplink` the node's.
package enum LabCommands {
    /// Starts a node: namespaces of its own and `script` in bash as their first process, which is
    /// killed with everything below it when `unshare` dies.
    package static func node(script: String, arguments: [String]) -> Command {
        Command(
            "unshare",
            [
                "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=KILL",
                "--propagation", "private", "--", "bash", "-c", script, "lab-node",
            ] + arguments
        )
    }

    /// Runs `words` in all namespaces of the node, ended after `seconds` if they do not end.
    package static func inside(node pid: Int32, _ words: [String], seconds: Int) -> Command {
        enter(pid, ["timeout", "--kill-after=2", "\(seconds)"] + words)
    }

    /// Runs `words` in all namespaces of the node for as long as they take, with their own pid (as
    /// the node counts) in `pidFile`.
    package static func service(node pid: Int32, pidFile: String, _ words: [String]) -> Command {
        enter(pid, ["sh", "-c", "echo $$ >\(pidFile); exec \"$@\"", "sh"] + words)
    }

    /// Runs `words` in the network namespace of the node alone, with this host's files.
    package static func network(of pid: Int32, _ words: [String]) -> Command {
        Command("nsenter", ["--target", "\(pid)", "--net", "--"] + words)
    }

    private static func enter(_ pid: Int32, _ words: [String]) -> Command {
        let spaces = ["--mount", "--net", "--uts", "--ipc", "--pid"]
        return Command("nsenter", ["--target", "\(pid)"] + spaces + ["--"] + words)
    }

    /// A pair of interfaces, one end in each of the two nodes, made from within the switch.
    package static func link(
        switch switchPid: Int32, port: String, node pid: Int32, uplink: String
    ) -> Command {
        network(
            of: switchPid,
            [
                "ip", "link", "add", port, "type", "veth",
                "peer", "name", uplink, "netns", "\(pid)",
            ])
    }

    /// Removes the pair.
    package static func unlink(switch switchPid: Int32, port: String) -> Command {
        network(of: switchPid, ["ip", "link", "delete", port])
    }

    /// A bridge whose MAC address is given: else it would change with the ports that join and
    /// leave, and its peers would go on sending to the old one.
    package static func bridge(in pid: Int32, _ name: String, mac: String) -> Command {
        network(
            of: pid,
            [
                "ip", "link", "add", name, "address", mac,
                "type", "bridge", "forward_delay", "0", "mcast_snooping", "0",
            ])
    }

    package static func join(in pid: Int32, _ interface: String, bridge: String) -> Command {
        network(of: pid, ["ip", "link", "set", interface, "master", bridge, "up"])
    }

    package static func set(in pid: Int32, _ interface: String, up: Bool) -> Command {
        network(of: pid, ["ip", "link", "set", interface, up ? "up" : "down"])
    }

    /// `nodad`: an address that is still being checked for duplicates cannot be bound.
    package static func address(in pid: Int32, _ interface: String, _ address: String) -> Command {
        let flags = address.contains(":") ? ["nodad"] : []
        return network(of: pid, ["ip", "address", "add", address, "dev", interface] + flags)
    }

    package static func forgetNeighbours(in pid: Int32) -> Command {
        network(of: pid, ["ip", "neighbour", "flush", "all"])
    }

    /// What shows each list of a host's network, by the list's name. The kernel makes up the
    /// addresses of host ends, which then show among routes and as a bridge's permanent entries.
    static let networkLists = [
        "rules of nftables": ["nft", "list", "ruleset"],
        "rules of iptables": shell("iptables-save | grep -v '^#' | sed 's/\\[.*//'"),
        "rules of ip6tables": shell("ip6tables-save | grep -v '^#' | sed 's/\\[.*//'"),
        "queueing": shell("tc qdisc show; tc filter show"),
        "routes": shell(
            "{ ip route show table all; ip -6 route show table all; ip rule; ip -6 rule; }"
                + " | sed 's/fe80:[0-9a-f:]*/fe80::#/'"),
        "neighbours": shell("ip neighbour show; ip neighbour show proxy"),
        "pinned addresses": shell(
            "bridge fdb show | grep -E 'permanent|static' | sed '/permanent/s/^[0-9a-f:]*/#/'"),
        "network namespaces by name": ["ip", "netns", "list"],
    ]

    private static func shell(_ script: String) -> [String] { ["sh", "-c", script] }

    package static func rootFilesystem(script: String, kind: String) -> Command {
        Command(script, [kind])
    }
}

extension LabCommands {
    /// What the first process of a node does: `$1` is the node's directory, `$2` its host name,
    /// `$3` the directory of this machine that its state is bound over, or nothing.
    ///
    /// `/proc/self/stat` is read before the new `/proc` is mounted: it still tells the pid as the
    /// starter counts. bash reaps whatever is orphaned in the namespace while it waits.
    package static let nodeScript = #"""
        set -e
        read -r pid _ </proc/self/stat
        directory=$1 name=$2 state=$3
        hostname "$name"
        mount -t proc proc /proc
        mkdir -p "$directory/cgroup"
        mount --move /sys/fs/cgroup "$directory/cgroup"
        mount -t sysfs sysfs /sys
        mount --move "$directory/cgroup" /sys/fs/cgroup
        if [ -n "$state" ]; then
            mkdir -p "$directory/state" "$state"
            mount --bind "$directory/state" "$state"
        fi
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir -p /run/lock /run/netns
        ip link set lo up
        echo "$pid" >"$directory/pid.new"
        mv "$directory/pid.new" "$directory/pid"
        trap 'exit 0' TERM
        while :; do sleep 86400 & wait $! || true; done
        """#
}
