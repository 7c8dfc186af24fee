import LinuxHost
import MigrationCore

extension OCISpecification {
    /// The bundle of an instance whose root filesystem is the tree at `root`.
    init(_ record: RuntimeRecord, on host: HostResources) {
        let definition = record.definition
        hostname = definition.name.text
        root = Root(path: record.root)
        process = Process(definition.process)
        mounts =
            Mount.ofKernel + Mount.ofCgroups(record, host.mounts)
            + definition.mounts.map { Mount($0) }
        hooks = Hooks(prestart: [Hook(record)])
        annotations = ["org.criu.config": record.files.criuConfiguration]
        linux = Linux(record, on: host)
    }
}

extension OCISpecification.Process {
    init(_ definition: ProcessDefinition) {
        user = .init(uid: definition.userID, gid: definition.groupID)
        args = definition.command
        env = definition.environment
        cwd = definition.workingDirectory
        capabilities = .usual
    }
}

extension OCISpecification.Capabilities {
    /// What container engines leave to root, without what reaches beyond the instance.
    static let usual: Self = {
        let names = [
            "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",
            "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP",
            "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
        ]
        return Self(bounding: names, effective: names, permitted: names)
    }()
}

extension OCISpecification.Mount {
    /// Few, and no masked directories: each tmpfs costs a dump 6 ms and a restore as much.
    static let ofKernel = [
        Self(
            destination: "/proc", type: "proc", source: "proc",
            options: ["nosuid", "noexec", "nodev"]),
        Self(
            destination: "/dev", type: "tmpfs", source: "tmpfs",
            options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        Self(
            destination: "/dev/pts", type: "devpts", source: "devpts",
            options: [
                "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5",
            ]),
        Self(
            destination: "/dev/shm", type: "tmpfs", source: "shm",
            options: ["nosuid", "noexec", "nodev", "mode=1777"]),
        Self(
            destination: "/sys", type: "sysfs", source: "sysfs",
            options: ["nosuid", "noexec", "nodev", "ro"]),
    ]

    init(_ definition: MountDefinition) {
        destination = definition.path
        type = "bind"
        source = definition.hostPath
        options = ["rbind", definition.isReadOnly ? "ro" : "rw"]
    }
}

extension OCISpecification.Hook {
    /// runc calls it at start and at restore, before any socket exists, with the first process's
    /// network namespace empty.
    init(_ record: RuntimeRecord) {
        path = "/bin/sh"
        args = ["sh", "-c", NetworkHook.script, "sh", record.files.directory]
        env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        timeout = 30
    }
}

extension OCISpecification.Linux {
    init(_ record: RuntimeRecord, on host: HostResources) {
        let definition = record.definition
        cgroupsPath = record.configuration.cgroupPath(of: definition.name)
        // No cgroup namespace: runc cannot enter it any more once CRIU has restored it.
        let names = ["pid", "ipc", "uts", "mount", "network"]
        namespaces = (names + (definition.idMap == nil ? [] : ["user"])).map { .init(type: $0) }
        let mapping = definition.idMap.map { map in
            [
                OCISpecification.Mapping(
                    containerID: 0, hostID: map.hostStart, size: map.count)
            ]
        }
        uidMappings = mapping
        gidMappings = mapping
        let nodes = definition.limits.devices.compactMap { device in
            host.devices[device.path].map { OCISpecification.Node(device, $0) }
        }
        devices = nodes.isEmpty ? nil : nodes
        resources = .init(definition.limits, on: host)
        maskedPaths = ["/proc/kcore", "/proc/keys", "/proc/timer_list"]
        readonlyPaths = [
            "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
        ]
    }
}
