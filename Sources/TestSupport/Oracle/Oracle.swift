import Foundation
import LinuxHost
package import MigrationCore

/// An instance that tells of every page of its memory whether it is right, on one of two hosts that
/// trust each other.
package struct Oracle: Sendable {
    package let lab: Lab
    package static let name = "oracle"
    package static let address = Lab.address(10)

    /// What the instance says when it is asked.
    package struct Answer: Equatable, Sendable {
        /// Pages that are wrong, and 1,000,000 for each task that does not answer.
        package var wrong: Int
        package var checked: Int
        package var tasks: Int
        /// How often it has changed its memory since it was started.
        package var steps: Int

        package init(wrong: Int, checked: Int, tasks: Int, steps: Int) {
            self.wrong = wrong
            self.checked = checked
            self.tasks = tasks
            self.steps = steps
        }
    }

    /// Brings two hosts up, with the instance on host a.
    package static func with<Value: Sendable>(
        _ variant: OracleVariant, root: String, _ body: (Oracle) async throws -> Value
    ) async throws -> Value {
        try await Lab.with { lab in
            try await lab.startDaemons()
            let token = try await lab.check("b", ["trust", "add", "host-a"])
            try await lab.check(
                "a", ["remote", "add", "host-b", token.trimmingCharacters(in: .newlines)])
            let oracle = Oracle(lab: lab)
            try await oracle.launch(variant, root: root)
            return try await body(oracle)
        }
    }

    /// A root filesystem with the program in it.
    package static func makeRoot(at path: String) async throws {
        let base = try await RootFilesystem.tiny.path()
        try await Command("cp", ["-a", base, path]).check()
        try await OracleProgram.build(into: path)
    }

    private func launch(_ variant: OracleVariant, root: String) async throws {
        let network = ["--address", "\(Self.address)/24", "--bridge", Lab.bridge]
        let command = ["--", OracleProgram.path, variant.rawValue]
        try await lab.check("a", ["launch", root, Self.name] + network + command)
        try await eventually("the oracle is ready", within: 30, log: lab.daemonLog(of: "a")) {
            try await lab.godwit("a", ["logs", Self.name]).text.contains("ready")
        }
    }

    /// Moves it and returns the source's report.
    package func move(
        from source: String, to target: String, options: [String] = []
    ) async throws -> MigrationReport {
        try await lab.move(Self.name, from: source, to: target, options)
    }

    /// Has the instance compare all of its memory.
    package func verify(program: String = Lab.builtLab) async throws -> Answer {
        let words = [
            program, "ask", Self.address, "6379", "VERIFY", "CHECKED", "TASKS", "STEPS",
        ]
        let said = try await LabCommands.network(of: lab.client.pid, words).check()
        let numbers = said.split(separator: "\n").compactMap { Int($0) }
        guard numbers.count == 4 else {
            throw GodwitError(.protocolViolation, "the oracle said \"\(said)\"")
        }
        return Answer(
            wrong: numbers[0], checked: numbers[1], tasks: numbers[2], steps: numbers[3])
    }

    /// What the instance has written about its wrong pages.
    package func explanations(on host: String) async throws -> [String] {
        let words = ["exec", Self.name, "--", "/bin/busybox", "cat", OracleProgram.explanations]
        return try await lab.godwit(host, words).text.split(separator: "\n").map(String.init)
    }

    /// What the CRIU of a host has said about its last failure.
    package func criuErrors(on host: String) -> [String] {
        let logs = Lab.stateDirectory + "/logs/migrations/" + Self.name
        return ["dump", "restore"].flatMap { action in
            let path = lab.host(host).path("\(logs)-\(action).log")
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            let errors = text.split(separator: "\n").filter { $0.contains("Error (") }
            return errors.suffix(5).map { "\(host) \(action): \($0)" }
        }
    }
}

extension MemoryReport {
    /// Pages that travelled before the freeze.
    package var pagesAhead: UInt64 { rounds.dropLast().reduce(0) { $0 + $1.pages } }

    /// Pages that travelled at all; one that was written again counts again.
    package var pagesCarried: UInt64 { rounds.reduce(0) { $0 + $1.pages } }
}
