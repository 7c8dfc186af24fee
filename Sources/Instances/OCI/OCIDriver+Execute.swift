import Foundation
import LinuxHost
package import MigrationCore

extension OCIDriver {
    package func execute(
        _ request: ExecuteRequest, in definition: InstanceDefinition
    ) async throws -> Int32 {
        _ = try requireRunning(definition)
        guard try !cgroup(definition).isFrozen else {
            throw GodwitError(
                .notRunning, "the instance \(definition.name) is frozen",
                remedy: "let it run first: godwit unfreeze \(definition.name)")
        }
        let pidFile = "\(files(definition).directory)/exec-\(UUID().uuidString)"
        defer { try? SmallFile.remove(pidFile) }
        let command = runc.execute(
            request.command, in: definition.name.text, directory: request.workingDirectory,
            user: "\(request.userID):\(request.groupID)", environment: request.environment,
            pidFile: pidFile)
        let session = try ExecuteSession(command)
        let cgroup = try cgroup(definition)
        return try await withTaskCancellationHandler {
            try await session.run(request)
        } onCancel: {
            session.kill(pidFile: pidFile, in: cgroup)
        }
    }
}

/// A command inside an instance, and the pipes that lead to it.
private struct ExecuteSession: Sendable {
    let child: ChildProcess
    private let input: Descriptor
    private let output: Descriptor
    private let errorOutput: Descriptor

    init(_ command: Command) throws {
        let (inputRead, inputWrite) = try Descriptor.pipe()
        let (outputRead, outputWrite) = try Descriptor.pipe()
        let (errorRead, errorWrite) = try Descriptor.pipe()
        child = try ChildProcess.start(
            command, descriptors: [(inputRead, 0), (outputWrite, 1), (errorWrite, 2)])
        input = inputWrite
        output = outputRead
        errorOutput = errorRead
    }

    /// Kills the command inside; runc ends after it, and must not end before it: it writes the file
    /// with the command's number only after the command has begun.
    func kill(pidFile: String, in cgroup: Cgroup) {
        let child = child
        // A task of its own, because a cancel handler may not wait.
        Task {
            _ = await holds(within: .seconds(10)) {
                SmallFile.exists(pidFile) || !ProcessTable.isAlive(child.pid)
            }
            let pid = SmallFile.word(pidFile).flatMap { Int32($0) }
            if let pid, cgroup.processes().contains(pid) { _ = Foundation.kill(pid, SIGKILL) }
            child.signal(SIGKILL)
        }
    }

    func run(_ request: ExecuteRequest) async throws -> Int32 {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let feeding = feed(request.input)
            defer { feeding.cancel() }
            group.addTask { try await forward(output, to: request.output) }
            group.addTask { try await forward(errorOutput, to: request.errorOutput) }
            do {
                try await group.waitForAll()
            } catch {
                child.signal(SIGKILL)
                throw error
            }
            return await child.wait().number
        }
    }

    /// A task of its own: input that never ends must not keep an ended command.
    private func feed(_ chunks: AsyncStream<[UInt8]>) -> Task<Void, Never> {
        let input = input
        return Task {
            for await chunk in chunks {
                do { try await blocking { try input.write(chunk[...]) } } catch { break }
            }
            if !Task.isCancelled { input.close() }
        }
    }
}

private func forward(
    _ pipe: Descriptor, to deliver: @Sendable ([UInt8]) async throws -> Void
) async throws {
    while true {
        let bytes = try await blocking { try pipe.read(upTo: 65_536) }
        if bytes.isEmpty { return }
        try await deliver(bytes)
    }
}
