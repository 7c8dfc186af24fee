import MigrationCore
import Synchronization

/// Behaviour that a test asks of a step, by the step's name.
final class Faults: Sendable {
    enum Fault: Sendable {
        case fails(GodwitError)
        /// The step is reached and stays there until it is cancelled or released.
        case hangs
        case takes(Duration)
    }

    private struct State {
        var faults: [String: Fault] = [:]
        var reached: [String] = []
    }

    private let state = Mutex(State())

    func set(_ step: String, _ fault: Fault?) { state.withLock { $0.faults[step] = fault } }
    func fails(_ step: String, _ code: GodwitError.Code) {
        set(step, .fails(GodwitError(code, "\(step) was made to fail")))
    }
    func hasReached(_ step: String) -> Bool { state.withLock { $0.reached.contains(step) } }
    func count(_ step: String) -> Int { state.withLock { $0.reached.count { $0 == step } } }

    /// Called by the fakes at the beginning of each step.
    func pass(_ step: String) async throws {
        state.withLock { $0.reached.append(step) }
        while true {
            switch state.withLock({ $0.faults[step] }) {
            case .fails(let error): throw error
            case .hangs: try await Task.sleep(for: .milliseconds(2))
            case .takes(let span): return try await Task.sleep(for: span)
            case nil: return
            }
        }
    }
}

/// Instances in memory: a status and a memory that travels in checkpoints.
final class FakeDriver: Checkpointable {
    struct Instance: Equatable, Sendable {
        var status: InstanceStatus
        var memory: String
        /// Not while only the tools are there that make it.
        var hasFirstProcess = true
    }

    struct State {
        var instances: [InstanceName: Instance] = [:]
        var arrived: [InstanceName: String] = [:]
        /// What was dumped of instances that run on.
        var dumped: [InstanceName: String] = [:]
        var prepared: Set<InstanceName> = []
        var obstacles: [Obstacle] = []
        var canMoveMemory = false
        var arrivedPages: [InstanceName: String] = [:]
        /// Instances whose memory was left for later, and what has come since.
        var lacking: Set<InstanceName> = []
        var fetchedPages: [InstanceName: String] = [:]
        /// Lost for good is what these instances lack.
        var lost: Set<InstanceName> = []
        var closedSessions = 0
        var dumpsTouchFiles = false
        /// Instances whose networks lead to another host.
        var cabled: Set<InstanceName> = []
        /// What each has mounted since it was started or restored.
        var mounts: [InstanceName: [MountDefinition]] = [:]
        var mapped: Set<String> = ["/mapped"]
    }

    let kind = InstanceKind.oci
    let faults = Faults()
    let state = Mutex(State())

    var instances: [InstanceName: Instance] { state.withLock { $0.instances } }

    private func set(_ name: InstanceName, _ instance: Instance?) {
        state.withLock { $0.instances[name] = instance }
    }

    func start(_ definition: InstanceDefinition, root: String) async throws {
        try await faults.pass("start")
        state.withLock { $0.mounts[definition.name] = definition.mounts }
        set(definition.name, Instance(status: .running, memory: "fresh"))
    }

    func stop(_ definition: InstanceDefinition, grace: Duration) async throws {
        try await faults.pass("stop")
        set(definition.name, nil)
    }

    func remove(_ definition: InstanceDefinition) async throws {
        try await faults.pass("remove")
        set(definition.name, nil)
    }

    func observe(_ definition: InstanceDefinition) async throws -> InstanceObservation {
        guard let instance = instances[definition.name] else {
            return InstanceObservation(status: .stopped)
        }
        return InstanceObservation(
            status: instance.status, pid: instance.hasFirstProcess ? 1 : nil)
    }

    func log(_ definition: InstanceDefinition, limit: ByteCount) async throws -> [UInt8] {
        Array("log of \(definition.name)".utf8)
    }

    func execute(
        _ request: ExecuteRequest, in definition: InstanceDefinition
    ) async throws -> Int32 { 7 }

    func obstacles(_ definition: InstanceDefinition) async throws -> [Obstacle] {
        state.withLock { $0.obstacles }
    }

    func freeze(_ definition: InstanceDefinition) async throws {
        try await faults.pass("freeze")
        state.withLock { $0.instances[definition.name]?.status = .frozen }
    }

    func thaw(_ definition: InstanceDefinition) async throws {
        try await faults.pass("thaw")
        state.withLock { $0.instances[definition.name]?.status = .running }
    }

    func runOn(_ definition: InstanceDefinition) async throws {
        try await faults.pass("runOn")
        state.withLock { state in
            state.dumped[definition.name] = state.instances[definition.name]?.memory
            state.instances[definition.name]?.status = .running
        }
    }

    func writableMappings(_ definition: InstanceDefinition, root: String) async throws
        -> Set<String>
    { state.withLock { $0.mapped } }

    func dump(_ definition: InstanceDefinition, options: MoveOptions) async throws {
        try await faults.pass("dump")
        guard instances[definition.name]?.status == .frozen else {
            throw GodwitError(.checkpointFailed, "\(definition.name) is not frozen")
        }
    }

    func sendCheckpoint(
        _ definition: InstanceDefinition,
        over stream: any ByteStream,
        progress: @escaping @Sendable (ByteCount) -> Void
    ) async throws -> CheckpointResult {
        try await faults.pass("sendCheckpoint")
        let dumped = state.withLock { $0.dumped.removeValue(forKey: definition.name) }
        let instance = instances[definition.name]
        guard let memory = dumped ?? (instance?.status == .frozen ? instance?.memory : nil) else {
            throw GodwitError(.checkpointFailed, "\(definition.name) is not frozen")
        }
        try await stream.write(Array(memory.utf8)[...])
        try await stream.finish()
        return result(memory)
    }

    func end(_ definition: InstanceDefinition) async throws {
        try await faults.pass("end")
        state.withLock { state in
            state.instances[definition.name] = nil
            state.prepared.remove(definition.name)
        }
    }

    func prepareRestore(_ definition: InstanceDefinition, root: String) async throws {
        try await faults.pass("prepareRestore")
        state.withLock { _ = $0.prepared.insert(definition.name) }
    }

    func receiveCheckpoint(
        _ definition: InstanceDefinition,
        root: String,
        options: MoveOptions,
        from stream: any ByteStream,
        progress: @escaping @Sendable (ByteCount) -> Void
    ) async throws -> CheckpointResult {
        let memory = try await stream.text()
        try await faults.pass("receiveCheckpoint")
        state.withLock { $0.arrived[definition.name] = memory }
        return result(memory)
    }

    func restore(
        _ definition: InstanceDefinition, root: String, options: MoveOptions
    ) async throws -> [String: Double] {
        try await faults.pass("restore")
        guard let memory = state.withLock({ $0.arrived[definition.name] }) else {
            throw GodwitError(.restoreFailed, "nothing has arrived")
        }
        state.withLock { $0.mounts[definition.name] = definition.mounts }
        set(
            definition.name,
            Instance(status: options.isPaused ? .frozen : .running, memory: memory)
        )
        return ["restore": 3, "network": 1]
    }

    func discardRestore(_ definition: InstanceDefinition) async throws {
        try await faults.pass("discardRestore")
        state.withLock { state in
            state.instances[definition.name] = nil
            state.arrived[definition.name] = nil
            state.lacking.remove(definition.name)
            state.prepared.remove(definition.name)
        }
    }

    private func result(_ memory: String) -> CheckpointResult {
        CheckpointResult(
            digest: "digest of \(memory)",
            bytes: ByteCount(bytes: UInt64(memory.utf8.count)),
            statistics: ["pages": 5]
        )
    }
}

extension ByteStream {
    /// All that the peer writes.
    func text() async throws -> String {
        var bytes: [UInt8] = []
        while let next = try await read() { bytes += next }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension FakeDriver: TrafficForwarding {
    func layCables(_ definition: InstanceDefinition, _ ends: CableEnds) async throws {
        state.withLock { _ = $0.cabled.insert(definition.name) }
        try await faults.pass("layCables")
    }

    func removeCables(_ definition: InstanceDefinition) async throws {
        try await faults.pass("removeCables")
        state.withLock { _ = $0.cabled.remove(definition.name) }
    }

    func cutCables(_ definition: InstanceDefinition) async throws {
        try await faults.pass("cutCables")
    }
}
