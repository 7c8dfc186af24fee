import LinuxHost
import MigrationCore
import Storage
import Testing

typealias VolumePool = PoolDriver & VolumeSending & VolumeReceiving & VolumeDigesting

/// A kind of pool that the conformance suite runs through. A new driver is one more case.
enum PoolKind: String, CaseIterable, Sendable {
    case directory

    func pool(_ name: String, at path: String) -> any VolumePool {
        switch self {
        case .directory: DirectoryPool(name: name, path: path)
        }
    }
}

/// A volume `v` on two hosts, and the two passes between them.
struct PoolPair: Sendable {
    let source: any VolumePool
    let target: any VolumePool
    let here: String
    let there: String

    static func with<Value>(
        _ kind: PoolKind, targetBelow: String? = nil,
        _ body: (PoolPair) async throws -> Value
    ) async throws -> Value {
        try await withScratch { scratch in
            try await body(try await PoolPair(kind, scratch, target: targetBelow ?? "\(scratch)/b"))
        }
    }

    init(_ kind: PoolKind, _ scratch: String, target path: String) async throws {
        source = kind.pool("one", at: "\(scratch)/a")
        target = kind.pool("other", at: path)
        here = try await source.createVolume("v")
        there = try await target.createVolume("v")
    }

    func firstPass(cutAfter: Int? = nil) async throws {
        try await pass(cutAfter) { stream in
            try await source.sendWhileRunning("v", by: .rsync, over: stream) { _ in }
        } receive: { stream in
            try await target.receiveWhileRunning("v", by: .rsync, from: stream)
        }
    }

    @discardableResult
    func snapshot(_ name: String, _ sending: any SnapshotSending) async throws -> Int {
        try await pass(nil) { stream in
            try await sending.sendSnapshot(name, of: "v", over: stream) { _ in }
        } receive: { stream in
            try await target.receiveAfterCheckpoint("v", by: .rsync, from: stream)
        }
    }

    @discardableResult
    func delta(mapped: Set<String> = []) async throws -> Int {
        try await pass(nil) { stream in
            try await source.sendAfterCheckpoint("v", by: .rsync, mapped: mapped, over: stream) {
                _ in
            }
        } receive: { stream in
            try await target.receiveAfterCheckpoint("v", by: .rsync, from: stream)
        }
    }

    /// Runs both ends to their end; throws what the source threw, or else the target.
    ///
    /// - Returns: bytes that the source sent.
    @discardableResult
    private func pass(
        _ cutAfter: Int?, send: @escaping @Sendable (any ByteStream) async throws -> Void,
        receive: @escaping @Sendable (any ByteStream) async throws -> Void
    ) async throws -> Int {
        let (one, other) = MemoryStream.pair(cutAfter: cutAfter)
        let received = Task { try await receive(other) }
        let sent = await Task { try await send(one) }.result
        let arrived = await received.result
        try sent.get()
        try arrived.get()
        return one.sent
    }

    /// Fails the test unless both trees are the same to us and to rsync.
    func expectEqual(mapped: Set<String> = []) async throws {
        let (one, other) = try await (
            source.digest(of: "v", mapped: mapped), target.digest(of: "v", mapped: mapped)
        )
        let rest = try await differences(here, there)
        #expect(rest == "")
        #expect(one == other)
    }
}
