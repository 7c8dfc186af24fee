import LinuxHost
import MigrationCore

enum BtrfsTools {
    /// The newest version of the send stream that kernel and tools here write and read; 2 has
    /// compressed data.
    static func newestStream() async -> Int {
        let text = await answer(to: Versions.btrfsVersion("btrfs"))?.text ?? ""
        let isNew = ToolTexts.btrfsVersion(text).map { $0 >= Version(6, 0) } ?? false
        return min(Subvolume.kernelStreams, isNew ? 2 : 1)
    }

    /// Which filesystem is on a device; nil for none.
    static func filesystem(on device: String) async throws -> String? {
        let command = Blkid.filesystem(on: device)
        let result = try await command.run()
        if result.status == .exited(2) { return nil }
        guard result.status.isSuccess else { throw command.failure(of: result) }
        let type = result.text.filter { !$0.isWhitespace }
        return type.isEmpty ? nil : type
    }
}
