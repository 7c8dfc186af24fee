import LinuxHost
import MigrationCore
import Storage
import TestSupport
import Testing

typealias KeepingPool = VolumePool & VolumeKeeping

/// A volume `v` that goes to and fro between two pools, as the engine has it go.
struct Journey {
    let one: any KeepingPool
    let other: any KeepingPool
    /// Which both pools are of, if they are of any.
    let zfs: TestedZfs?
    private(set) var isAtOne = true
    private var moves = 0
    /// Copies by the pool's name.
    private(set) var copies: [String: (id: String, digest: String)] = [:]

    static func with(
        _ kind: PoolKind, _ body: (inout Journey) async throws -> Void
    ) async throws {
        try await PoolPair.withGround(Pairing(source: kind, target: kind)) { scratch, zfs in
            let one = try await makePool(kind, "one", at: "\(scratch)/a", zfs: zfs)
            let other = try await makePool(kind, "other", at: "\(scratch)/b", zfs: zfs)
            var journey = Journey(
                one: try #require(one as? any KeepingPool),
                other: try #require(other as? any KeepingPool), zfs: zfs)
            _ = try await one.createVolume("v")
            try await body(&journey)
        }
    }

    private init(one: any KeepingPool, other: any KeepingPool, zfs: TestedZfs?) {
        (self.one, self.other, self.zfs) = (one, other, zfs)
    }

    var here: any KeepingPool { isAtOne ? one : other }
    var there: any KeepingPool { isAtOne ? other : one }
    var root: String { here.path(of: "v") }
    func fitting(_ script: String) -> String { zfs?.fitting(script) ?? script }

    /// - Parameters:
    ///   - change: between the passes.
    ///   - start: what the engine would say of the target's copy; nil: that it is what was kept.
    /// - Returns: bytes on the wire, both ways.
    mutating func move(
        upon start: VolumeStart? = nil, _ change: (String) async throws -> Void = { _ in }
    ) async throws -> Int {
        let (here, there) = (here, there)
        let method = here.methods[0]
        var begun = VolumeStart.empty
        if let copy = copies.removeValue(forKey: name(of: there)) {
            _ = try await there.takeKept(copy.id, as: "v")
            begun = start ?? .tree(copy.digest)
        } else {
            _ = try await there.createVolume("v")
        }
        await here.begin("v", upon: begun)
        var bytes = try await pass { stream in
            try await here.sendWhileRunning("v", by: method, over: stream) { _ in }
        } receive: { stream in
            try await there.receiveWhileRunning("v", by: method, from: stream)
        }
        try await change(root)
        if try await here.hasChanged("v", mapped: []) {
            bytes += try await pass { stream in
                try await here.sendAfterCheckpoint("v", by: method, mapped: [], over: stream) {
                    _ in
                }
            } receive: { stream in
                try await there.receiveAfterCheckpoint("v", by: method, from: stream)
            }
        }
        try await arrive(here, there)
        return bytes
    }

    private mutating func arrive(
        _ here: any KeepingPool, _ there: any KeepingPool
    ) async throws {
        let rest = try await differences(here.path(of: "v"), there.path(of: "v"))
        #expect(rest == "")
        let digest = try await there.digest(of: "v", mapped: [])
        #expect(try await here.digest(of: "v", mapped: []) == digest)
        try await there.noteArrival(of: "v", digest: digest)
        try await (there as? any BaseKeeping)?.keepBase(of: "v")
        try await there.cleanUpAfterReceiving("v")
        moves += 1
        try await here.keepVolume("v", as: "copy\(moves)")
        copies[name(of: here)] = ("copy\(moves)", digest)
        isAtOne.toggle()
    }

    private func name(of pool: any KeepingPool) -> String {
        pool.path(of: "v") == one.path(of: "v") ? "one" : "other"
    }

    private func pass(
        send: @escaping @Sendable (any ByteStream) async throws -> Void,
        receive: @escaping @Sendable (any ByteStream) async throws -> Void
    ) async throws -> Int {
        let (one, other) = MemoryStream.pair(cutAfter: nil)
        let received = Task { try await receive(other) }
        let sent = await Task { try await send(one) }.result
        let arrived = await received.result
        try sent.get()
        try arrived.get()
        return one.sent + other.sent
    }
}
