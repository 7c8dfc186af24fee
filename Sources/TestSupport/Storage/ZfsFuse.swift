import Foundation
import LinuxHost
import MigrationCore

/// ZFS for tests, on kernels without it: zfs-fuse, which a machine can run once, made to run once
/// for each of these by mount namespaces with its files in them.
///
/// What it mounts below the directory is seen by this process; its zpools end with it.
package struct ZfsFuse: Sendable {
    /// Programs that ask this one.
    package let zfs: String
    package let zpool: String
    private let directory: String
    private let child: ChildProcess
    /// It ends when this is closed, also by the end of this process.
    private let life: Descriptor

    /// Why it cannot run here; nil if it can.
    package static var obstacle: String? {
        let paths = ["/sbin/zfs-fuse", "/usr/sbin/zfs-fuse"]
        guard paths.contains(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            return "zfs-fuse is not installed"
        }
        return FileManager.default.fileExists(atPath: "/dev/fuse") ? nil : "there is no /dev/fuse"
    }

    /// - Parameter directory: which is there, and of no other use to mounts.
    package static func with<Value>(
        below directory: String, _ body: (ZfsFuse) async throws -> Value
    ) async throws -> Value {
        let fuse = try await start(below: directory)
        let result: Result<Value, any Error>
        do { result = .success(try await body(fuse)) } catch { result = .failure(error) }
        // A task of its own: a test that ran out of time is cancelled and must clean up, too.
        try await Task { try await fuse.stop() }.value
        return try result.get()
    }

    private static func start(below directory: String) async throws -> ZfsFuse {
        try await Command("mount", ["--bind", directory, directory]).check()
        let fuse: ZfsFuse
        do {
            try await Command("mount", ["--make-shared", directory]).check()
            let (reading, life) = try Descriptor.pipe()
            let output = try Descriptor.open(log(in: directory), O_WRONLY | O_CREAT | O_APPEND)
            let child = try ChildProcess.start(
                Command(
                    "unshare", ["--mount", "--propagation", "unchanged", "bash", "-c", script]),
                descriptors: [(reading, 0), (output, 1), (output, 2)])
            fuse = try ZfsFuse(directory: directory, child: child, life: life)
        } catch {
            _ = try? await Mount.detach(directory).run()
            throw error
        }
        do {
            try await eventually("zfs-fuse answers", within: 30, log: log(in: directory)) {
                try await Command(fuse.zpool, ["list"]).run().status.isSuccess
            }
        } catch {
            try? await fuse.stop()
            throw error
        }
        return fuse
    }

    private static func log(in directory: String) -> String { directory + "/zfs-fuse.log" }

    private init(directory: String, child: ChildProcess, life: Descriptor) throws {
        (self.directory, self.child, self.life) = (directory, child, life)
        let programs = directory + "/programs"
        try Directories.make(programs, mode: 0o755)
        (zfs, zpool) = (programs + "/zfs", programs + "/zpool")
        for (program, name) in [(zfs, "zfs"), (zpool, "zpool")] {
            let text =
                "#!/bin/sh\nexec nsenter --mount=/proc/\(child.pid)/ns/mnt -- \(name) \"$@\"\n"
            try SmallFile.replace(program, with: Array(text.utf8), mode: 0o755)
        }
    }

    /// Ends it, and whatever is mounted below the directory.
    private func stop() async throws {
        try await MountedFilesystem.detachAll(below: directory)
        life.close()
        _ = await child.wait()
        try await Mount.detach(directory).check()
    }

    /// Only what is mounted for zfs-fuse's own files is hidden from the namespace outside.
    private static let script = """
        set -e
        for place in /run/zfs /run/lock/zfs /var/lib/zfs; do
            mkdir -p $place
            mount --make-private "$(findmnt -n -o TARGET -T $place)"
            mount -t tmpfs godwit $place
        done
        \(program) --no-daemon &
        daemon=$!
        trap 'kill -9 $daemon' EXIT
        read -r _ || true
        """

    /// Extended attributes are kept, its own statistics are not shown.
    private static let program = "zfs-fuse --enable-xattr --no-kstat-mount --max-arc-size 64"

    /// Starts it on a host of a lab, with which it ends.
    package static func start(on host: LabNode) async throws {
        try await host.check([
            "sh", "-c",
            """
            set -e; mkdir -p /run/zfs /run/lock/zfs /var/lib/zfs
            mount -t tmpfs godwit /var/lib/zfs; \(program) </dev/null >/run/zfs-fuse.log 2>&1
            """,
        ])
        try await eventually("zfs-fuse answers") {
            try await host.run(["zpool", "list"]).status.isSuccess
        }
    }
}
