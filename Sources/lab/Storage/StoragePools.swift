import Foundation
import LinuxHost
import MigrationCore
import TestSupport

/// A pool `measured` of one kind on both hosts, and files for it.
enum StoragePools {
    /// - Parameter scratch: a directory that both hosts see.
    static func make(
        _ kind: PoolKind, mebibytes: Int, _ scratch: String, in lab: Lab
    ) async throws {
        let words: [String]
        switch kind {
        case .directory, .overlay: words = []
        case .btrfs, .zfs, .lvm: words = ["size=\(mebibytes)MiB"]
        case .shared:
            try FileManager.default.createDirectory(
                atPath: "\(scratch)/shared", withIntermediateDirectories: true)
            words = ["source=\(scratch)/shared"]
        }
        for host in ["a", "b"] {
            try await lab.check(host, ["pool", "create", "measured", kind.rawValue] + words)
        }
    }

    /// busybox, and so many MiB that nothing compresses, in files of 4 MiB.
    static func makeFiles(below root: String, mebibytes: Int) async throws {
        let base = try await RootFilesystem.tiny.path()
        try await Command("cp", ["-a", base, root]).check()
        let script = """
            mkdir "$1/files"; cd "$1/files"
            head -c "$2"M /dev/urandom | split -b 4M -d -a 5 - ''
            """
        try await Command(
            "bash", ["-euo", "pipefail", "-c", script, "bash", root, "\(mebibytes)"]
        ).check()
    }

    /// Where the instance's files are, as its host sees them.
    static func root(of instance: String, on host: String, of lab: Lab) async throws -> String {
        let found = try await lab.host(host).check(
            [
                "find", Lab.stateDirectory, "-maxdepth", "6", "-path",
                "*/volumes/\(instance)/rootfs",
            ])
        guard let path = found.split(separator: "\n").first else {
            throw GodwitError(.notFound, "host \(host) has no files of \(instance)")
        }
        return String(path)
    }
}
