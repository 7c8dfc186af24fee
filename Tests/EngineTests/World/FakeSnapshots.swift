import MigrationCore
import Synchronization

/// Snapshots in memory; a copy that was made ahead is in the volume's under another name.
extension FakePool: SnapshotCopying {
    var snapshotsAtOnce: Bool { isAtOnce.withLock { $0 } }

    func snapshots(of volume: String) async throws -> Set<String> {
        kept.withLock { Set(($0[volume] ?? [:]).keys.filter { !$0.hasPrefix(".") }) }
    }

    func path(of snapshot: String, in volume: String) -> String { "/pool/\(volume)@\(snapshot)" }

    func copyAhead(_ snapshot: String, of volume: String) async throws {
        keep(content(volume), as: "." + snapshot, of: volume)
        try await faults.pass("copyAhead")
    }

    func createSnapshot(_ snapshot: String, of volume: String) async throws {
        try await faults.pass("createSnapshot")
        keep(content(volume), as: snapshot, of: volume)
    }

    func createSnapshot(
        _ snapshot: String, of volume: String, mapped: Set<String>
    ) async throws {
        try await faults.pass("createSnapshot")
        guard mapped == ["/mapped"] else {
            throw GodwitError(.internalFault, "mapped files are passed over")
        }
        keep(nil, as: "." + snapshot, of: volume)
        keep(content(volume), as: snapshot, of: volume)
    }

    func copyBack(_ snapshot: String, of volume: String) async throws {
        try await faults.pass("copyBack")
    }

    func flushSnapshot(_ snapshot: String, of volume: String) async throws {
        try await faults.pass("flushSnapshot")
    }

    func deleteSnapshot(_ snapshot: String, of volume: String) async throws {
        try await faults.pass("deleteSnapshot")
        keep(nil, as: "." + snapshot, of: volume)
        keep(nil, as: snapshot, of: volume)
    }

    func restoreSnapshot(_ snapshot: String, of volume: String) async throws {
        try await faults.pass("restoreSnapshot")
        guard let content = kept.withLock({ $0[volume]?[snapshot] }) else {
            throw GodwitError(.notFound, "there is no snapshot \(snapshot)")
        }
        write(content, to: volume)
    }

    private func keep(_ content: String?, as snapshot: String, of volume: String) {
        kept.withLock { $0[volume, default: [:]][snapshot] = content }
    }
}

extension FakePool: SnapshotSending {
    func sendSnapshot(
        _ snapshot: String, of volume: String, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await faults.pass("sendSnapshot")
        let text = kept.withLock { $0[volume]?[snapshot] } ?? ""
        try await stream.write(Array(text.utf8)[...])
        try await stream.finish()
        progress(TransferProgress(sent: ByteCount(bytes: UInt64(text.utf8.count))))
    }

    func digest(ofSnapshot snapshot: String, of volume: String) async throws -> String {
        "digest of \(kept.withLock { $0[volume]?[snapshot] } ?? "nothing")"
    }

    func used(bySnapshotsOf volume: String) async throws -> ByteCount { ByteCount(bytes: 10) }
}
