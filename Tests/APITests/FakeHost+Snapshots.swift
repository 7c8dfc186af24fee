import MigrationCore
import Synchronization

extension FakeHost {
    func copy(_ request: CopyRequest) async throws {
        _ = try await instance(request.source)
        state.withLock { $0.copies.append(request) }
    }

    func snapshots(of name: InstanceName) async throws -> [SnapshotView] {
        _ = try await instance(name)
        return state.withLock { $0.snapshots[name.text] ?? [] }
    }

    func snapshot(_ snapshot: SnapshotName, of name: InstanceName) async throws -> SnapshotView {
        let known = try await snapshots(of: name)
        guard let view = known.first(where: { $0.snapshot.name == snapshot }) else {
            throw GodwitError(.notFound, "there is no snapshot \(snapshot) of \(name)")
        }
        return view
    }

    func createSnapshot(_ request: SnapshotRequest) async throws -> SnapshotView {
        let known = try await snapshots(of: request.instance)
        let snapshot = Snapshot(
            name: request.name ?? .next(after: known.map(\.snapshot.name)),
            created: Timestamp(milliseconds: 1_800_000_000_000), expires: request.expires,
            pauseMilliseconds: 12.5)
        let view = SnapshotView(
            snapshot: snapshot, definition: try await instance(request.instance).definition)
        state.withLock { $0.snapshots[request.instance.text, default: []].append(view) }
        return view
    }

    func restoreSnapshot(
        _ snapshot: SnapshotName, of name: InstanceName, _ use: StateUse
    ) async throws {
        _ = try await self.snapshot(snapshot, of: name)
        let words = use == .never ? " stateless" : ""
        state.withLock { $0.restored.append("\(name)/\(snapshot)" + words) }
    }

    func setExpiry(
        _ expires: Timestamp?, of snapshot: SnapshotName, of name: InstanceName
    ) async throws {
        _ = try await self.snapshot(snapshot, of: name)
        state.withLock { state in
            for index in state.snapshots[name.text, default: []].indices
            where state.snapshots[name.text]?[index].snapshot.name == snapshot {
                state.snapshots[name.text]?[index].snapshot.expires = expires
            }
        }
    }

    func setSchedule(_ schedule: SnapshotSchedule?, of name: InstanceName) async throws {
        _ = try await instance(name)
        state.withLock { $0.instances[name.text]?.definition.snapshotSchedule = schedule }
    }

    func deleteSnapshot(_ snapshot: SnapshotName, of name: InstanceName) async throws {
        _ = try await self.snapshot(snapshot, of: name)
        state.withLock { $0.snapshots[name.text]?.removeAll { $0.snapshot.name == snapshot } }
    }
}
