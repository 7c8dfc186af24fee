extension PeerScripts {
    /// `runc checkpoint`, the images through tar and one TCP connection, `runc restore`.
    static let runcTar = byHand(
        listen: "", checkpoint: "", arrived: "")

    /// Both recipes with plain runc. The root filesystem's changes go by rsync beside the images.
    ///
    /// Standard streams are `/dev/null`, which runc opens inside of the container: a file of the
    /// host cannot be dumped.
    static func byHand(listen: String, checkpoint: String, arrived: String) -> PeerScripts {
        PeerScripts(
            tools: ["runc", "socat", "rsync", "arping"],
            prepare: bundle,
            start: """
                lay; plug
                detached \(runc) run --detach --bundle $files pages
                """,
            listen: """
                lay
                serve_files
                background images socat -b 1048576 -u \\
                    TCP-LISTEN:9999,reuseaddr EXEC:"tar -C $images -xf -"
                listening 9999
                \(listen)
                """,
            leave: """
                quietly \(runc) checkpoint --tcp-established --file-locks \(checkpoint) \\
                    --image-path $images --work-path $images pages
                unplug
                done_with checkpoint
                rsync -a --delete $files/rootfs/ rsync://$other:8873/x$files/rootfs/ &
                tar -C $images -cf - . | socat -b 1048576 -u - TCP:$other:9999
                wait $!
                """,
            arrive: """
                ended images
                \(arrived)
                done_with copy
                detached \(runc) restore --detach --tcp-established --file-locks \\
                    --image-path $images --work-path $images --bundle $files pages
                plug
                done_with restore
                kill $(cat /run/peer/rsync.pid)
                """,
            tidy: "unlay")
    }

    private static let runc = "runc --root /run/peer/runc --log $log --criu $criu"

    private static let bundle = """
        cat >$files/config.json <<END
        {"ociVersion": "1.0.2", "hostname": "pages", "root": {"path": "rootfs"},
         "process": {"terminal": false, "user": {"uid": 0, "gid": 0},
            "args": ["/pages", "$mib", "$rate"],
            "env": ["PATH=/bin"], "cwd": "/", "noNewPrivileges": true},
         "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "mode=755"]}],
         "linux": {"cgroupsPath": "/$group/pages",
            "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                {"type": "network", "path": "/run/netns/pages"}],
            "resources": {"devices": [{"allow": false, "access": "rwm"}]}}}
        END
        """
}
