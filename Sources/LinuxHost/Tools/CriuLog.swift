/// What CRIU's log says about a failure: one line that names the cause, and what to do about it.
package struct CriuLog: Equatable, Sendable {
    /// The line that matters, without time and without the place in CRIU's source.
    package let cause: String
    package let remedy: String

    /// - Returns: nil if the log holds no error at all.
    package init?(_ text: String) {
        let errors = text.split(separator: "\n").compactMap(Self.error).filter { line in
            !Self.harmless.contains { line.contains($0) }
        }
        for known in Self.known {
            if let line = errors.first(where: { $0.contains(known.mark) }) {
                cause = line
                remedy = known.remedy
                return
            }
        }
        // The first error is the cause, the others are its consequences.
        guard let first = errors.first else { return nil }
        cause = first
        remedy = "read the whole log; CRIU's messages are explained at https://criu.org"
    }

    /// The message of a line such as `(00.046743)      1: Error (criu/util.c:1534): rlimit: ...`.
    private static func error(_ line: Substring) -> String? {
        guard let mark = line.firstRange(of: "Error (") else { return nil }
        let rest = line[mark.upperBound...]
        guard let end = rest.firstRange(of: "): ") else { return nil }
        return String(rest[end.upperBound...].prefix(500))
    }

    private static let harmless = [
        "Can't setup RLIMIT_NOFILE", "Can't keep kdat cache", "Can't open /dev/userfaultfd",
    ]

    private static let known: [(mark: String, remedy: String)] = [
        ("io_uring", "stop the use of io_uring in the instance, CRIU cannot dump it"),
        (
            "nested user namespace",
            "stop the program in the instance that has made a user namespace of its own"
        ),
        (
            "Can't get 1:16 opt",
            "install CRIU 4.2 or newer: older ones cannot dump sockets on this kernel"
        ),
        (
            "External socket is used",
            "close the instance's connections to Unix sockets of the host (do not mount them)"
        ),
        (
            "Can't dump half of stream unix connection",
            "close the instance's connections to Unix sockets of the host (do not mount them)"
        ),
        (
            "Connected TCP socket",
            "move with --tcp=keep or --tcp=close, which say what becomes of connections"
        ),
        ("Unable to find a master for", "start the instance without a terminal of the host"),
        ("tty: Found dangling tty", "start the instance without a terminal of the host"),
        (
            "Can't dump ghost file",
            "have the program close its deleted file: it is larger than the ghost-limit"
        ),
        (
            "has bad size",
            "freeze the volume with the process: a file was changed after the checkpoint"
        ),
        (
            "has bad build-id",
            "make the volumes equal: a program or library differs on the target"
        ),
        (
            "has bad mode",
            "make the volumes equal: a file's permissions changed after the checkpoint"
        ),
        (
            "Can't open file",
            "make the volumes equal: a file of the instance is missing on the target"
        ),
        (
            "Can't lookup mount=",
            "have the program close the file, which lies outside the instance's own mounts"
        ),
        (
            "No space left on device",
            "free memory on this host: process images are kept in memory until they are used"
        ),
        (
            "already in use",
            "free the process id or address that the instance needs on the target"
        ),
        (
            "Unsupported mapping",
            "have the program unmap the device: CRIU cannot dump that memory"
        ),
    ]
}
