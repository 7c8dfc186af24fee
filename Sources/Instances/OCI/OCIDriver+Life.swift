import Foundation
import LinuxHost
package import MigrationCore

extension OCIDriver: InstanceDriver {
    package var kind: InstanceKind { .oci }

    package func start(_ definition: InstanceDefinition, root: String) async throws {
        guard try cgroup(definition).processes().isEmpty else {
            throw GodwitError(
                .alreadyRunning, "the instance \(definition.name) runs already")
        }
        try await clear(definition)
        let record = RuntimeRecord(
            configuration: configuration, definition: definition, root: root, isSilent: false,
            keepsConnections: true)
        do {
            try await layDetours(definition)
            try makeCgroupPlace(definition, root: root)
            try makeBundle(record)
            _ = try await startMonitor(.start, record.files)
            try await publishedPorts(definition)?.open()
        } catch {
            try? await clear(definition)
            throw error
        }
        // The instance runs; neighbours that are not told find it all the same.
        try? await announce(definition)
    }

    package func stop(_ definition: InstanceDefinition, grace: Duration) async throws {
        let cgroup = try cgroup(definition)
        await waitForDump(files(definition))
        try cgroup.thaw()
        if let first = try firstProcess(definition) {
            kill(first, SIGTERM)
            _ = await holds(within: grace) { cgroup.processes().isEmpty }
        }
        try await clear(definition, keepsExit: true)
    }

    package func remove(_ definition: InstanceDefinition) async throws {
        try await clear(definition)
        let files = files(definition)
        try InstanceLog(files).remove()
        for action in ["dump", "restore", "memory"] { try SmallFile.remove(files.criuLog(action)) }
    }

    package func observe(
        _ definition: InstanceDefinition
    ) async throws -> InstanceObservation {
        let cgroup = try cgroup(definition)
        let processes = cgroup.processes()
        guard !processes.isEmpty else {
            let files = files(definition)
            return InstanceObservation(
                status: .stopped, exitStatus: files.number(in: files.exit))
        }
        let isFrozen = cgroup.isFrozen || cgroup.isFreezing
        return InstanceObservation(
            status: isFrozen ? .frozen : .running, pid: try firstProcess(definition),
            processes: processes.count, memory: cgroup.memory(),
            cpuNanoseconds: cgroup.cpuNanoseconds(), memoryPeak: cgroup.memoryPeak(),
            io: cgroup.ioUsage())
    }

    package func log(
        _ definition: InstanceDefinition, limit: ByteCount
    ) async throws -> [UInt8] {
        let log = InstanceLog(files(definition))
        return try await blocking { try log.tail(limit) }
    }

    package func obstacles(_ definition: InstanceDefinition) async throws -> [Obstacle] {
        let processes = try cgroup(definition).processes()
        let scan = scan
        return try await blocking { try scan(processes) }
    }

    /// Tells the neighbourhood where the instance's addresses are now.
    func announce(_ definition: InstanceDefinition) async throws {
        guard let first = try firstProcess(definition) else { return }
        for interface in definition.interfaces {
            try await Announcement(interface: interface).send(from: interface.name, of: first)
        }
    }
}
