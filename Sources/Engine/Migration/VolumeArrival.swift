import MigrationCore

/// Volumes as they come, and whose their files become here.
extension TargetWork {
    /// - Returns: the digest of what has come, as it is on the source.
    func receiveVolume(_ volume: String, by method: VolumeMethod) async throws -> String {
        let place = try equipment.place(
            of: volume, in: definition, offeredAs: agreed.offer.definition.name)
        let (pool, here) = (place.pool, place.name)
        try await expectIDs(in: place)
        var last = try await job.desk.take(.volume(volume)) { stream in
            try await pool.receiveWhileRunning(here, by: method, from: stream)
            // The source waits for the end of this stream before it freezes, so that only what
            // changes later is read again afterwards.
            return try await pool.digest(of: here, mapped: [])
        }
        for number in 0..<passesToCome(over: volume) {
            let digest = try await job.desk.take(.pass(volume, number)) { stream -> String? in
                guard try await DeltaMessages.isAnnounced(on: stream) else { return nil }
                try await pool.receiveAgain(here, by: method, from: stream)
                return try await pool.digest(of: here, mapped: [])
            }
            guard let digest else { break }
            last = digest
        }
        let later: [StreamHello.Purpose] =
            [.delta(volume)] + (knowsEarlyDelta ? [.rest(volume)] : [])
        var hasChanged = false
        for purpose in later {
            let isSent = try await job.desk.take(purpose) { stream in
                if knowsEarlyDelta {
                    guard try await DeltaMessages.isAnnounced(on: stream) else { return false }
                }
                try await pool.receiveAfterCheckpoint(here, by: method, from: stream)
                return true
            }
            hasChanged = hasChanged || isSent
        }
        if hasChanged { last = try await pool.digest(of: here, mapped: []) }
        try await settleIDs(in: place)
        guard place.volume == nil else { return last }
        // With the digest that it has at the source, which a copy that stays there is known by.
        try await noteArrival(last)
        return last
    }

    /// Has what comes now given to the ids that the instance has here, where they are others.
    func expectIDs(in place: VolumePlace) async throws {
        guard let change = idChange else { return }
        try await changingIDs(in: place).expectIDs(change, in: place.name)
    }

    /// Before custody: if a file cannot be given away the source goes on, and what has come goes
    /// with its reservation, also after a crash.
    func settleIDs(in place: VolumePlace) async throws {
        guard idChange != nil else { return }
        let start = ContinuousClock.now
        try await changingIDs(in: place).settleIDs(of: place.name)
        job.ledger?.note("ids", start.duration(to: .now).inMilliseconds)
    }

    private var idChange: IDChange? {
        IDChange(from: agreed.offer.definition.idMap, to: definition.idMap)
    }

    private func changingIDs(in place: VolumePlace) throws -> any VolumeIDChanging {
        guard let pool = place.pool as? any VolumeIDChanging else {
            throw GodwitError(.internalFault, "files come that this pool cannot give away")
        }
        return pool
    }
}
