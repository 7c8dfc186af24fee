import MigrationCore
import Synchronization

/// Memory as a word a round on every stream, and the instance's memory at the end of the first.
final class FakeMemory: MemorySession {
    private let driver: FakeDriver
    private let definition: InstanceDefinition
    private let streams: [any ByteStream]
    private let isPostcopy: Bool
    private let state = Mutex(MemoryReport())

    init(
        _ driver: FakeDriver, _ definition: InstanceDefinition, _ streams: [any ByteStream],
        isPostcopy: Bool
    ) {
        self.driver = driver
        self.isPostcopy = isPostcopy
        self.definition = definition
        self.streams = streams
    }

    var report: MemoryReport { state.withLock { $0 } }

    func sendRounds(beside files: any FilePasses) async throws {
        try await driver.faults.pass("sendRounds")
        if !files.outlooks.isEmpty { try await files.passBeforeFreeze(longerThan: 0) }
        for stream in streams { try await stream.write(Array("round,".utf8)[...]) }
        let round = MemoryReport.Round(
            number: 1, pages: 3, zeroPages: 1, repeatedPages: 0, bytes: 8_192, milliseconds: 1)
        state.withLock { report in
            report.add(round)
            report.verdict = PrecopyVerdict(isPostcopy ? .postcopy : .freeze, "", prediction: 1)
        }
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
        let memory = isPostcopy ? "owed" : driver.instances[definition.name]?.memory ?? ""
        try await streams[0].write(Array(memory.utf8)[...])
        for stream in streams { try await stream.finish() }
    }

    func close() async { driver.state.withLock { $0.closedSessions += 1 } }
}

extension FakeDriver: MemoryMoving {
    var canMoveMemory: Bool { get async { state.withLock { $0.canMoveMemory } } }

    func memoryDivision(_ definition: InstanceDefinition) async throws -> MemoryDivision {
        MemoryDivision(pages: try await observe(definition).memory, images: .zero)
    }

    func openMemory(
        _ definition: InstanceDefinition,
        over streams: [any ByteStream],
        checkpoint: any ByteStream,
        options: MoveOptions,
        cost: FreezeCost,
        progress: @escaping @Sendable (MemoryProgress) -> Void
    ) async throws -> any MemorySession {
        try await faults.pass("openMemory")
        progress(MemoryProgress(round: 1, sent: .zero, dirty: .kibibytes(12)))
        return FakeMemory(
            self, definition, streams, isPostcopy: options.memory.atDeadline == .postcopy)
    }

    func dump(
        _ definition: InstanceDefinition, options: MoveOptions, without memory: CarriedMemory
    ) async throws -> Bool {
        guard !memory.ranges.isEmpty else {
            throw GodwitError(.internalFault, "nothing is left out")
        }
        try await dump(definition, options: options)
        return state.withLock { $0.dumpsTouchFiles }
    }

    func receiveMemory(
        _ definition: InstanceDefinition, from streams: [any ByteStream]
    ) async throws {
        var texts: [String] = []
        for stream in streams { texts.append(try await stream.text()) }
        try await faults.pass("receiveMemory")
        state.withLock { state in
            state.arrivedPages[definition.name] = texts.joined(separator: "|")
            guard texts.contains(where: { $0.hasSuffix("owed") }) else { return }
            state.lacking.insert(definition.name)
        }
    }

    /// The pages go by the second channel; the first stands until they are there.
    func servePages(_ definition: InstanceDefinition, over stream: any ByteStream) async throws {
        try await faults.pass("servePages")
        guard let instance = instances[definition.name], instance.status == .frozen else {
            throw GodwitError(.internalFault, "pages of what is not frozen")
        }
        try await stream.write(Array(instance.memory.utf8)[...])
        try await stream.finish()
        while try await stream.read() != nil {}
    }

    func lacksMemory(_ definition: InstanceDefinition) async throws -> Bool {
        state.withLock { $0.lacking.contains(definition.name) }
    }

    func fetchMemory(
        _ definition: InstanceDefinition, channel: Int, over stream: any ByteStream
    ) async throws {
        let pages = try await stream.text()
        try await faults.pass("fetchMemory \(channel)")
        guard channel == 1, pages == "counted to 7" else { return }
        state.withLock { state in
            state.lacking.remove(definition.name)
            state.fetchedPages[definition.name] = pages
        }
    }

    func waitForMemory(_ definition: InstanceDefinition) async throws -> MemoryReport.Fetch {
        while true {
            let (isLost, isLacking) = state.withLock { state in
                let isLost = state.lost.contains(definition.name)
                if isLost { state.instances[definition.name] = nil }
                return (isLost, state.lacking.contains(definition.name))
            }
            if isLost { throw GodwitError(.restoreFailed, "what it lacked is lost") }
            if !isLacking {
                return MemoryReport.Fetch(
                    owedPages: 3, pagesByFault: 1, pagesInBackground: 2, stalls: 1,
                    milliseconds: 5)
            }
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}
