import MigrationCore
import Synchronization

extension FakeHost {
    func volumes(in pool: String?) async throws -> [VolumeView] {
        state.withLock { $0.volumes.filter { pool == nil || $0.volume.pool == pool } }
    }

    func volume(_ volume: VolumeReference) async throws -> VolumeView {
        let found = try await volumes(in: nil).first { $0.volume == volume }
        guard let found else { throw GodwitError(.notFound, "there is no volume \(volume)") }
        return found
    }

    func createVolume(_ volume: VolumeReference) async throws {
        let view = VolumeView(
            volume: volume, created: Timestamp(milliseconds: 1_800_000_000_000),
            used: .mebibytes(1))
        state.withLock { $0.volumes.append(view) }
    }

    func deleteVolume(_ volume: VolumeReference) async throws {
        guard try await self.volume(volume).uses.isEmpty else {
            throw GodwitError(.busy, "the volume \(volume) is attached")
        }
        state.withLock { $0.volumes.removeAll { $0.volume == volume } }
    }

    func attachVolume(_ volume: VolumeReference, _ use: VolumeUse) async throws {
        _ = try await self.volume(volume)
        state.withLock { state in
            for index in state.volumes.indices where state.volumes[index].volume == volume {
                state.volumes[index].uses.append(use)
            }
        }
    }

    func detachVolume(_ volume: VolumeReference, from instance: InstanceName) async throws {
        _ = try await self.volume(volume)
        state.withLock { state in
            for index in state.volumes.indices where state.volumes[index].volume == volume {
                state.volumes[index].uses.removeAll { $0.instance == instance }
            }
        }
    }
}
