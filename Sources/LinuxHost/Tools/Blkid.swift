/// All that is asked of `blkid`.
package enum Blkid {
    /// Says which filesystem is on a device, as it is now; status 2 for none.
    package static func filesystem(on device: String) -> Command {
        Command("blkid", ["--probe", "--match-tag", "TYPE", "--output", "value", device])
    }

    /// Which filesystem is on a device; nil for none.
    package static func type(on device: String) async throws -> String? {
        let command = filesystem(on: device)
        let result = try await command.run()
        if result.status == .exited(2) { return nil }
        guard result.status.isSuccess else { throw command.failure(of: result) }
        let type = result.text.filter { !$0.isWhitespace }
        return type.isEmpty ? nil : type
    }

    /// Says what is on a device, be it a filesystem or a table of partitions; status 2 for nothing.
    package static func anything(on device: String) -> Command {
        Command("blkid", ["--probe", "--output", "export", device])
    }
}
