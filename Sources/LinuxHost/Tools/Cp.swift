package import MigrationCore

/// All that is asked of GNU `cp`.
package enum Cp {
    /// Makes a copy of a tree that nobody changes meanwhile, with owners, times, links, holes and
    /// all attributes; blocks are shared where the filesystem can.
    ///
    /// - Parameter path: what the tree is called then; nothing, or an empty directory, is there.
    package static func tree(_ tree: String, to path: String) -> Command {
        Command(
            "cp",
            [
                "--archive", "--reflink=auto", "--sparse=auto", "--no-target-directory", "--",
                tree, path,
            ],
            environment: ["LC_ALL": "C"])
    }

    /// Why there is no whole copy; nil if there is one.
    package static func failure(_ status: ExitStatus, said: String) -> GodwitError? {
        guard !status.isSuccess else { return nil }
        let cause = said.split(separator: "\n").prefix(6).joined(separator: "; ")
        if said.contains("No space left on device") || said.contains("Disk quota exceeded") {
            return GodwitError(
                .noSpace, "there is not enough space for a copy of the volume",
                remedy: "free space in the pool", cause: String(cause.prefix(2_000)))
        }
        return GodwitError(
            .toolFailed, "cp ended with status \(status.number)",
            remedy: "see what it said, and try again", cause: String(cause.prefix(2_000)))
    }
}
