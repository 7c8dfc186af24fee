package import MigrationCore

/// All that is asked of `rsync`; 3.2.3 or newer at both ends.
///
/// A transfer is a daemon conversation over our own stream: the target's end serves one module, the
/// volume, from within a chroot, and takes only the options listed below. Nothing that the source
/// says can start a program there or write outside of the volume.
package enum Rsync {
    /// Everything but access times; names as bytes, ids as numbers, times to the nanosecond.
    ///
    /// `--xattrs` twice: once leaves out `user.rsync.%…`, which an instance may own. No
    /// `--inplace`: it writes through hard links that the source has already cut, and into files
    /// that a later failure leaves torn.
    private static let everything = [
        "--archive", "--hard-links", "--acls", "--xattrs", "--xattrs", "--sparse", "--numeric-ids",
    ]

    /// A shell that is to rsync what ssh is elsewhere: it joins rsync's ends to descriptors 3 and
    /// 4.
    ///
    /// The reading half is the one that rsync waits for: it ends when the target has finished.
    package static let shell =
        "sh -c 'exec 5<&0; cat <&5 >&4 3<&- 4>&- 5<&- & exec cat <&3 3<&- 4>&- 5<&-'"

    /// Sends the tree to the daemon at descriptors 3 (from it) and 4 (to it), from within a root of
    /// its own: rsync finds by its name again what it has seen to be a directory, and a running
    /// instance may have put a link there meanwhile.
    ///
    /// Without incremental recursion: with it, rsync 3.5.0 was seen to wait for ever at both ends
    /// when hard links came and went while it read the tree. The timeout ends whatever else stands
    /// still. Blocking, as the shell's `cat` does not write again what the kernel cannot take yet.
    ///
    /// - Parameters:
    ///   - isListed: whether only what standard input names is looked at, as `list` writes it.
    ///   - keepsParts: what has come of a large file when the link breaks stays, with another time
    ///     than the source's. It takes the place of what was there before, even if that was more.
    package static func send(
        _ root: String, isListed: Bool = false, keepsParts: Bool = false
    ) -> Command {
        Command(
            "rsync",
            everything + alike + (isListed ? listed : []) + (keepsParts ? ["--partial"] : []) + [
                "--timeout=300", "--blocking-io",
                "--rsh=\(shell)", "/tree/", "target::volume/",
            ],
            environment: plain, root: ToolRoot(reading: (root, "tree"))
        )
    }

    /// How one tree becomes what another one is.
    private static let alike = [
        "--delete-during", "--modify-window=-1", "--open-noatime", "--no-inc-recursive",
    ]

    /// Directories that are named with a slash at their end lose what is not in them any more. What
    /// is named and gone is left to its directory.
    private static let listed = [
        "--dirs", "--ignore-missing-args", "--from0", "--files-from=-",
    ]

    /// What a transfer looks at.
    ///
    /// - Parameter places: as `TreeChanges.places`; the root's own names if there are none.
    package static func list(_ places: [[UInt8]]) -> [UInt8] {
        Array((places.isEmpty ? [Array("./".utf8)] : places).joined(separator: [0])) + [0]
    }

    /// Serves the volume once, on standard input and output, as the configuration on descriptor 5
    /// says.
    package static func receive() -> Command {
        Command(
            "rsync",
            [
                "--server", "--daemon", "--config=/proc/self/fd/5", "--log-file=/proc/self/fd/2",
                ".",
            ],
            environment: plain
        )
    }

    /// The daemon's configuration.
    ///
    /// - Throws: `badRequest` if the path cannot be written into it unambiguously.
    package static func configuration(volume: String) throws -> [UInt8] {
        let isPlain = volume.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x25 && $0 != 0x5c }
        guard volume.hasPrefix("/"), isPlain, !volume.hasSuffix(" ") else {
            throw GodwitError(
                .badRequest, "the pool's path \(volume) has characters that rsync does not take",
                remedy: "move the pool to an absolute path without %, backslash and line ends")
        }
        let lines = [
            "use chroot = yes", "numeric ids = yes", "uid = 0", "gid = 0", "munge symlinks = no",
            "fake super = no", "reverse lookup = no", "max connections = 0",
            "transfer logging = no", "[volume]", "path = \(volume)", "read only = no",
            "write only = yes", "list = no", "refuse options = * \(accepted)", "",
        ]
        return Array(lines.joined(separator: "\n").utf8)
    }

    /// Options that `send` needs at the other end; all others are refused.
    private static let accepted = [
        "archive", "a", "e", "s", "v", "r", "l", "p", "t", "g", "o", "D", "H", "A", "X", "S",
        "recursive", "links", "perms", "times", "group", "owner", "devices", "specials",
        "hard-links", "acls", "xattrs", "sparse", "numeric-ids", "delete", "delete-during",
        "modify-window", "open-noatime", "partial", "timeout", "R", "relative", "d", "dirs", "no-r",
    ].map { "!\($0)" }.joined(separator: " ")

    /// Copies a tree on this host into an existing directory.
    package static func copy(_ tree: String, into directory: String) -> Command {
        // Without the window rsync compares whole seconds, and keeps no fraction where these agree.
        Command(
            "rsync", everything + ["--modify-window=-1", "\(tree)/", "\(directory)/"],
            environment: plain)
    }

    /// Makes one tree of this host what another one is, which may change meanwhile; from within a
    /// root of its own, as in `send`.
    ///
    /// - Parameter isListed: as in `send`.
    package static func update(
        _ directory: String, to tree: String, isListed: Bool = false
    ) -> Command {
        Command(
            "rsync",
            everything + alike + (isListed ? listed : []) + ["/tree/", "/copy/"],
            environment: plain,
            root: ToolRoot(reading: (tree, "tree"), writing: (directory, "copy")))
    }

    private static let plain = ["LC_ALL": "C"]

    /// What an end of rsync means by how it ended and what it said.
    ///
    /// - Parameter tolerant: whether files that vanish or change meanwhile are no failure.
    /// - Returns: nil for success; `linkLost` where the other end must know the reason.
    package static func failure(
        _ status: ExitStatus, said: String, tolerant: Bool
    ) -> GodwitError? {
        let lines = said.split(separator: "\n")
        switch status {
        case .exited(0): return nil
        case .exited(24) where tolerant: return nil
        case .exited(23) where tolerant && lines.allSatisfy(isOfARunningTree): return nil
        default: break
        }
        let strange = lines.filter { !isOfARunningTree($0) }
        let telling = strange.isEmpty ? lines.filter { !isNoise($0) } : strange
        let cause = telling.suffix(6).joined(separator: "; ")
        if said.contains("No space left on device") || said.contains("Disk quota exceeded") {
            return GodwitError(
                .noSpace, "there is not enough space for the volume",
                remedy: "free space in the target's pool, or choose another pool", cause: cause)
        }
        // 10, 12, 30, 35: socket, protocol stream, timeouts: what follows when the other end has
        // gone.
        let isAftermath = [10, 12, 30, 35].map(ExitStatus.exited).contains(status)
        return GodwitError(
            isAftermath ? .linkLost : .toolFailed, "rsync ended with status \(status.number)",
            remedy: "see what it said, and try again", cause: String(cause.prefix(2_000)))
    }

    /// Whether a pass that counts as good has left out what it could not read or remove.
    package static func isPartial(_ status: ExitStatus) -> Bool { status == .exited(23) }

    private static func isOfARunningTree(_ line: Substring) -> Bool {
        isNoise(line) || harmless.contains { line.contains($0) }
    }

    /// What files that come, go and change while they are read make rsync say.
    private static let harmless = [
        "vanished", "No such file or directory (2)", "Not a directory (20)",
        "Is a directory (21)", "Directory not empty (39)", "Too many levels of symbolic links (40)",
        "No data available (61)", "Stale file handle (116)", "failed verification",
        "IO error encountered -- skipping file deletion", "cannot delete non-empty directory",
    ]

    private static func isNoise(_ line: Substring) -> Bool {
        [
            "rsync error: some files", "rsync warning: some files", "connect from ",
            "rsync to volume",
            "receiving file list", "] sent ",
        ].contains { line.contains($0) }
    }
}
