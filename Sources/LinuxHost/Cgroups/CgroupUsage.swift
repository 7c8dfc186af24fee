package import MigrationCore

// What a group uses, and has used.
extension Cgroup {
    package func memory() -> ByteCount {
        let file =
            mounts.version == 2
            ? freezerDirectory + "/memory.current"
            : (mounts.controllers["memory"] ?? "") + path + "/memory.usage_in_bytes"
        return ByteCount(bytes: SmallFile.word(file).flatMap { UInt64($0) } ?? 0)
    }

    /// The most that there has been since the group was made; nil where the kernel does not tell.
    package func memoryPeak() -> ByteCount? {
        let file =
            mounts.version == 2
            ? freezerDirectory + "/memory.peak"
            : (mounts.controllers["memory"] ?? "") + path + "/memory.max_usage_in_bytes"
        return SmallFile.word(file).flatMap { UInt64($0) }.map(ByteCount.init(bytes:))
    }

    /// What has gone from and to all disks since the group was made; nil where nothing counts it.
    package func ioUsage() -> IOUsage? {
        guard mounts.version == 2 else {
            let file = (mounts.controllers["blkio"] ?? "") + path
            return SmallFile.word(file + "/blkio.throttle.io_service_bytes_recursive")
                .map(IOUsage.init(serviceBytes:))
        }
        return SmallFile.word(freezerDirectory + "/io.stat").map(IOUsage.init(ioStat:))
    }

    /// Memory that several processes may map, and files in memory (`shmem` of `memory.stat`).
    package func sharedMemory() -> ByteCount {
        let (file, title) =
            mounts.version == 2
            ? (freezerDirectory + "/memory.stat", "shmem ")
            : ((mounts.controllers["memory"] ?? "") + path + "/memory.stat", "total_shmem ")
        let lines = (SmallFile.word(file) ?? "").split(separator: "\n")
        let bytes = lines.first { $0.hasPrefix(title) }?.dropFirst(title.count)
        return ByteCount(bytes: bytes.flatMap { UInt64($0) } ?? 0)
    }

    package func cpuNanoseconds() -> UInt64 {
        guard mounts.version == 2 else {
            let file = (mounts.controllers["cpuacct"] ?? "") + path + "/cpuacct.usage"
            return SmallFile.word(file).flatMap { UInt64($0) } ?? 0
        }
        let lines = (SmallFile.word(freezerDirectory + "/cpu.stat") ?? "").split(separator: "\n")
        let usage = lines.first { $0.hasPrefix("usage_usec ") }?.split(separator: " ").last
        return (usage.flatMap { UInt64($0) } ?? 0) &* 1000
    }
}

extension IOUsage {
    /// Reads `io.stat`: `254:0 rbytes=1459200 wbytes=314773504 rios=192 ...` for each disk.
    package init(ioStat text: String) {
        let pairs = text.split(whereSeparator: \.isWhitespace).map { $0.split(separator: "=") }
        self.init(read: sum(of: "rbytes", in: pairs), written: sum(of: "wbytes", in: pairs))
    }

    /// Reads `blkio.throttle.io_service_bytes_recursive`: `254:0 Read 1459200` and other lines for
    /// each disk, and a total.
    package init(serviceBytes text: String) {
        let pairs = text.split(separator: "\n").map { $0.split(separator: " ").dropFirst() }
            .map(Array.init)
        self.init(read: sum(of: "Read", in: pairs), written: sum(of: "Write", in: pairs))
    }
}

private func sum(of name: String, in pairs: [[Substring]]) -> ByteCount {
    let values = pairs.filter { $0.count == 2 && $0[0] == name }.compactMap { UInt64($0[1]) }
    return ByteCount(bytes: values.reduce(0, &+))
}
