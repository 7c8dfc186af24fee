extension PeerScripts {
    /// `podman container checkpoint --export`, the archive through one TCP connection, `podman
    /// container restore --import`; without compression, which would take longer than it saves.
    ///
    /// Both hosts must have the image under the same number, and Podman keeps its locks in
    /// `/dev/shm`, which the hosts of a lab share. A container keeps the name of its cgroup's
    /// parent, so that both hosts use one.
    static let podman = PeerScripts(
        tools: ["podman", "runc", "socat", "arping"],
        prepare: """
            mount -t tmpfs tmpfs /dev/shm
            if [ $own = 10.77.0.1 ]; then
                tar -C $files/rootfs -cf /run/peer/rootfs.tar .
                quietly \(program) import /run/peer/rootfs.tar localhost/pages:1
                quietly \(program) save -q -o /run/peer/given localhost/pages:1
            fi
            """,
        start: """
            lay; plug
            quietly \(program) run --detach --name pages \\
                --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 \\
                --network ns:/run/netns/pages --cgroup-parent /$group \\
                localhost/pages:1 /pages $mib $rate
            """,
        listen: """
            lay
            background images \\
                socat -b 1048576 -u TCP-LISTEN:9999,reuseaddr OPEN:/run/peer/pages.tar,creat,trunc
            listening 9999
            """,
        leave: """
            quietly \(program) container checkpoint --tcp-established --file-locks \\
                --compress=none --export=/run/peer/pages.tar pages
            unplug
            done_with checkpoint
            socat -b 1048576 -u OPEN:/run/peer/pages.tar TCP:$other:9999
            """,
        arrive: """
            ended images
            done_with copy
            quietly \(program) container restore --tcp-established --file-locks \\
                --import=/run/peer/pages.tar
            plug
            done_with restore
            """,
        tidy: """
            quietly \(program) rm -f pages
            unlay
            """,
        group: "peer",
        meet: "[ ! -e /run/peer/taken ] || quietly \(program) load -q -i /run/peer/taken")

    private static let program = """
        podman --root $files/podman --runroot /run/peer/podman --tmpdir /run/peer/podman-tmp \
        --storage-driver overlay --cgroup-manager cgroupfs --runtime runc --events-backend file
        """
}
