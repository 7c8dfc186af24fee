import Foundation
import LinuxHost
import MigrationCore

/// A runc that makes an instance, from the start of its process on.
struct Launch {
    private let record: RuntimeRecord
    private let action: Monitor.Action
    private let runc: ChildProcess
    private let hook: NetworkHook
    private let served: Task<Void, Never>
    /// The reading end of what will be the instance's output and error.
    private let output: Descriptor
    private let hold: CriuHold?

    /// - Parameters:
    ///   - isLazy: memory comes from a page server.
    ///   - isHeld: CRIU waits before it reads the first image.
    init(
        _ action: Monitor.Action, _ record: RuntimeRecord, isLazy: Bool, isHeld: Bool
    ) throws {
        let files = record.files
        self.action = action
        self.record = record
        try SmallFile.replace(files.monitor, with: Array("\(getpid())".utf8))
        try record.prepareCgroups()
        let (output, input) = try Descriptor.pipe()
        let nothing = try Descriptor.open("/dev/null", O_RDONLY)
        hold = isHeld ? try CriuHold(in: files.directory) : nil
        let hook = try NetworkHook(record)
        runc = try ChildProcess.start(
            Self.command(action, record, isLazy: isLazy, isHeld: isHeld),
            descriptors: [(nothing, 0), (input, 1), (input, 2)])
        input.close()
        self.output = output
        self.hook = hook
        // A task of its own: it ends with the hook or with `finish`.
        served = Task { await hook.serve() }
    }

    /// - Returns: false if runc or CRIU has ended instead of waiting.
    func letGo() async throws -> Bool {
        guard let hold, try await blocking({ try hold.waitsAhead(of: runc) }) else { return false }
        return (try? hold.letGo()) != nil
    }

    /// Waits for runc's end.
    ///
    /// - Returns: the instance's output and error.
    func finish() async throws -> Descriptor {
        let status = await runc.wait()
        hook.end()
        await served.value
        guard status.isSuccess else { throw failure(status) }
        return output
    }

    /// Ends a launch that is held; nothing of the instance has been made.
    func drop() async {
        await hold?.drop(runc)
        hook.end()
        await served.value
    }

    private static func command(
        _ action: Monitor.Action, _ record: RuntimeRecord, isLazy: Bool, isHeld: Bool
    ) -> Command {
        let (files, runc) = (record.files, record.configuration.runc)
        let name = record.definition.name.text
        guard action != .start else {
            return runc.run(
                name, bundle: files.directory, pidFile: files.pid, log: files.runcLog)
        }
        var command = runc.restore(
            name, bundle: files.directory, images: files.images, work: files.work,
            keepsConnections: record.keepsConnections, isLazy: isLazy, pidFile: files.pid,
            log: files.runcLog)
        if isLazy {
            let library = Criu.library(of: record.configuration.executable)
            command.environment = Criu.restoringLazily(
                library: library, hold: isHeld ? files.directory : nil)
        }
        return command
    }

    private func failure(_ status: ExitStatus) -> GodwitError {
        let files = record.files
        guard action == .start else {
            return CriuFailure.error(.restoreFailed, files, action: "restore")
        }
        return GodwitError(
            .toolFailed, "the instance \(files.name) could not be started",
            remedy: "see whether its command, user and mounts exist in its root filesystem",
            cause: CriuFailure.lastWords(of: files.runcLog)
                ?? "runc ended with status \(status.number)")
    }
}
