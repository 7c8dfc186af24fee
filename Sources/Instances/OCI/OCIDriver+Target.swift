import Foundation
import LinuxHost
package import MigrationCore
import Pages

extension OCIDriver {
    package func prepareRestore(_ definition: InstanceDefinition, root: String) async throws {
        guard try cgroup(definition).processes().isEmpty else {
            throw GodwitError(
                .alreadyRunning, "an instance \(definition.name) runs on the target already")
        }
        try await clear(definition)
        try await layDetours(definition)
        try makeBundle(restoring(definition, root: root, MoveOptions()))
    }

    package func receiveCheckpoint(
        _ definition: InstanceDefinition,
        root: String,
        options: MoveOptions,
        from stream: any ByteStream,
        progress: @escaping @Sendable (ByteCount) -> Void
    ) async throws -> CheckpointResult {
        let files = files(definition)
        try SmallFile.remove(files.images)
        try SmallFile.makeDirectory(files.images)
        // The root of the instance's user namespace opens some of the images itself. The directory
        // above is closed to everyone but root, CRIU passes a descriptor of this one.
        guard unsafe chmod(files.images, 0o755) == 0 else {
            throw GodwitError.kernel("open \(files.images) to the instance")
        }
        try SmallFile.makeDirectory(files.work)
        try makeBundle(restoring(definition, root: root, options))
        let received = try await CheckpointReader(directory: files.images)
            .receive(
                from: stream,
                arrived: { name in
                    // A source that prepares its dump sends it long before the rest.
                    guard name == Runc.descriptors else { return }
                    keepers.prepareRestore(of: definition.name)
                }, progress: progress)
        try takeIDs(definition)
        return CheckpointResult(digest: received.digest, bytes: received.bytes, statistics: [:])
    }

    package func restore(
        _ definition: InstanceDefinition, root: String, options: MoveOptions
    ) async throws -> [String: Double] {
        let files = files(definition)
        guard SmallFile.exists(files.images) else {
            throw GodwitError(
                .restoreFailed, "no process images of \(definition.name) have arrived here")
        }
        let began = ContinuousClock.now
        async let ports: Void = openPorts(definition, images: files.images)
        let runcTime = try await restore(definition, files)
        try await ports
        try await fillSubgroups(restoring(definition, root: root, options))
        // A paused instance must not reach the network before it stands.
        if options.isPaused { try await cgroup(definition).freeze() }
        let restored = ContinuousClock.now
        if options.isPaused {
            await packetHolds.drop(definition.name)
        } else {
            try await resumeTraffic(definition)
        }
        let connected = ContinuousClock.now
        var times = CriuStatistics.parse(
            (try? SmallFile.bytes("\(files.work)/stats-restore")) ?? [])
        times["restore"] = (restored - began) / .milliseconds(1)
        times["network"] = (connected - restored) / .milliseconds(1)
        times["runc"] = runcTime
        CriuFailure.keepLog(files, action: "restore")
        // The instance runs: nothing may fail any more. The page server removes its sockets at the
        // same time, and what is left goes with the next move or the instance.
        try? SmallFile.remove(files.images)
        try? SmallFile.remove(files.work)
        try? await cgroup(definition).removeBirthplace()
        return times
    }

    /// By the keeper of its memory, if that came ahead.
    private func restore(_ definition: InstanceDefinition, _ files: InstanceFiles) async throws
        -> Double
    {
        guard let keeper = keepers.take(definition.name) else {
            return try await startMonitor(.restore, files)
        }
        do { try keeper.restore() } catch {
            await keeper.discard()
            throw error
        }
        return try await readReport(from: keeper.report, files)
    }

    package func discardRestore(_ definition: InstanceDefinition) async throws {
        try await clear(definition)
    }

    private func restoring(
        _ definition: InstanceDefinition, root: String, _ options: MoveOptions
    ) -> RuntimeRecord {
        // What arrives goes to the hold, if there is one: then the host end may be up at once, and
        // the instance's first question for a neighbour, repeated only after a second, gets out.
        let isHeld = packetHolds.of(definition.name) != nil && !options.isPaused
        return RuntimeRecord(
            configuration: configuration, definition: definition, root: root, isSilent: !isHeld,
            keepsConnections: options.tcp == .keep, isHeld: isHeld)
    }
}
