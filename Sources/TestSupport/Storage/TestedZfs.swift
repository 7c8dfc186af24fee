import Foundation
import LinuxHost

/// ZFS for tests: the kernel's where it has one, and zfs-fuse elsewhere. One test at a time has it.
package struct TestedZfs: Sendable {
    /// Programs that ask this one.
    package let zfs: String
    package let zpool: String

    /// Whether it is OpenZFS, which can do what zfs-fuse cannot: access lists, fractions of
    /// seconds, first passes that build upon others.
    package static let isInKernel: Bool = {
        let known = (try? SmallFile.text("/proc/filesystems")) ?? ""
        return known.split(whereSeparator: \.isWhitespace).contains("zfs")
            && FileManager.default.fileExists(atPath: "/dev/zfs")
    }()

    /// Why there is none here; nil if there is.
    package static var obstacle: String? { isInKernel ? nil : ZfsFuse.obstacle }

    /// - Parameter directory: which is there, and of no other use to mounts.
    package static func with<Value>(
        below directory: String, _ body: (TestedZfs) async throws -> Value
    ) async throws -> Value {
        guard isInKernel else {
            return try await ZfsFuse.with(below: directory) { fuse in
                try await body(TestedZfs(zfs: fuse.zfs, zpool: fuse.zpool))
            }
        }
        let zfs = TestedZfs(zfs: "zfs", zpool: "zpool")
        let before = try await zfs.zpools()
        let result: Result<Value, any Error>
        do { result = .success(try await body(zfs)) } catch { result = .failure(error) }
        // A task of its own: a test that ran out of time is cancelled and must clean up, too.
        try await Task { try await zfs.letGo(except: before) }.value
        return try result.get()
    }

    private func zpools() async throws -> Set<String> {
        let names = try await Command(zpool, ["list", "-H", "-o", "name"]).check()
        return Set(names.split(separator: "\n").map(String.init))
    }

    /// Those of the test: their files go with its folder, and whatever else there is stays.
    private func letGo(except before: Set<String>) async throws {
        for name in try await zpools().subtracting(before) where name.hasPrefix("godwit-") {
            try await Command(zpool, ["export", "-f", name]).check()
        }
    }
}
