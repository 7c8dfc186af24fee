import Foundation
package import MigrationCore

/// Files that hold filesystems.
package enum SparseFile {
    /// Makes a file that long, for root alone; what is new in it is a hole.
    package static func setSize(_ size: ByteCount, of path: String) throws {
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT)
        let code = withExtendedLifetime(file) {
            ftruncate(file.number, Int(clamping: size.bytes)) == 0 ? 0 : errno
        }
        guard code == 0 else { throw GodwitError.kernel("set the size of \(path)", code: code) }
    }
}
