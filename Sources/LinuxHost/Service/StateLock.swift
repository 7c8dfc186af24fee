import Foundation
import MigrationCore

/// Makes sure that one daemon at a time works on a state directory; held until it is released.
package final class StateLock: Sendable {
    private let file: Descriptor

    /// - Throws: `busy` if another process holds it.
    package init(directory: String) throws {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o711])
        file = try Descriptor.open("\(directory)/lock", O_RDWR | O_CREAT)
        guard lockf(file.number, F_TLOCK, 0) == 0 else {
            throw GodwitError(
                .busy, "another daemon works on \(directory)",
                remedy: "stop it first, or give this one a --state-directory of its own"
            )
        }
    }
}
