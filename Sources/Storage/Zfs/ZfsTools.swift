import LinuxHost
import MigrationCore

/// The programs of ZFS.
package struct ZfsTools: Sendable {
    let zfs: Zfs
    let zpool: Zpool

    /// - Parameters: names that are searched in PATH, or paths.
    package init(zfs: String = "zfs", zpool: String = "zpool") {
        self.zfs = Zfs(tool: zfs)
        self.zpool = Zpool(tool: zpool)
    }

    /// Runs the command. What is busy is asked again for a while: a dataset is let go of a moment
    /// after it was unmounted.
    ///
    /// - Throws: `busy`, `noSpace`, `toolFailed`.
    func run(_ command: Command) async throws {
        let end = ContinuousClock.now + Self.patience
        while true {
            let result = try await command.run()
            guard let failure = Zfs.failure(result.status, said: result.errorText) else { return }
            guard failure.code == .busy, .now < end else { throw failure }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private static let patience = Duration.seconds(10)

    /// Values of properties in their order; nil if there is no such dataset or snapshot.
    func values(_ properties: [String], of name: String) async throws -> [String]? {
        let result = try await zfs.values(properties, of: name).run()
        if let failure = Zfs.failure(result.status, said: result.errorText) {
            if result.errorText.contains("does not exist") { return nil }
            throw failure
        }
        let values = result.text.split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
        guard values.count > properties.count else {
            throw GodwitError(.toolFailed, "zfs said too little of \(name)", cause: result.text)
        }
        return Array(values.prefix(properties.count))
    }

    func exists(_ name: String) async throws -> Bool {
        try await values(["type"], of: name) != nil
    }

    /// Whether the command line is OpenZFS's of 0.8 or newer.
    func isModern() async -> Bool { await answer(to: zfs.version)?.status.isSuccess ?? false }
}
