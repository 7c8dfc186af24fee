import Engine
import MigrationCore
import Synchronization

/// What a pool keeps of volumes that have left.
struct FakeCopy: Equatable, Sendable {
    var content: String
    var snapshots: [String: String]
}

/// Copies in memory, called by ids of migrations.
extension FakePool: BaseKeeping {
    func keepVolume(_ volume: String, as copy: String) async throws {
        try await faults.pass("keepVolume")
        guard let content = content(volume) else {
            guard copies.withLock({ $0[copy] != nil }) else { throw Self.missing }
            return
        }
        let snapshots = kept.withLock { $0.removeValue(forKey: volume) } ?? [:]
        copies.withLock { $0[copy] = FakeCopy(content: content, snapshots: snapshots) }
        volumes.withLock { $0[volume] = nil }
        try await faults.pass("volumeKept")
    }

    func takeKept(_ copy: String, as volume: String) async throws -> String {
        try await faults.pass("takeKept")
        if let taken = copies.withLock({ $0.removeValue(forKey: copy) }) {
            write(taken.content, to: volume)
            kept.withLock { $0[volume] = taken.snapshots }
        }
        guard content(volume) != nil else { throw Self.missing }
        try await faults.pass("keptTaken")
        return path(of: volume)
    }

    func removeKept(_ copy: String) async throws {
        try await faults.pass("removeKept")
        copies.withLock { $0[copy] = nil }
    }

    func keptCopies() async throws -> Set<String> { copies.withLock { Set($0.keys) } }

    func begin(_ volume: String, upon start: VolumeStart) async {
        starts.withLock { $0.append(start) }
    }

    func noteArrival(of volume: String, digest: String) async throws {
        try await faults.pass("noteArrival \(digest)")
    }

    func hasBase(by method: VolumeMethod) -> Bool { hasBases.withLock { $0 } }

    func keepBase(of volume: String) async throws {
        try await faults.pass("keepBase")
        bases.withLock { _ = $0.insert(volume) }
    }

    func removeBase(of volume: String) async throws {
        bases.withLock { _ = $0.remove(volume) }
    }

    private static let missing = GodwitError(.notFound, "there is neither copy nor volume")
}

extension Node {
    var copies: [FakeCopy] { pool.copies.withLock { Array($0.values) } }
    var starts: [VolumeStart] { pool.starts.withLock { $0 } }
    func records() throws -> [KeptRecord] { try store().kept() }
}

extension World {
    /// Moves it from b to a, and returns when both are done with it.
    @discardableResult
    func home(
        _ change: (inout MoveRequest) -> Void = { _ in }
    ) async throws -> MigrationReport {
        var request = MoveRequest(name: web, remote: try RemoteName("a"), keepSeconds: 100)
        change(&request)
        let report = try await b.service.move(request, started: { _ in }, progress: { _ in })
        try await settled()
        return report
    }
}

extension FakePool: PassResuming {
    func forgetBrokenPass(of volume: String) async throws {
        forgotten.withLock { _ = $0.insert(volume) }
    }

    func removeBrokenPasses(before moment: Timestamp) async throws {
        try await faults.pass("removeBrokenPasses")
    }
}
