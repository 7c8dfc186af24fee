package import MigrationCore

/// All that is asked of `zfs`; every word but `-c` is known to zfs-fuse 0.7, too.
package struct Zfs: Sendable {
    /// A name that is searched in PATH, or a path.
    private let tool: String

    package init(tool: String = "zfs") { self.tool = tool }

    /// Another status than 0 from zfs-fuse and OpenZFS before 0.8.
    package var version: Command { command(["version"]) }

    /// Values of properties, one a line in that order, numbers with all their digits.
    package func values(_ properties: [String], of name: String) -> Command {
        command(["get", "-H", "-p", "-o", "value", properties.joined(separator: ","), name])
    }

    /// A line `NAME TAB PROPERTY TAB VALUE` for each property of the dataset and of all below it;
    /// snapshots follow their dataset in the order in which they were made.
    package func values(_ properties: [String], below dataset: String) -> Command {
        command([
            "get", "-r", "-H", "-p", "-o", "name,property,value",
            properties.joined(separator: ","), dataset,
        ])
    }

    /// The dataset and those right below it, a name a line.
    package func children(of dataset: String) -> Command {
        command(["list", "-H", "-d", "1", "-o", "name", "-t", "filesystem", dataset])
    }

    package func create(_ dataset: String, _ properties: [String]) -> Command {
        command(["create"] + properties.flatMap { ["-o", $0] } + [dataset])
    }

    /// Makes a dataset that shares all with the snapshot.
    package func clone(
        _ snapshot: String, to dataset: String, _ properties: [String]
    ) -> Command {
        command(["clone"] + properties.flatMap { ["-o", $0] } + [snapshot, dataset])
    }

    /// - Parameter property: as `name=value`; one at a time for zfs-fuse.
    package func set(_ property: String, of dataset: String) -> Command {
        command(["set", property, dataset])
    }

    /// Mounts at what its property `mountpoint` says.
    package func mount(_ dataset: String) -> Command { command(["mount", dataset]) }
    package func unmount(_ dataset: String) -> Command { command(["unmount", dataset]) }

    /// A dataset with all below it, or a snapshot.
    package func rename(_ name: String, to newName: String) -> Command {
        command(["rename", name, newName])
    }

    /// Destroys a dataset without anything below it, or a snapshot.
    package func destroy(_ name: String) -> Command { command(["destroy", name]) }

    /// Destroys a dataset with its snapshots and all below it, unless others were made of those.
    package func destroyAll(_ dataset: String) -> Command { command(["destroy", "-r", dataset]) }

    package func snapshot(_ name: String) -> Command { command(["snapshot", name]) }

    /// Gives up what has come into the dataset since its newest snapshot.
    package func rollback(to snapshot: String) -> Command { command(["rollback", snapshot]) }

    /// Writes the snapshot to standard output: all of it, or what is new since another one of the
    /// dataset.
    ///
    /// - Parameter isCompressed: blocks as they are on disk, since OpenZFS 0.7.
    package func send(_ snapshot: String, since base: String?, isCompressed: Bool) -> Command {
        let base = base.map { ["-i", $0] } ?? []
        return command(["send"] + (isCompressed ? ["-c"] : []) + base + [snapshot])
    }

    /// Writes what is missing of a snapshot to a dataset whose property `receive_resume_token` is
    /// this; since OpenZFS 0.7. Whatever snapshot of this host the token names is sent.
    package func send(resuming token: String) -> Command { command(["send", "-t", token]) }

    /// What a token says, as a line `name = value` for each; sends nothing.
    package func contents(of token: String) -> Command {
        command(["send", "-n", "-v", "-t", token])
    }

    /// Makes the dataset of the stream on standard input, or brings one up to date that has what
    /// the stream builds upon as its newest snapshot, and gives up what came into it since then.
    /// It does not get mounted.
    ///
    /// - Parameter isResumable: of a stream that breaks, what has come stays, with the property
    ///   `receive_resume_token`; since OpenZFS 0.7.
    package func receive(into dataset: String, isResumable: Bool = false) -> Command {
        command(["receive"] + (isResumable ? ["-s"] : []) + ["-F", "-u", dataset])
    }

    private func command(_ words: [String]) -> Command {
        Command(tool, words, environment: ["LC_ALL": "C"])
    }

    /// What an end of `zfs` or `zpool` means by how it ended and what it said; nil for success.
    package static func failure(_ status: ExitStatus, said: String) -> GodwitError? {
        guard !status.isSuccess else { return nil }
        let lines = said.split(separator: "\n").suffix(6)
        let cause = String(lines.joined(separator: "; ").prefix(2_000))
        let full = ["out of space", "No space left on device", "quota exceeded"]
        if full.contains(where: { said.contains($0) }) {
            return GodwitError(
                .noSpace, "there is not enough space for the volume",
                remedy: "free space in the target's pool, or make it grow with `godwit pool grow`",
                cause: cause)
        }
        // With the words before it: a volume may be called so.
        if [" is busy", "resource busy", "Device busy"].contains(where: { said.contains($0) }) {
            return GodwitError(
                .busy, "a dataset is in use", remedy: "see the cause for which, and by whom",
                cause: cause)
        }
        return GodwitError(
            .toolFailed, "zfs ended with status \(status.number)",
            remedy: "see what it said, and try again", cause: cause.isEmpty ? nil : cause)
    }
}
