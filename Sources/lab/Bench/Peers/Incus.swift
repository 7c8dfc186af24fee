extension PeerScripts {
    /// `incus move` of a running container between directory pools.
    ///
    /// What it takes here: a privileged container (in a user namespace its restore fails), no
    /// console and no AppArmor profile (`raw.lxc`), and the workload opening its standard streams
    /// itself. All cgroups get the lab's name, so that they go with it.
    static let incus = PeerScripts(
        tools: ["incus", daemon, "rsync"],
        prepare: """
            cat >$files/rootfs/run-pages <<'END'
            #!/bin/sh
            /bin/busybox ip link set eth0 up
            /bin/busybox ip address add "$1/24" dev eth0
            exec /pages "$2" "$3" </dev/null >/dev/null 2>&1
            END
            chmod 755 $files/rootfs/run-pages
            mkdir -p $files/incus $files/incus-log /run/peer/image
            mkdir -p /var/lib/incus /var/log/incus /run/incus
            mount --bind $files/incus /var/lib/incus
            mount --bind $files/incus-log /var/log/incus
            export PATH=/usr/libexec/incus:$PATH INCUS_SECURITY_APPARMOR=false
            background incusd \(daemon) --group root --logfile /run/peer/incus.log
            quietly \(client) admin waitready --timeout 60
            \(client) admin init --preseed <<END >/dev/null
            config: {"core.https_address": "$own:8443"}
            storage_pools: [{name: default, driver: dir}]
            profiles: [{name: default, devices: {root: {type: disk, path: /, pool: default}}}]
            END
            ln -s $files/rootfs /run/peer/image/rootfs
            printf 'architecture: x86_64\\ncreation_date: 1\\n' >/run/peer/image/metadata.yaml
            tar -C /run/peer/image -hczf /run/peer/image.tar.gz metadata.yaml rootfs
            quietly \(client) image import /run/peer/image.tar.gz --alias pages
            \(client) config trust add other --quiet 2>/dev/null | tail -n 1 >/run/peer/given
            """,
        start: """
            quietly \(client) init pages pages --quiet \\
                --config security.privileged=true --config migration.stateful=true \\
                --config raw.lxc="lxc.console.path = none
            lxc.apparmor.profile =
            lxc.cgroup.dir = $group/pages
            lxc.init.cmd = /run-pages $address $mib $rate"
            quietly \(client) config device add pages eth0 nic nictype=bridged parent=$bridge \\
                hwaddr=$mac name=eth0
            quietly \(client) start pages
            """,
        listen: "",
        leave: """
            quietly \(client) move pages other:pages --quiet
            done_with move
            """,
        arrive: "",
        tidy: "",
        group: "peer",
        meet: "quietly \(client) remote add other $(cat /run/peer/taken)")

    private static let daemon = "/usr/libexec/incus/incusd"
    private static let client = "env INCUS_CONF=/run/peer/incus-client incus"
}
