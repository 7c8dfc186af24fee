import LinuxHost
import MigrationCore

extension Command {
    /// Runs to its end, whoever waits for it: lvm that is killed half way leaves volumes suspended,
    /// and all that use them waiting for ever.
    ///
    /// - Throws: `toolMissing` if it cannot be started.
    func runUnbroken() async throws -> ToolResult {
        let command = self
        // It must outlive a move that is cancelled.
        return try await Task { try await command.run() }.value
    }

    /// - Throws: `toolFailed` with the end of what the tool said, unless its status is 0.
    func checkUnbroken() async throws {
        let result = try await runUnbroken()
        guard result.status.isSuccess else { throw failure(of: result) }
    }
}
