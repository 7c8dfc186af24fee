import Foundation
import LinuxHost
import MigrationCore
import TestSupport

/// A pool `measured` of one kind on both hosts.
struct MeasuredPool {
    let kind: PoolKind
    /// A directory that both hosts see.
    let scratch: String

    private var shared: String { "\(scratch)/shared" }

    /// - Parameter mebibytes: of those that are made in a file.
    func make(mebibytes: Int, in lab: Lab) async throws {
        let words: [String]
        switch kind {
        case .directory, .overlay: words = []
        case .btrfs, .zfs, .lvm: words = ["size=\(mebibytes)MiB"]
        case .shared:
            try FileManager.default.createDirectory(
                atPath: shared, withIntermediateDirectories: true)
            words = ["source=\(shared)"]
        }
        for host in ["a", "b"] {
            try await lab.check(host, ["pool", "create", "measured", kind.rawValue] + words)
        }
    }

    /// Where the instance's files are, as its host sees them.
    func root(of instance: String, on host: String, of lab: Lab) async throws -> String {
        let found = try await lab.host(host).check(
            [
                "find", kind == .shared ? shared : Lab.stateDirectory, "-maxdepth", "6", "-path",
                "*/volumes/\(instance)/rootfs",
            ])
        guard let path = found.split(separator: "\n").first else {
            throw GodwitError(.notFound, "host \(host) has no files of \(instance)")
        }
        return String(path)
    }

    /// Launches an instance on host a that does nothing, upon the tree.
    func launch(_ instance: String, upon root: String, in lab: Lab) async throws {
        try await lab.check(
            "a",
            ["launch", root, instance, "--pool", "measured", "--"]
                + ["/bin/busybox", "sleep", "100000"], seconds: 900)
    }
}

extension MeasuredPool {
    /// Moves the instance, and compares its tree before and after.
    ///
    /// - Parameters:
    ///   - way: the case's name.
    ///   - changed: bytes that are new since the way before.
    func move(
        _ instance: String, from source: String, to target: String, _ way: String,
        changed: UInt64, in lab: Lab
    ) async throws -> StorageRow {
        let files = try await digest(of: instance, on: source, of: lab)
        let before = try wireBytes(of: lab.host(source))
        let start = ContinuousClock.now
        try await lab.check(source, ["move", instance, "host-\(target):"], seconds: 1_500)
        let seconds = start.duration(to: .now) / .seconds(1)
        let bytes = try wireBytes(of: lab.host(source)) - before
        let arrived = try await digest(of: instance, on: target, of: lab)
        return StorageRow(
            driver: kind.rawValue, way: way, passed: arrived == files, seconds: seconds,
            wireBytes: bytes, changedBytes: changed)
    }

    /// Of every path with its kind, permissions, owner, links and times, of sizes and contents;
    /// those of directories and access times left out. Other tools than Godwit's own.
    private func digest(
        of instance: String, on host: String, of lab: Lab
    ) async throws -> String {
        let script = """
            export LC_ALL=C; cd "$1"
            {
                find . -type f -print0 | sort -z | xargs -0 sha256sum
                find . -printf '%p %y %m %U %G %T@ %l\\0' | sort -z
                find . ! -type d -printf '%p %s %n\\0' | sort -z
            } | sha256sum
            """
        return try await lab.host(host).check(
            [
                "bash", "-euo", "pipefail", "-c", script, "bash",
                try await root(of: instance, on: host, of: lab),
            ], seconds: 900)
    }

    /// All that goes through the host's uplink, both ways.
    private func wireBytes(of host: LabNode) throws -> UInt64 {
        let counters = host.path("/sys/class/net/\(Lab.uplink)/statistics")
        return try ["tx_bytes", "rx_bytes"].reduce(0) { sum, name in
            guard let number = SmallFile.word("\(counters)/\(name)").flatMap({ UInt64($0) }) else {
                throw GodwitError(.notFound, "\(counters) counts no bytes")
            }
            return sum + number
        }
    }
}

extension MeasuredPool {
    /// Two hosts a and b that trust each other and have what the pool needs.
    func withHosts<Value: Sendable>(
        _ body: (Lab) async throws -> Value
    ) async throws -> Value {
        if kind == .zfs, let obstacle { throw GodwitError(.notFound, obstacle) }
        return try await Lab.with { lab in
            if kind == .zfs {
                for host in lab.hosts { try await ZfsFuse.start(on: host) }
            }
            try await lab.startDaemons()
            try await lab.introduce()
            return try await body(lab)
        }
    }

    /// Why the hosts cannot have a ZFS each.
    private var obstacle: String? {
        TestedZfs.isInKernel ? "the hosts would share the kernel's zpools" : ZfsFuse.obstacle
    }

    /// A pool without a host yet, below a directory that is gone when the body has ended.
    static func with<Value>(
        _ kind: PoolKind, _ body: (MeasuredPool) async throws -> Value
    ) async throws -> Value {
        let scratch = FileManager.default.temporaryDirectory.path + "/godwit-storage-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        try FileManager.default.createDirectory(
            atPath: scratch, withIntermediateDirectories: true)
        return try await body(MeasuredPool(kind: kind, scratch: scratch))
    }
}
