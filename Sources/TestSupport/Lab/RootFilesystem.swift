import Foundation
import LinuxHost
import MigrationCore

/// Root filesystems for tests and the demo, made from Debian packages once and then kept.
package enum RootFilesystem: String, Sendable {
    /// busybox alone, 2 MB.
    case tiny
    /// redis-server, nginx, python3, dash and coreutils, 70 MB.
    case services

    /// The tree, built if it is missing. It is shared: copy it, never write to it.
    ///
    /// - Throws: `toolFailed` with the reason if it cannot be built (no root, no mirror).
    package func path() async throws -> String {
        let script = Self.package + "/scripts/lab-rootfs"
        let output = try await LabCommands.rootFilesystem(script: script, kind: rawValue).check()
        return output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The package's directory: the nearest one upwards that holds this script.
    static var package: String {
        var place = URL(filePath: FileManager.default.currentDirectoryPath)
        while place.path().count > 1 {
            let script = place.appending(path: "scripts/lab-rootfs").path()
            if FileManager.default.isExecutableFile(atPath: script) { return place.path() }
            place = place.deletingLastPathComponent()
        }
        return FileManager.default.currentDirectoryPath
    }
}
