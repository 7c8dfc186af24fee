import CLinux
import Foundation
import MigrationCore

/// A root directory for one tool, with what tools need of this host and what it is to work on.
///
/// For tools that find files by their names in a tree that a running instance changes: a link that
/// is put in the place of a directory leads to nothing of the host's but programs and libraries.
/// Mounts below a place are not seen, devices in it cannot be opened (mount(2), `MS_NODEV`).
package struct ToolRoot: Equatable, Sendable {
    let places: [Place]

    /// - Parameters:
    ///   - reading: a directory of this host, and its name in the tool's root, where it is
    ///     read-only.
    ///   - writing: another, that the tool may change.
    package init(
        reading: (path: String, name: String), writing: (path: String, name: String)? = nil
    ) {
        var places = Self.system
        places.append(Place(source: reading.path, name: reading.name))
        if let writing {
            places.append(Place(source: writing.path, name: writing.name, isWritable: true))
        }
        self.places = places
    }

    /// The links of a system whose programs are all in /usr, the loader, and what shells open for
    /// programs in the background. Nothing of /usr/local but programs and libraries.
    private static let system: [Place] = [
        "usr/bin", "usr/lib", "usr/lib64", "usr/local/bin", "usr/local/lib", "bin", "lib", "lib64",
        "etc/ld.so.cache", "dev/null",
    ].map { Place(source: "/\($0)", name: $0, isWritable: $0 == "dev/null", isOptional: true) }

    struct Place: Equatable, Sendable {
        let source: String
        let name: String
        var isWritable = false
        /// Whether it does not matter if this host has none.
        var isOptional = false
    }

    /// - Throws: `notFound` for what the tool was to work on.
    func requireAll() throws {
        for place in places where !place.isOptional {
            guard try FileStatus.of(place.source) == nil else { continue }
            throw GodwitError(.notFound, "there is no directory \(place.source)")
        }
    }
}

extension [ToolRoot.Place] {
    /// The places as C has them, for the duration of `body`.
    func withPlaces<Value>(
        _ body: (UnsafeBufferPointer<godwit_place>) throws -> Value
    ) rethrows -> Value {
        // SAFETY: every string is freed after `body`, which must not keep them.
        let places = unsafe map { place in
            unsafe godwit_place(
                source: strdup(place.source), name: strdup(place.name),
                writable: place.isWritable ? 1 : 0, optional: place.isOptional ? 1 : 0)
        }
        defer {
            unsafe places.forEach { place in
                unsafe free(UnsafeMutablePointer(mutating: place.source))
                unsafe free(UnsafeMutablePointer(mutating: place.name))
            }
        }
        return try unsafe places.withUnsafeBufferPointer(body)
    }
}
