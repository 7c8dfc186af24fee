package import MigrationCore
import NIOHTTP1

/// Named volumes.
extension HostClient {
    private func path(_ volume: VolumeReference) -> String {
        "/1.0/storage-pools/\(volume.pool)/volumes/custom/\(volume.name)"
    }

    /// Of one pool, or of all.
    package func volumes(in pool: String? = nil) async throws -> [VolumeView] {
        guard let pool else {
            return try await get([VolumeShape].self, "/1.0/storage-volumes").map(\.godwit)
        }
        let path = "/1.0/storage-pools/\(try poolPath(pool))/volumes/custom"
        return try await get([VolumeShape].self, path).map(\.godwit)
    }

    package func volume(_ volume: VolumeReference) async throws -> VolumeView {
        try await get(VolumeShape.self, path(volume)).godwit
    }

    package func createVolume(_ volume: VolumeReference) async throws {
        let _: Nothing = try await send(
            .POST, "/1.0/storage-pools/\(volume.pool)/volumes/custom",
            VolumesPost(name: volume.name))
    }

    package func deleteVolume(_ volume: VolumeReference) async throws {
        _ = try await answer(.DELETE, path(volume))
    }

    package func attachVolume(_ volume: VolumeReference, _ use: VolumeUse) async throws {
        let _: Nothing = try await send(
            .PUT, "\(path(volume))/instances/\(use.instance)",
            VolumeUsePut(path: use.path, readonly: use.isReadOnly))
    }

    package func detachVolume(
        _ volume: VolumeReference, from instance: InstanceName
    ) async throws {
        _ = try await answer(.DELETE, "\(path(volume))/instances/\(instance)")
    }
}
