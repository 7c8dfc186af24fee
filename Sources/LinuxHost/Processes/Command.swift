import Foundation
package import MigrationCore

/// A command line as a value: what a tool is asked, before anything runs.
package struct Command: Equatable, Sendable, CustomStringConvertible {
    /// A name that is searched in PATH, or an absolute path.
    package var tool: String
    package var arguments: [String]
    /// Added to this process's environment.
    package var environment: [String: String]
    package var directory: String?
    /// Nil for the host's.
    package var root: ToolRoot?

    package init(
        _ tool: String, _ arguments: [String], environment: [String: String] = [:],
        directory: String? = nil, root: ToolRoot? = nil
    ) {
        self.tool = tool
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.root = root
    }

    package var description: String { ([tool] + arguments).joined(separator: " ") }
}

/// How a process ended.
package enum ExitStatus: Equatable, Sendable {
    case exited(Int32)
    case signalled(Int32)

    package var isSuccess: Bool { self == .exited(0) }

    /// The shell's number: 128 + signal for a killed process.
    package var number: Int32 {
        switch self {
        case .exited(let status): status
        case .signalled(let signal): 128 + signal
        }
    }
}

/// What a tool left behind: its status and what it wrote, cut at the limit.
package struct ToolResult: Equatable, Sendable {
    package let status: ExitStatus
    package let output: [UInt8]
    package let errorOutput: [UInt8]

    package var text: String { String(decoding: output, as: UTF8.self) }
    package var errorText: String { String(decoding: errorOutput, as: UTF8.self) }
}

extension Command {
    /// Runs the tool to its end, which is when it and all that hold its standard streams have let
    /// go. Cancelling the task kills the tool and its process group.
    ///
    /// - Throws: `toolMissing` if it cannot be started; a status other than 0 does not throw.
    package func run(
        input: [UInt8] = [], limit: ByteCount = Limit.toolOutput
    ) async throws -> ToolResult {
        let started = try startWithPipes()
        return try await withTaskCancellationHandler {
            async let errorOutput = drain(started.error, limit: limit)
            async let output = drain(started.output, limit: limit)
            async let fed: Void = feed(started.input, input)
            let (kept, keptErrors, _) = try await (output, errorOutput, fed)
            let status = await started.child.wait()
            try Task.checkCancellation()
            return ToolResult(status: status, output: kept, errorOutput: keptErrors)
        } onCancel: {
            started.child.signalGroup(SIGKILL)
        }
    }

    /// Runs the tool to its end and gives away what it writes, piece by piece as it comes.
    ///
    /// - Throws: what `take` throws, `toolFailed` unless the tool's status is 0, `toolMissing`.
    package func pour(_ take: @escaping @Sendable ([UInt8]) throws -> Void) async throws {
        let started = try startWithPipes()
        started.input.close()
        let result = try await withTaskCancellationHandler {
            async let errorOutput = drain(started.error, limit: Limit.toolOutput)
            let poured = await outcome(of: started, take)
            let said = try await errorOutput
            let status = await started.child.wait()
            try Task.checkCancellation()
            try poured.get()
            return ToolResult(status: status, output: [], errorOutput: said)
        } onCancel: {
            started.child.signalGroup(SIGKILL)
        }
        guard result.status.isSuccess else { throw failure(of: result) }
    }

    /// A tool whose output nobody takes any more would wait for ever.
    private func outcome(
        of started: Started, _ take: @escaping @Sendable ([UInt8]) throws -> Void
    ) async -> Result<Void, any Error> {
        do {
            try await blocking {
                while true {
                    let bytes = try started.output.read(upTo: 1 << 18)
                    if bytes.isEmpty { return }
                    try take(bytes)
                }
            }
            return .success(())
        } catch {
            started.child.signalGroup(SIGKILL)
            return .failure(error)
        }
    }

    /// The child's ends of the pipes are closed here when this returns, so that ours can end.
    private func startWithPipes() throws -> Started {
        let (inputRead, inputWrite) = try Descriptor.pipe()
        let (outputRead, outputWrite) = try Descriptor.pipe()
        let (errorRead, errorWrite) = try Descriptor.pipe()
        let child = try ChildProcess.start(
            self, descriptors: [(inputRead, 0), (outputWrite, 1), (errorWrite, 2)])
        return Started(child: child, input: inputWrite, output: outputRead, error: errorRead)
    }

    /// Runs the tool and returns its standard output as text.
    ///
    /// - Throws: `toolFailed` with the end of what the tool said, unless its status is 0.
    @discardableResult
    package func check(input: [UInt8] = []) async throws -> String {
        let result = try await run(input: input)
        guard result.status.isSuccess else { throw failure(of: result) }
        return result.text
    }

    /// The error for a run that ended with another status than 0.
    package func failure(of result: ToolResult) -> GodwitError {
        let said = result.errorText.isEmpty ? result.text : result.errorText
        let tail = said.split(separator: "\n").suffix(5).joined(separator: "; ")
        return GodwitError(
            .toolFailed, "\(tool) ended with status \(result.status.number)",
            remedy: "see what it said; the command was: \(String(description.prefix(1000)))",
            cause: tail.isEmpty ? nil : String(tail.prefix(2000))
        )
    }
}

private struct Started: Sendable {
    let child: ChildProcess
    let input: Descriptor
    let output: Descriptor
    let error: Descriptor
}

/// Reads to the end and keeps the first `limit` bytes.
func drain(_ descriptor: Descriptor, limit: ByteCount) async throws -> [UInt8] {
    try await blocking {
        var kept: [UInt8] = []
        while true {
            let bytes = try descriptor.read(upTo: 65_536)
            if bytes.isEmpty { return kept }
            kept += bytes.prefix(max(0, Int(limit.bytes) - kept.count))
        }
    }
}

/// Writes everything and closes; a tool that does not read its input is no error.
private func feed(_ descriptor: consuming Descriptor, _ input: [UInt8]) async throws {
    guard !input.isEmpty else { return descriptor.close() }
    try await blocking { [descriptor] in
        try? descriptor.write(input[...])
        descriptor.close()
    }
}
