package import MigrationCore
import NIOHTTP1

/// Snapshots of instances, and copies.
extension HostClient {
    package func snapshots(of name: InstanceName) async throws -> [SnapshotView] {
        try await get([SnapshotShape].self, "/1.0/instances/\(name)/snapshots").map(\.godwit)
    }

    package func snapshot(
        _ snapshot: SnapshotName, of name: InstanceName
    ) async throws -> SnapshotView {
        try await get(SnapshotShape.self, "/1.0/instances/\(name)/snapshots/\(snapshot)").godwit
    }

    package func createSnapshot(_ request: SnapshotRequest) async throws -> Snapshot {
        let ended = try await perform(
            .POST, "/1.0/instances/\(request.instance)/snapshots", SnapshotsPost(request))
        guard let snapshot = ended.metadata["snapshot"] else {
            throw GodwitError(.protocolViolation, "the daemon's answer has no snapshot")
        }
        return try snapshot.decoded()
    }

    package func restoreSnapshot(
        _ snapshot: SnapshotName, of name: InstanceName, isStateless: Bool = false
    ) async throws {
        let put = InstancePut(restore: snapshot, stateful: isStateless ? false : nil)
        try await perform(.PUT, "/1.0/instances/\(name)", put)
    }

    package func deleteSnapshot(
        _ snapshot: SnapshotName, of name: InstanceName
    ) async throws {
        try await perform(.DELETE, "/1.0/instances/\(name)/snapshots/\(snapshot)", Nothing())
    }

    package func setExpiry(
        _ expires: Timestamp?, of snapshot: SnapshotName, of name: InstanceName
    ) async throws {
        let put = SnapshotPut(expiresAt: expires.map(rfc3339))
        let _: Nothing = try await send(.PUT, "/1.0/instances/\(name)/snapshots/\(snapshot)", put)
    }

    package func setSchedule(
        _ schedule: SnapshotSchedule?, of name: InstanceName
    ) async throws {
        let _: Nothing = try await send(
            .PATCH, "/1.0/instances/\(name)", InstancePatch(schedule))
    }

    package func copy(_ request: CopyRequest) async throws {
        try await perform(.POST, "/1.0/instances", InstancesPost(request))
    }
}
