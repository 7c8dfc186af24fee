import LinuxHost
package import MigrationCore

/// Saved states as files `DIRECTORY/ID.state`, for root's eyes only: they hold memory.
package struct StateFiles: StateKeeping {
    private let directory: String

    /// - Parameter directory: absolute; made at the first state if it is missing.
    package init(directory: String) {
        precondition(directory.hasPrefix("/"), "the directory of states is absolute")
        self.directory = directory
    }

    package var available: ByteCount {
        get throws {
            try Directories.make(directory, mode: 0o700)
            return try FilesystemFacts.of(directory).available
        }
    }

    package func write(_ id: String) async throws -> any ByteStream {
        try Directories.make(directory, mode: 0o700)
        return try FileStream(writing: path(of: id), by: path(of: id) + ".partial")
    }

    package func read(_ id: String) async throws -> any ByteStream {
        try FileStream(reading: path(of: id))
    }

    package func remove(_ id: String) async throws {
        for path in [path(of: id), path(of: id) + ".partial"] { try SmallFile.remove(path) }
    }

    package func removeAll(but ids: Set<String>) throws {
        let kept = Set(ids.map { "\($0).state" })
        for name in try Directories.names(in: directory) where !kept.contains(name) {
            try SmallFile.remove("\(directory)/\(name)")
        }
    }

    package func sync(_ directory: String) async throws {
        try await blocking { try Directories.sync(directory, filesystem: true) }
    }

    private func path(of id: String) -> String {
        precondition((try? MigrationID(id)) != nil, "a state's id is made here")
        return "\(directory)/\(id).state"
    }
}
