import Foundation
package import MigrationCore

extension HostIdentity {
    /// Loads the identity under `stateDirectory/identity`, making it at the first start.
    ///
    /// The folder holds `host.key` (mode 0600) and `host.crt` (0644), both PEM. It appears with
    /// both files or not at all: it is made under another name and renamed.
    ///
    /// - Throws: `state-unreadable` if one of the files is missing, not readable, open to other
    ///   users or
    ///   does not belong to the other.
    package static func load(from stateDirectory: String, hostName: String) throws(GodwitError)
        -> Self
    {
        let folder = URL(filePath: stateDirectory).appending(path: "identity")
        do {
            if !FileManager.default.fileExists(atPath: folder.path) {
                try create(folder, hostName: hostName)
            }
            let key = try text(of: folder.appending(path: "host.key"), isSecret: true)
            let certificate = try text(of: folder.appending(path: "host.crt"), isSecret: false)
            return try HostIdentity(keyPEM: key, certificatePEM: certificate)
        } catch {
            throw unreadable(folder, error)
        }
    }

    private static func create(_ folder: URL, hostName: String) throws {
        let files = FileManager.default
        let partial = folder.deletingLastPathComponent().appending(path: "identity.partial")
        try? files.removeItem(at: partial)
        try files.createDirectory(
            at: partial,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        let texts = try generate(hostName: hostName)
        try write(texts.key, to: partial.appending(path: "host.key"), mode: 0o600)
        try write(texts.crt, to: partial.appending(path: "host.crt"), mode: 0o644)
        try files.moveItem(at: partial, to: folder)
    }

    private static func write(_ text: String, to file: URL, mode: Int) throws {
        let attributes: [FileAttributeKey: Any] = [.posixPermissions: mode]
        guard
            FileManager.default.createFile(
                atPath: file.path,
                contents: nil,
                attributes: attributes
            )
        else { throw CocoaError(.fileWriteUnknown) }
        try FileManager.default.setAttributes(attributes, ofItemAtPath: file.path)
        let handle = try FileHandle(forWritingTo: file)
        try handle.write(contentsOf: Data(text.utf8))
        try handle.synchronize()
        try handle.close()
    }

    private static func text(of file: URL, isSecret: Bool) throws -> String {
        let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
        let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
        let size = (attributes[.size] as? NSNumber)?.intValue ?? .max
        if isSecret, mode & 0o077 != 0 {
            throw GodwitError(
                .stateUnreadable,
                "\(file.path) can be read by other users",
                remedy: "make it private (chmod 0600), and the identity anew if it may have leaked"
            )
        }
        guard size <= Limit.tokenMessage.bytes * 4 else {
            throw GodwitError(.stateUnreadable, "\(file.path) is too long for a PEM file")
        }
        return try String(contentsOf: file, encoding: .utf8)
    }

    private static func unreadable(_ folder: URL, _ error: any Error) -> GodwitError {
        let known = error as? GodwitError
        return GodwitError(
            .stateUnreadable,
            "the identity in \(folder.path) is not usable: "
                + (known?.message ?? "it cannot be read"),
            remedy: known?.remedy
                ?? "restore host.key and host.crt from a backup, or remove the folder to get a new "
                + "identity and renew the trust with every remote",
            cause: known?.cause ?? (known == nil ? "\(error)" : nil)
        )
    }
}
