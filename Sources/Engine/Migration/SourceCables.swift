import MigrationCore

/// The way on which traffic follows the instance.
extension SourceWork {
    func layCables() async throws {
        guard let forward = options.forward, let driver = try driver() as? any TrafficForwarding
        else { return }
        // Written first: a cable that nobody knows of would stay.
        try equipment.store.save(
            ForwardRecord(
                id: job.id, definition: definition, other: forward.ends.other, until: nil))
        try await driver.layCables(definition, forward.ends)
    }

    func removeCables() async throws {
        guard options.forward != nil, let driver = try driver() as? any TrafficForwarding else {
            return
        }
        try await driver.removeCables(definition)
        try equipment.store.removeForward(job.id)
    }

    /// From the end of the move on, for as long as was asked.
    func keepCables() throws {
        guard let forward = options.forward else { return }
        try equipment.store.save(
            ForwardRecord(
                id: job.id, definition: definition, other: forward.ends.other,
                until: .now(after: forward.seconds)))
    }
}
