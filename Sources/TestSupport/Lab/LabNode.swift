import Foundation
package import LinuxHost
import MigrationCore

/// One machine of the lab: a host, the client or the switch.
package struct LabNode: Sendable, Equatable {
    /// `a`, `b`, `client` or `switch`.
    package let name: String
    /// Holds the node's files: `pid`, `state`, logs.
    package let directory: String
    /// Its first process, as this machine counts.
    package let pid: Int32

    /// The node's file of that path, as seen from outside.
    package func path(_ inside: String) -> String {
        precondition(inside.hasPrefix("/"))
        return "/proc/\(pid)/root\(inside)"
    }

    /// Runs `words` inside and returns what they said, whatever their status.
    package func run(_ words: [String], seconds: Int = 60) async throws -> ToolResult {
        try await LabCommands.inside(node: pid, words, seconds: seconds).run()
    }

    /// Runs `words` inside and returns their standard output.
    ///
    /// - Throws: `toolFailed` unless the status is 0.
    @discardableResult
    package func check(_ words: [String], seconds: Int = 60) async throws -> String {
        try await LabCommands.inside(node: pid, words, seconds: seconds).check()
    }
}

extension LabNode {
    /// Starts the namespaces of a node and waits until its first process has made itself at home.
    static func start(
        name: String, hostName: String, directory: String, stateOver: String?
    ) async throws -> LabNode {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        let log = directory + "/init.log"
        let command = LabCommands.node(
            script: LabCommands.nodeScript, arguments: [directory, hostName, stateOver ?? ""])
        let child = try startDetached(command, log: log)
        var pid: Int32?
        try await eventually("node \(name) is up", log: log) {
            if !isAlive(child.pid) { throw await failure(of: name, child, log: log) }
            pid = readPid(directory + "/pid")
            return pid != nil
        }
        guard let pid else { preconditionFailure("the condition above held") }
        return LabNode(name: name, directory: directory, pid: pid)
    }

    private static func failure(
        of name: String, _ child: ChildProcess, log: String
    ) async -> GodwitError {
        let status = await child.wait()
        return GodwitError(
            .toolFailed, "the lab's node \(name) ended with status \(status.number)",
            remedy: "run this as root, on a kernel with all namespaces",
            cause: tail(of: log)
        )
    }
}

/// Starts a process with a session of its own that may outlive this one; what it says goes to
/// `log`.
func startDetached(_ command: Command, log: String) throws -> ChildProcess {
    let nothing = try Descriptor.open("/dev/null", O_RDWR)
    let output = try Descriptor.open(log, O_WRONLY | O_CREAT | O_APPEND)
    return try ChildProcess.start(
        command, descriptors: [(nothing, 0), (output, 1), (output, 2)], inNewSession: true)
}

func readPid(_ file: String) -> Int32? {
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
    return Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
}

/// The last lines of a log, for an error's cause.
func tail(of file: String) -> String {
    let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").suffix(8).joined(separator: "; ")
}
