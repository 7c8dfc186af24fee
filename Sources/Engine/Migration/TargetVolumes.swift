import MigrationCore

/// The volume of what arrives: made here, or there already for both hosts to see.
extension TargetWork {
    /// What the source has written to a pool that both may see, where it is here, too.
    func lookForToken(of offer: Offer, _ target: inout HostFacts) async {
        let (pool, volume) = (offer.definition.pool, offer.definition.name.text)
        guard let token = offer.host.pool(pool)?.token,
            let sharing = (try? equipment.pool(pool)) as? any VolumeSharing,
            await sharing.sees(token, of: volume)
        else { return }
        target.note(token, inPool: pool)
    }

    /// One that both hosts share is the source's until custody: nothing is made here, and the
    /// record never says that there was something to be removed.
    func place(
        _ definition: InstanceDefinition, _ offer: Offer, _ plan: Plan,
        in pool: any MigratingPool
    ) async throws -> String {
        let name = definition.name.text
        if plan.shares(name) { return pool.path(of: name) }
        guard await !pool.hasVolume(name) else {
            throw GodwitError(
                .nameTaken,
                "pool \(definition.pool) of the target has a volume \(definition.name) already",
                remedy: "choose another name, or remove that volume"
            )
        }
        // Written first: a volume that nobody owns would stay for ever.
        try equipment.store.change(definition.name, lockedBy: job.id) { $0.ownsVolume = true }
        return try await makeVolume(definition, offer, plan, in: pool)
    }

    /// With custody a volume that both hosts share is this host's; the source leaves it alone from
    /// here on, whatever becomes of the restore, until it has custody again.
    func takeVolume(of definition: InstanceDefinition, _ plan: Plan) async throws {
        guard plan.shares(definition.name.text) else { return }
        guard let sharing = try equipment.pool(definition.pool) as? any VolumeSharing else {
            throw GodwitError(.internalFault, "a volume is shared that this pool cannot share")
        }
        try await sharing.takeVolume(definition.name.text)
    }
}
