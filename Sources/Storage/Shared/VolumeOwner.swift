import Foundation
import LinuxHost
import MigrationCore

/// To whom a volume belongs that several hosts see: a file `owner` beside its tree.
struct VolumeOwner: Codable, Equatable, Sendable {
    /// The identity that a host has given itself.
    var host: String
    /// Whether that host has said that another one may take the volume where it is.
    var isOffered = false

    private static func file(at place: String) -> String { "\(place)/owner" }

    /// Nil if it belongs to nobody (yet).
    ///
    /// - Throws: `stateUnreadable` if it cannot be told.
    static func read(at place: String) throws -> VolumeOwner? {
        let file = file(at: place)
        guard try FileStatus.of(file) != nil else { return nil }
        guard let owner = try? JSONDecoder().decode(Self.self, from: Data(SmallFile.bytes(file)))
        else {
            throw GodwitError(
                .stateUnreadable, "\(file) does not say to which host the volume belongs",
                remedy: "remove the file if no host runs the instance, and start the daemon again")
        }
        return owner
    }

    /// Durable on return, for every host.
    func write(at place: String) throws {
        try SmallFile.replace(Self.file(at: place), with: Array(JSONEncoder().encode(self)))
        try Directories.synchronize(Self.file(at: place))
        try Directories.synchronize(place)
    }

    /// Writes it unless the volume belongs to somebody; of several hosts one succeeds.
    ///
    /// - Returns: whether the volume belongs to this owner now.
    func claim(at place: String) throws -> Bool {
        let draft = "\(place)/.owner-\(host)"
        try SmallFile.replace(draft, with: Array(JSONEncoder().encode(self)))
        try Directories.synchronize(draft)
        defer { try? SmallFile.remove(draft) }
        // A second name for a file is the one thing that NFS, too, gives to one of several.
        do { try Directories.linkFile(draft, at: Self.file(at: place)) } catch {
            guard let error = error as? GodwitError, error.code == .nameTaken else { throw error }
            return try Self.read(at: place) == self
        }
        try Directories.synchronize(place)
        return true
    }
}

/// Who this host is for the others that see a pool: made at random once, and kept on this host.
enum HostMark {
    static func read(_ file: String) throws -> String {
        if let known = SmallFile.word(file), known.count == 32 { return known }
        let mark = randomHexadecimal()
        try Directories.make(Directories.parent(of: file), mode: 0o711)
        try SmallFile.replace(file, with: Array(mark.utf8))
        try Directories.synchronize(file)
        return mark
    }
}

/// 32 digits.
func randomHexadecimal() -> String {
    String((0..<32).map { _ in "0123456789abcdef".randomElement() ?? "0" })
}
