extension MountedFilesystem {
    /// Unmounts what is there, if anything is. Nothing uses it; whoever only looks may do so for a
    /// moment.
    ///
    /// - Throws: `toolFailed` while somebody uses it for longer.
    package static func unmount(_ point: String) async throws {
        for attempt in 1... {
            guard try MountedFilesystem.at(point) != nil else { return }
            let command = Mount.unmount(point)
            let result = try await command.run()
            // Somebody else may remove the same leftover.
            guard !result.status.isSuccess, try MountedFilesystem.at(point) != nil else { continue }
            guard attempt < 20, result.errorText.contains("busy") else {
                throw command.failure(of: result)
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Takes away all that is mounted below, also where somebody still uses it.
    package static func detachAll(below place: String) async throws {
        for point in try points(below: place) { try await Mount.detach(point).check() }
    }
}
