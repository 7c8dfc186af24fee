import MigrationCore
import Synchronization

/// The passes over one volume so far.
struct VolumePasses: Sendable {
    let method: VolumeMethod
    var policy: VolumePassPolicy
    var began: ContinuousClock.Instant
    /// Of the stream that stands for the next pass; after the last there is none.
    var number: Int { policy.count }
    /// Seconds since it began.
    var elapsed: Double { began.duration(to: .now).inMilliseconds / 1_000 }
    var outlook: FileOutlook? { policy.outlook(after: elapsed) }
}

/// Passes over the volumes between the first ones and the freeze: the less is left for the delta,
/// the shorter it stands still.
extension SourceWork: FilePasses {
    var outlooks: [FileOutlook] {
        passes.withLock { passes in
            passes.values.compactMap(\.outlook)
        }
    }

    func passBeforeFreeze(longerThan delta: Double) async throws {
        let late = passes.withLock { passes in
            passes.filter { $0.value.outlook.map { $0.delta > delta } ?? false }.keys.sorted()
        }
        for volume in late { _ = try await pass(over: volume) }
    }

    func knowsPasses(_ acceptance: Acceptance) -> Bool {
        acceptance.features.contains(Capabilities.Feature.volumePasses.name)
    }

    /// - Parameter start: of the first pass.
    func beginPasses(
        over volume: String, by method: VolumeMethod, since start: ContinuousClock.Instant
    ) async throws {
        let seconds = start.duration(to: .now).inMilliseconds / 1_000
        _ = try await open(.pass(volume, 0))
        let bytes = job.ledger.sent(as: "volume", of: volume)
        passes.withLock {
            $0[volume] = VolumePasses(
                method: method, policy: VolumePassPolicy(first: seconds, bytes: Double(bytes)),
                began: start)
        }
    }

    /// Right after the first passes.
    func passWhilePaying() async throws {
        for volume in passes.withLock({ $0.keys.sorted() }) {
            while passes.withLock({ $0[volume]?.policy.pays == true }) {
                guard try await pass(over: volume) else { break }
            }
        }
    }

    /// Between two rounds of memory.
    func passWhereDue() async throws {
        let due = passes.withLock { passes in
            passes.filter { $0.value.policy.isDue(after: $0.value.elapsed) }.keys.sorted()
        }
        for volume in due { _ = try await pass(over: volume) }
    }

    /// Tells the target that only deltas come now.
    func endPasses() async {
        for (volume, state) in passes.withLock({ $0 }) {
            let purpose = StreamHello.Purpose.pass(volume, state.number)
            if let stream = kept.withLock({ $0.streams[purpose] }) {
                await settle(stream, purpose)
            }
        }
    }

    /// - Returns: whether anything had changed.
    private func pass(over volume: String) async throws -> Bool {
        guard var state = passes.withLock({ $0[volume] }), state.number < Limit.volumePasses
        else { return false }
        let place = try place(of: volume)
        let interval = state.elapsed
        state.began = .now
        let hasChanged = try await place.pool.hasChanged(place.name, mapped: [])
        if hasChanged {
            try await send(state, of: volume, in: place)
            let seconds = state.elapsed
            let bytes = job.ledger.passed(over: volume, state.number, in: seconds * 1_000)
            state.policy.passed(sending: Double(bytes), in: seconds, over: interval)
            if state.number < Limit.volumePasses {
                _ = try await open(.pass(volume, state.number))
            }
        } else {
            state.policy.looked(for: state.elapsed)
        }
        passes.withLock { [state] in $0[volume] = state }
        return hasChanged
    }

    private func send(
        _ state: VolumePasses, of volume: String, in place: VolumePlace
    ) async throws {
        let number = state.number
        job.ledger.begin("send changes of volume \(volume), pass \(number + 2)")
        let purpose = StreamHello.Purpose.pass(volume, number)
        let stream = try standing(purpose)
        try await DeltaMessages.announce(on: stream)
        try await place.pool.sendAgain(place.name, by: state.method, over: stream) { [job] in
            job.ledger.sent($0, inPass: number, over: volume)
        }
        let digest = try await place.pool.digest(of: place.name, mapped: [])
        kept.withLock { $0.passDigests[volume] = digest }
        await settle(stream, purpose)
    }
}
