import Foundation
import LinuxHost
package import MigrationCore
import Pages

extension OCIDriver: Checkpointable {
    package func freeze(_ definition: InstanceDefinition) async throws {
        let process = try requireRunning(definition)
        try await waitForArrival(definition)
        // What arrives is kept from before the freeze on, what the instance sends goes out until
        // then: nothing falls in between.
        let holds = packetHolds.of(definition.name) ?? []
        for hold in holds { try hold.start() }
        if !holds.isEmpty {
            for end in macvlans(definition) { try end.divert(of: process) }
        }
        let (cgroup, file) = (try cgroup(definition), files(definition).throttled)
        // A task that has had its share for now would wait for the next one before it stops. What
        // cannot be given back now is when the instance is thawed.
        try await cgroup.freeze { try? ProcessorThrottle.lift(cgroup, file: file) }
        for end in macvlans(definition) { try await end.silence(of: process) }
        for (interface, end) in zip(definition.interfaces, hostEnds(definition))
        where !interface.isMacvlan { try end.silence() }
        for hold in holds { try hold.yield() }
    }

    package func thaw(_ definition: InstanceDefinition) async throws {
        try await runOn(definition)
        try SmallFile.remove(files(definition).images)
        try SmallFile.remove(files(definition).work)
    }

    package func runOn(_ definition: InstanceDefinition) async throws {
        let files = files(definition)
        let cgroup = try cgroup(definition)
        await waitForDump(files)
        try cgroup.thaw()
        try await resumeTraffic(definition)
        // A target that let go may have had them meanwhile.
        try? await publishedPorts(definition)?.claim()
        try ProcessorThrottle.lift(cgroup, file: files.throttled)
    }

    package func writableMappings(
        _ definition: InstanceDefinition, root: String
    ) async throws -> Set<String> {
        let processes = try cgroup(definition).processes()
        let places = MountedPlaces(definition, root: root)
        return try await blocking {
            var paths: Set<String> = []
            for process in processes {
                // A process that has ended since has no mappings.
                for map in (try? MemoryMap.read(of: process)) ?? []
                where map.isShared && map.isNamedFile {
                    // One that is not writable now may have been before.
                    guard let place = places.place(of: map.path) else { continue }
                    if SmallFile.exists(place) { paths.insert(map.path) }
                }
            }
            return paths
        }
    }

    package func sendCheckpoint(
        _ definition: InstanceDefinition,
        over stream: any ByteStream,
        progress: @escaping @Sendable (ByteCount) -> Void
    ) async throws -> CheckpointResult {
        let files = files(definition)
        var statistics = CriuStatistics.parse(
            (try? SmallFile.bytes("\(files.work)/stats-dump")) ?? [])
        let prepared = dumps.takeWriter(definition.name)
        // CRIU counts from before it was held.
        if prepared != nil { statistics["criu_freezing_ms"] = nil }
        let writer = prepared ?? CheckpointWriter(directory: files.images)
        let sent = try await writer.send(over: stream, progress: progress)
        try SmallFile.remove(files.images)
        try SmallFile.remove(files.work)
        return CheckpointResult(digest: sent.digest, bytes: sent.bytes, statistics: statistics)
    }

    package func dump(_ definition: InstanceDefinition, options: MoveOptions) async throws {
        try requireDumpable(definition)
        let child = try await startDump(definition, options: options, environment: [:])
        try await finishDump(definition, child)
    }

    /// - Parameter environment: for CRIU.
    func startDump(
        _ definition: InstanceDefinition, options: MoveOptions, environment: [String: String]
    ) async throws -> ChildProcess {
        precondition(options.mode == .live)
        let files = files(definition)
        await waitForDump(files)
        for directory in [files.images, files.work] {
            try SmallFile.remove(directory)
            try SmallFile.makeDirectory(directory)
        }
        for file in [files.runcLog, files.expired] { try SmallFile.remove(file) }
        try writeCriuConfiguration(files, closesConnections: options.tcp == .close)
        var command = runc.checkpoint(
            definition.name.text, images: files.images, work: files.work,
            keepsConnections: options.tcp == .keep, log: files.runcLog)
        command.environment = Criu.noting(files.expired, library: library)
            .merging(environment) { $1 }
        let nothing = try Descriptor.open("/dev/null", O_RDWR)
        let child = try ChildProcess.start(
            command, descriptors: [(nothing, 0), (nothing, 1), (nothing, 2)])
        try SmallFile.replace(files.dumping, with: Array("\(child.pid)".utf8))
        return child
    }

    /// Not ended by a cancel: a killed CRIU may leave its code in the tasks that it was dumping.
    func finishDump(_ definition: InstanceDefinition, _ child: ChildProcess) async throws {
        let files = files(definition)
        defer { try? SmallFile.remove(files.expired) }
        async let connections = keepConnections(definition)
        let status = await child.wait()
        let kept = await connections
        try SmallFile.remove(files.dumping)
        guard status.isSuccess else {
            let error = CriuFailure.error(.checkpointFailed, files, action: "dump")
            try SmallFile.remove(files.images)
            throw error
        }
        if let kept { try SmallFile.replace("\(files.images)/\(Self.connectionsFile)", with: kept) }
        try armExpiredTimers(files)
        try saveSubgroups(definition)
        CriuFailure.keepLog(files, action: "dump")
    }

    private func armExpiredTimers(_ files: InstanceFiles) throws {
        let text = (try? SmallFile.text(files.expired)) ?? ""
        try TimerImages.arm(text.split(separator: "\n"), in: files.images) { thread in
            SmallFile.word("/proc/\(thread)/status").map { ProcessStatus($0) }
        }
    }

    func requireDumpable(_ definition: InstanceDefinition) throws {
        let cgroup = try cgroup(definition)
        guard cgroup.isFrozen else {
            throw GodwitError(
                .internalFault,
                "the instance \(definition.name) is not frozen, a checkpoint must be")
        }
        // It was no obstacle yet when the move began.
        guard let process = cgroup.untraceable else { return }
        throw GodwitError(
            .checkpointFailed, "process \(process) was stopped by a signal before it was frozen",
            remedy: "let it go on (kill -CONT) or end it, and move again")
    }

    package func end(_ definition: InstanceDefinition) async throws {
        for end in hostEnds(definition) where end.exists { try? end.setUp(false) }
        try await clear(definition)
    }
}
