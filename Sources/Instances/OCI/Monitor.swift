import Foundation
import LinuxHost
import MigrationCore
import Pages

/// The program behind `godwit monitor`: a process for each running instance that outlives the
/// daemon, keeps the instance's log and learns its exit status.
///
///     daemon ── monitor (its own session) ── runc, which ends ── first process, handed on
package enum Monitor {
    package enum Action: String, Sendable {
        case start, restore
        /// Receives the memory first, and restores when the daemon says so.
        case receive
    }

    /// The descriptor on which the monitor says once, in JSON, how the start went.
    static let reportDescriptor: Int32 = 3

    struct Report: Codable, Equatable, Sendable {
        /// Nil if the instance runs.
        var failure: GodwitError?
        var milliseconds: Double
    }

    /// Starts or restores the instance and returns when it has ended.
    ///
    /// - Parameters:
    ///   - record: the path of the instance's runtime record.
    ///   - streams: how many the memory arrives on.
    package static func run(_ action: Action, record path: String, streams: Int) async throws {
        signal(SIGHUP, SIG_IGN)
        Reaper.adoptOrphans()
        let report = Descriptor(taking: reportDescriptor)
        guard action == .receive else { return await run(action, path, nil, nil, report) }
        let record = try RuntimeRecord.read(path)
        guard
            let (keeper, launch) = try await MemoryKeeper.receive(streams: streams, for: record)
        else { return }
        await run(.restore, path, keeper, launch, report)
    }

    private static func run(
        _ action: Action, _ path: String, _ keeper: MemoryKeeper?, _ prepared: Launch?,
        _ report: Descriptor
    ) async {
        let began = ContinuousClock.now
        do {
            let record = try RuntimeRecord.read(path)
            let server = try keeper?.serve(record)
            let fetch = server.flatMap { server in
                keeper?.listener.map { MemoryFetch(server, $0, record.files) }
            }
            let serving = server.map { serve($0, fetch, record) }
            let output: Descriptor
            do {
                output = try await launch(action, record, prepared, isLazy: server != nil)
            } catch {
                serving?.cancel()
                throw await reason(of: error, serving)
            }
            let keeper = keepLog(from: output, record.files)
            try say(nil, since: began, on: report)
            let status = try await waitForEnd(record.files)
            // With the first process all others are gone, and the pipe ends: who reads the exit
            // status finds the whole log.
            await keeper.value
            // The directory is gone if the driver has removed the instance meanwhile.
            try? SmallFile.replace(record.files.exit, with: Array("\(status)".utf8))
        } catch {
            try? say(error as? GodwitError ?? unexpected(error), since: began, on: report)
        }
    }

    /// Tasks that nobody waits for here: they go on beside the wait for the instance's end.
    ///
    /// An instance that cannot have all of its memory must not go on with zeros in its place.
    private static func serve(
        _ server: LazyPagesServer, _ fetch: MemoryFetch?, _ record: RuntimeRecord
    ) -> Task<GodwitError?, Never> {
        // A task of its own: it ends with the server.
        if let fetch { Task { try? await blocking { fetch.accept() } } }
        // A task of its own: see above.
        return Task {
            do {
                let report = try await server.run()
                // The directory is gone if the instance has been removed meanwhile.
                try? SmallFile.remove(record.files.arriving)
                fetch?.end(report, failure: nil)
                return nil
            } catch {
                let name = record.definition.name
                let path = record.configuration.cgroupPath(of: name)
                try? await Cgroup(path: path).killAll()
                let reason = error as? GodwitError ?? unexpected(error)
                // After the report of the restore nobody listens any more: it stands beside CRIU's.
                let text = "\(reason.message)\n\(reason.cause ?? "")\n"
                try? SmallFile.replace(record.files.criuLog("memory"), with: Array(text.utf8))
                fetch?.end(nil, failure: reason)
                return reason
            }
        }
    }

    /// What the page server says of a restore that failed, or else what runc said.
    private static func reason(
        of error: any Error, _ serving: Task<GodwitError?, Never>?
    ) async -> any Error {
        // That CRIU has ended (`toolFailed`) explains nothing; why it has stands in its log.
        guard let reason = await serving?.value,
            ![.cancelled, .internalFault, .toolFailed].contains(reason.code)
        else { return error }
        return reason
    }

    /// Runs runc and returns the reading end of the pipe that is now the instance's output and
    /// error.
    private static func launch(
        _ action: Action, _ record: RuntimeRecord, _ prepared: Launch?, isLazy: Bool
    ) async throws -> Descriptor {
        if let prepared {
            if try await prepared.letGo() { return try await prepared.finish() }
            await prepared.drop()
        }
        return try await Launch(action, record, isLazy: isLazy, isHeld: false).finish()
    }

    /// A task of its own, because the log goes on while this one waits for the first process.
    private static func keepLog(from output: Descriptor, _ files: InstanceFiles) -> Task<
        Void, Never
    > {
        Task {
            try? await blocking {
                try SmallFile.makeDirectory(files.logDirectory)
                try InstanceLog(files).append(from: output)
            }
        }
    }

    private static func waitForEnd(_ files: InstanceFiles) async throws -> Int32 {
        guard let pid = files.number(in: files.pid) else {
            throw GodwitError(.internalFault, "runc wrote no process number to \(files.pid)")
        }
        return try await blocking {
            try Reaper.wait(for: pid).number
        }
    }

    private static func say(
        _ failure: GodwitError?, since began: ContinuousClock.Instant, on report: Descriptor
    ) throws {
        let milliseconds = (ContinuousClock.now - began) / .milliseconds(1)
        let bytes = try encodedJSON(Report(failure: failure, milliseconds: milliseconds))
        try? report.write(bytes[...])
        report.close()
    }

    private static func unexpected(_ error: any Error) -> GodwitError {
        GodwitError(.internalFault, "the monitor failed", cause: "\(error)")
    }
}
