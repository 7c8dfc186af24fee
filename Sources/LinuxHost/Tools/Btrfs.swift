package import MigrationCore

/// All that is asked of `btrfs`; 6.0 or newer for compressed data.
package enum Btrfs {
    /// Writes the snapshot to standard output: all of it, or what is new since the parent.
    ///
    /// - Parameter isCompressed: in version 2, with compressed extents as they are on disk.
    package static func send(
        _ snapshot: String, parent: String?, isCompressed: Bool
    ) -> Command {
        let version = isCompressed ? ["--proto", "2", "--compressed-data"] : ["--proto", "1"]
        let parent = parent.map { ["-p", $0] } ?? []
        return Command(
            "btrfs", ["send", "--quiet"] + version + parent + [snapshot], environment: plain)
    }

    /// Makes a subvolume below the directory of the stream on standard input; whatever the stream
    /// says, nothing outside of the directory is reached.
    package static func receive(into directory: String) -> Command {
        Command("btrfs", ["receive", "--quiet", "--chroot", directory], environment: plain)
    }

    /// Takes all that the device has come to have.
    package static func grow(_ mountPoint: String) -> Command {
        Command("btrfs", ["filesystem", "resize", "max", mountPoint], environment: plain)
    }

    private static let plain = ["LC_ALL": "C"]

    /// What an end of a pass means by how it ended and what it said; nil for success.
    package static func failure(_ status: ExitStatus, said: String) -> GodwitError? {
        guard !status.isSuccess else { return nil }
        let lines = said.split(separator: "\n").filter { !$0.hasPrefix("Chroot to ") }
        let cause = String(lines.suffix(6).joined(separator: "; ").prefix(2_000))
        if said.contains("No space left on device") || said.contains("Disk quota exceeded") {
            return GodwitError(
                .noSpace, "there is not enough space for the volume",
                remedy: "free space in the target's pool, or make it grow with `godwit pool grow`",
                cause: cause)
        }
        return GodwitError(
            .toolFailed, "btrfs ended with status \(status.number)",
            remedy: "see what it said, and try again", cause: cause.isEmpty ? nil : cause)
    }
}
