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
}
