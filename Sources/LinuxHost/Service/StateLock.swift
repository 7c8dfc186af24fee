import Foundation
import MigrationCore

/// Makes sure that one daemon at a time works on a state directory; held until it is released.
package final class StateLock: Sendable {
    private let file: Descriptor

    /// Waits for a second at most: the threads of a daemon that was killed hold the lock a little
    /// longer than its process counts as alive.
    ///
    /// - Throws: `busy` if another process holds it.
    package init(directory: String) async throws {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o711])
        let file = try Descriptor.open("\(directory)/lock", O_RDWR | O_CREAT)
        let isFree = await holds(within: .seconds(1)) { lockf(file.number, F_TLOCK, 0) == 0 }
        guard isFree else {
            throw GodwitError(
                .busy, "another daemon works on \(directory)",
                remedy: "stop it first, or give this one a --state-directory of its own"
            )
        }
        self.file = file
    }
}
