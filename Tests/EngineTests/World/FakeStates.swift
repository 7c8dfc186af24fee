import MigrationCore
import Synchronization

/// Saved states in memory.
final class FakeStates: StateKeeping {
    let faults = Faults()
    let kept = Mutex<[String: [UInt8]]>([:])

    var available: ByteCount { .gibibytes(10) }
    var count: Int { kept.withLock { $0.count } }

    func write(_ id: String) async throws -> any ByteStream {
        try await faults.pass("write")
        return Stream { [self] bytes in
            try await faults.pass("finish")
            kept.withLock { $0[id] = bytes }
        }
    }

    func read(_ id: String) async throws -> any ByteStream {
        guard let bytes = kept.withLock({ $0[id] }) else {
            throw GodwitError(.stateUnreadable, "there is no state \(id)")
        }
        return Stream(bytes) { _ in }
    }

    func remove(_ id: String) async throws {
        try await faults.pass("remove")
        kept.withLock { $0[id] = nil }
    }

    func removeAll(but ids: Set<String>) throws {
        kept.withLock { kept in kept = kept.filter { ids.contains($0.key) } }
    }

    func sync(_ directory: String) async throws { try await faults.pass("sync") }

    private actor Stream: ByteStream {
        private var bytes: [UInt8]
        private let end: @Sendable ([UInt8]) async throws -> Void

        init(_ bytes: [UInt8] = [], end: @escaping @Sendable ([UInt8]) async throws -> Void) {
            self.bytes = bytes
            self.end = end
        }

        func read() async throws -> [UInt8]? {
            defer { bytes = [] }
            return bytes.isEmpty ? nil : bytes
        }

        func write(_ bytes: ArraySlice<UInt8>) async throws { self.bytes += bytes }
        func finish() async throws { try await end(bytes) }
        func cancel() async {}
    }
}
