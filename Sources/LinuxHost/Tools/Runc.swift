/// All that this project ever asks of `runc` (1.1 and newer).
package struct Runc: Codable, Equatable, Sendable {
    package var path: String
    /// Where runc keeps the state of its containers; one for each host on a kernel.
    package var root: String
    package var criu: String

    package init(path: String, root: String, criu: String) {
        self.path = path
        self.root = root
        self.criu = criu
    }

    /// The file among a checkpoint's images that runc reads before it starts CRIU: what the first
    /// process's standard streams were.
    package static let descriptors = "descriptors.json"

    /// Where a container's state lies.
    package func state(of name: String) -> String { "\(root)/\(name)" }

    /// Makes and starts the container with runc's own standard streams as its streams.
    package func run(_ name: String, bundle: String, pidFile: String, log: String) -> Command {
        command(
            log: log,
            ["run", "--detach", "--bundle", bundle, "--pid-file", pidFile, name])
    }

    /// Dumps the container and leaves it as it was, frozen or running.
    ///
    /// - Parameters:
    ///   - images, work: absolute; runc takes relative ones from another directory when it
    ///     restores.
    ///   - keepsConnections: established TCP connections are dumped; without it they fail the dump
    ///     unless the container's CRIU configuration says `tcp-close`.
    package func checkpoint(
        _ name: String, images: String, work: String, keepsConnections: Bool, log: String
    ) -> Command {
        command(
            log: log,
            ["checkpoint", "--leave-running", "--file-locks"]
                + (keepsConnections ? ["--tcp-established"] : [])
                + ["--image-path", images, "--work-path", work, name])
    }

    /// Restores into a new container; its pipes are connected to runc's own standard streams.
    ///
    /// - Parameter isLazy: memory comes from a page server that listens in `work` already.
    package func restore(
        _ name: String, bundle: String, images: String, work: String, keepsConnections: Bool,
        isLazy: Bool = false, pidFile: String, log: String
    ) -> Command {
        command(
            log: log,
            ["restore", "--detach", "--file-locks"]
                + (keepsConnections ? ["--tcp-established"] : [])
                + (isLazy ? ["--lazy-pages"] : [])
                + ["--image-path", images, "--work-path", work, "--bundle", bundle]
                + ["--pid-file", pidFile, name])
    }

    /// Kills and forgets the container; there need not be one.
    package func delete(_ name: String) -> Command {
        command(log: nil, ["delete", "--force", name])
    }

    package func execute(
        _ words: [String], in name: String, directory: String, user: String,
        environment: [String], pidFile: String
    ) -> Command {
        command(
            log: nil,
            ["exec", "--cwd", directory, "--user", user, "--pid-file", pidFile]
                + environment.flatMap { ["--env", $0] } + [name] + words)
    }

    private func command(log: String?, _ arguments: [String]) -> Command {
        let logging = log.map { ["--log", $0] } ?? []
        return Command(path, ["--root", root, "--criu", criu] + logging + arguments)
    }
}
