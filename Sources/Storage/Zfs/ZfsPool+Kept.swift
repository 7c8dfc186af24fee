import LinuxHost
package import MigrationCore
import Synchronization

/// Kept copies are datasets like the volumes that they were, with their snapshots, beside these and
/// mounted nowhere. What is in the volume's directory is not needed; it is made anew.
extension ZfsPool: VolumeKeeping {
    package func keepVolume(_ volume: String, as copy: String) async throws {
        _ = try layout.usablePath(of: volume)
        let place = try names.place(ofKept: copy)
        let found = try await survey(volume)
        if found.exists {
            do { try await keep(found, of: volume, at: place) } catch {
                await afterFailure { [self] in try await settle(volume) }
                throw error
            }
        } else if try await !tools.exists(place) {
            throw unknown(volume)
        }
        try await Rm.tree(layout.place(of: volume)).check()
    }

    private func keep(_ found: ZfsVolume, of volume: String, at place: String) async throws {
        forget(volume)
        try await removePasses(of: volume)
        try await unmountAll(found, of: volume)
        try await makeKeptParent()
        try await tools.run(tools.zfs.rename(names.place(of: volume), to: place))
    }

    private func makeKeptParent() async throws {
        if try await tools.exists(names.kept) { return }
        do { try await tools.run(tools.zfs.create(names.kept, ZfsMaker.unmounted)) } catch {
            // Another copy may have been the first.
            guard try await tools.exists(names.kept) else { throw error }
        }
    }

    package func takeKept(_ copy: String, as volume: String) async throws -> String {
        let path = try layout.usablePath(of: volume)
        let place = try names.place(ofKept: copy)
        try names.require(volume)
        if try await !survey(volume).exists {
            guard try await tools.exists(place) else {
                throw GodwitError(
                    .notFound, "the pool \(layout.pool) has no kept copy \(copy)",
                    remedy: "see `godwit pool info \(layout.pool)`")
            }
            try await tools.run(tools.zfs.rename(place, to: names.place(of: volume)))
        }
        // Beside what came of a stream that broke the volume is empty.
        if try await partial(survey(volume)) == nil {
            taken.withLock { _ = $0.insert(volume) }
        }
        try await settle(volume)
        return path
    }

    package func removeKept(_ copy: String) async throws {
        let place = try names.place(ofKept: copy)
        guard try await tools.exists(place) else { return }
        try await tools.run(tools.zfs.destroyAll(place))
    }

    package func keptCopies() async throws -> Set<String> {
        guard try await tools.exists(names.kept) else { return [] }
        return Set(try await ZfsMaker.names(below: names.kept, tools))
    }

    package func begin(_ volume: String, upon start: VolumeStart) async {
        passes.begin(volume, since: layout.moment(of: start, for: volume))
    }

    package func noteArrival(of volume: String, digest: String) async throws {
        try layout.noteArrival(of: volume, digest: digest)
    }

    /// Forgets what is remembered of the volume and its passes.
    func forget(_ volume: String) {
        passes.forget(volume)
        broken.withLock { _ = $0.removeValue(forKey: volume) }
        taken.withLock { _ = $0.remove(volume) }
    }
}
