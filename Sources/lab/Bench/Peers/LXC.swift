extension PeerScripts {
    /// `lxc-checkpoint -s`, images and root filesystem by rsync, `lxc-checkpoint -r`.
    ///
    /// The network travels in CRIU's images. The workload opens its standard streams itself: those
    /// that LXC gives it are files of the host, which CRIU does not find again.
    static let lxc = PeerScripts(
        tools: ["lxc-checkpoint", "rsync", "arping"],
        prepare: """
            printf '#!/bin/sh\\nexec /pages "$@" </dev/null >/dev/null 2>&1\\n' \\
                >$files/rootfs/run-pages
            chmod 755 $files/rootfs/run-pages
            mkdir -p $files/lxc/pages
            cat >$files/lxc/pages/config <<END
            lxc.uts.name = pages
            lxc.rootfs.path = dir:$files/rootfs
            lxc.init.cmd = /run-pages $mib $rate
            lxc.console.path = none
            lxc.tty.max = 0
            lxc.pty.max = 0
            lxc.mount.auto = proc:rw
            lxc.cgroup.dir = $group/pages
            lxc.net.0.type = veth
            lxc.net.0.link = $bridge
            lxc.net.0.flags = up
            lxc.net.0.name = eth0
            lxc.net.0.hwaddr = $mac
            lxc.net.0.ipv4.address = $address/24
            END
            """,
        start: "quietly lxc-start \(name) --daemon",
        listen: "serve_files",
        leave: """
            quietly lxc-checkpoint \(name) -s -D $images
            done_with checkpoint
            rsync -a --delete $files/rootfs/ rsync://$other:8873/x$files/rootfs/ &
            rsync -a --whole-file $images/ rsync://$other:8873/x$images/
            wait $!
            """,
        arrive: """
            done_with copy
            quietly lxc-checkpoint \(name) -r -D $images
            done_with restore
            kill $(cat /run/peer/rsync.pid)
            """,
        tidy: "")

    private static let name = "-P $files/lxc -n pages"
}
