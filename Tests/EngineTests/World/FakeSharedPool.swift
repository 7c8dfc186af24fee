import MigrationCore
import Synchronization

/// What both hosts see: volumes, and whose they are.
final class SharedGround: Sendable {
    struct Volume: Equatable {
        var owner: String
        var isOffered = false
    }

    let volumes = Mutex<[String: Volume]>([:])
    /// Every volume that was ever deleted or taken by whom it did not belong to.
    let losses = Mutex<[String]>([])

    subscript(name: String) -> Volume? {
        get { volumes.withLock { $0[name] } }
        set { volumes.withLock { $0[name] = newValue } }
    }
}

/// A pool of one host on the ground.
final class FakeSharedPool: MigratingPool, VolumeSharing {
    let driver = "shared"
    let methods: [VolumeMethod] = [.shared, .rsync]
    let host: String
    let ground: SharedGround

    init(host: String, ground: SharedGround) {
        self.host = host
        self.ground = ground
    }

    func createVolume(_ name: String) async throws -> String {
        guard ground[name] == nil else { throw GodwitError(.nameTaken, "\(name) is there") }
        ground[name] = .init(owner: host)
        return path(of: name)
    }

    func path(of volume: String) -> String { "/pool/\(volume)" }
    func hasVolume(_ name: String) async -> Bool { ground[name] != nil }

    func renameVolume(_ name: String, to newName: String) async throws {
        ground[newName] = ground[name]
        ground[name] = nil
    }

    /// Deletes whatever it is told to: the engine has to know better.
    func deleteVolume(_ name: String) async throws {
        guard let volume = ground[name] else { return }
        ground.losses.withLock { $0.append("\(host) deletes \(name) of \(volume.owner)") }
        ground[name] = nil
    }

    func used(by volume: String) async throws -> ByteCount { ByteCount(bytes: 10) }

    func facts() async throws -> PoolFacts {
        PoolFacts(
            name: "default", driver: driver, filesystem: "nfs", available: .gibibytes(10))
    }

    func makeToken(for volume: String) async throws -> SharedToken {
        SharedToken(name: volume, value: host)
    }

    func sees(_ token: SharedToken, of volume: String) async -> Bool { ground[volume] != nil }

    func takeVolume(_ name: String) async throws { ground[name]?.owner = host }

    func leaveVolume(_ name: String) async throws {
        guard let volume = ground[name], volume.owner == host else { return }
        if !volume.isOffered { try await deleteVolume(name) }
    }

    func sendWhileRunning(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        if ground[volume]?.owner != host {
            ground.losses.withLock { $0.append("\(host) sends what is not its own") }
        }
        ground[volume]?.isOffered = method == .shared
        try await stream.finish()
    }

    func sendAgain(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws { ground.losses.withLock { $0.append("\(host) sends what stays") } }

    func hasChanged(_ volume: String, mapped: Set<String>) async throws -> Bool { true }

    func sendAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, mapped: Set<String>,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws { try await stream.finish() }

    func cleanUpAfterSending(_ volume: String) async throws {}

    func receiveWhileRunning(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws { _ = try await stream.text() }

    func receiveAgain(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {}

    func receiveAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws { _ = try await stream.text() }

    func cleanUpAfterReceiving(_ volume: String) async throws {}
    func digest(of volume: String, mapped: Set<String>) async throws -> String { "shared" }
    func forgetDigest(of volume: String) async {}
}
