import MigrationCore
import Synchronization

/// Memory as a word a round on every stream, and the instance's memory at the end of the first.
final class FakeMemory: MemorySession {
    private let driver: FakeDriver
    private let definition: InstanceDefinition
    private let streams: [any ByteStream]
    private let state = Mutex(MemoryReport())

    init(_ driver: FakeDriver, _ definition: InstanceDefinition, _ streams: [any ByteStream]) {
        self.driver = driver
        self.definition = definition
        self.streams = streams
    }

    var report: MemoryReport { state.withLock { $0 } }

    func sendRounds() async throws {
        try await driver.faults.pass("sendRounds")
        for stream in streams { try await stream.write(Array("round,".utf8)[...]) }
        let round = MemoryReport.Round(
            number: 1, pages: 3, zeroPages: 1, repeatedPages: 0, bytes: 8_192, milliseconds: 1)
        state.withLock { $0.add(round) }
    }

    func capture() async throws -> CarriedMemory {
        try await driver.faults.pass("capture")
        guard driver.instances[definition.name]?.status == .frozen else {
            throw GodwitError(.internalFault, "the instance is looked at while it runs")
        }
        return CarriedMemory(ranges: [1: [0x1000..<0x2000]])
    }

    func finish() async throws {
        try await driver.faults.pass("finishMemory")
        let memory = driver.instances[definition.name]?.memory ?? ""
        try await streams[0].write(Array(memory.utf8)[...])
        for stream in streams { try await stream.finish() }
    }

    func close() async { driver.state.withLock { $0.closedSessions += 1 } }
}

extension FakeDriver: MemoryMoving {
    var canMoveMemory: Bool { get async { state.withLock { $0.canMoveMemory } } }

    func openMemory(
        _ definition: InstanceDefinition,
        over streams: [any ByteStream],
        options: MoveOptions,
        cost: FreezeCost,
        progress: @escaping @Sendable (MemoryProgress) -> Void
    ) async throws -> any MemorySession {
        try await faults.pass("openMemory")
        progress(MemoryProgress(round: 1, sent: .zero, dirty: .kibibytes(12)))
        return FakeMemory(self, definition, streams)
    }

    func dump(
        _ definition: InstanceDefinition, options: MoveOptions, without memory: CarriedMemory
    ) async throws {
        guard !memory.ranges.isEmpty else {
            throw GodwitError(.internalFault, "nothing is left out")
        }
        try await dump(definition, options: options)
    }

    func receiveMemory(
        _ definition: InstanceDefinition, from streams: [any ByteStream]
    ) async throws {
        var texts: [String] = []
        for stream in streams { texts.append(try await stream.text()) }
        try await faults.pass("receiveMemory")
        state.withLock { $0.arrivedPages[definition.name] = texts.joined(separator: "|") }
    }
}
