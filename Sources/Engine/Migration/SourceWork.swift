import Logging
import MigrationCore
import Synchronization

/// The long steps of the source, each of which may run again after a restart.
final class SourceWork: Sendable {
    let job: SourceJob
    let equipment: Equipment
    let logger: Logger
    let travel = Mutex(SourceTravel())
    let kept = Mutex(Kept())
    let passes = Mutex<[String: VolumePasses]>([:])

    /// What earlier steps leave for later ones.
    struct Kept {
        var acceptance: Acceptance?
        var streams: [StreamHello.Purpose: any ByteStream] = [:]
        var memory: (any MemorySession)?
        /// As the volumes were when their last pass had ended.
        var passDigests: [String: String] = [:]
        var snapshotDigests: [String: String] = [:]
    }

    init(job: SourceJob, equipment: Equipment, logger: Logger) {
        self.job = job
        self.equipment = equipment
        self.logger = logger
    }

    var definition: InstanceDefinition { job.context.definition }
    var options: MoveOptions { job.context.options }
    /// The root volume, and its pool.
    var volume: String { definition.name.text }
    func pool() throws -> any MigratingPool { try equipment.pool(definition.pool) }

    func driver() throws -> any Checkpointable { try equipment.driver(definition.kind) }

    func place(of volume: String) throws -> VolumePlace {
        try equipment.place(of: volume, in: definition, offeredAs: definition.name)
    }

    /// Describes instance and host as they are now.
    func inspect() async throws -> Offer {
        job.ledger.begin("inspect")
        return try await equipment.offer(
            definition, options, keepSeconds: job.context.keepSeconds)
    }

    /// One try before custody is offered; for ever afterwards.
    func connect(isPatient: Bool) async throws -> any MessageChannel {
        let (dialer, remote, id) = (equipment.dialer, job.context.remote, job.id)
        let open: @Sendable () async throws -> any MessageChannel = {
            try await withDeadline(.seconds(10), for: "connecting to \(remote)") {
                try await dialer.openControl(remote, migration: id)
            }
        }
        guard isPatient else { return try await open() }
        return try await persistently("connecting to \(remote)", logger, open)
    }

    /// The first pass of every volume; then all that must not cost time once the instance is
    /// frozen: digests are warm on both sides, and the streams for the state stand.
    func sendVolumes(_ acceptance: Acceptance) async throws {
        kept.withLock { $0.acceptance = acceptance }
        job.ledger.set(acceptance.plan.mounts)
        try await hearHeld(acceptance)
        try await sendSnapshots(acceptance.plan)
        for case .sendVolume(let volume, let method) in acceptance.plan.steps {
            let start = ContinuousClock.now
            try await sendVolume(volume, by: method)
            if knowsPasses(acceptance), !acceptance.plan.shares(volume) {
                try await beginPasses(over: volume, by: method, since: start)
            }
        }
        try await passWhilePaying()
        for step in acceptance.plan.steps {
            switch step {
            case .sendDelta(let volume, _):
                _ = try await open(.delta(volume))
                if knowsEarlyDelta(acceptance) { _ = try await open(.rest(volume)) }
            case .sendCheckpoint: _ = try await open(.checkpoint)
            case .holdPackets:
                try await packetDriver()?.prepareHold(definition)
                _ = try await open(.packets)
            case .fetchMemory:
                for channel in 0..<StreamHello.Purpose.pageChannels {
                    _ = try await open(.pages(channel))
                }
            case .sendSnapshots, .sendVolume, .sendMemory, .freeze, .handOver, .restore,
                .endOriginal:
                break
            }
        }
        try await layCables()
        // Last of all: what is sent now grows old again until the freeze.
        for case .sendMemory(let streams) in acceptance.plan.steps {
            try await sendMemory(over: streams)
        }
        await endPasses()
    }

    private func sendVolume(_ volume: String, by method: VolumeMethod) async throws {
        job.ledger.begin("send volume \(volume)")
        let place = try place(of: volume)
        let stream = try await open(.volume(volume))
        try await place.pool.sendWhileRunning(place.name, by: method, over: stream) { [job] in
            job.ledger.sent($0, as: "volume", of: volume)
        }
        let digest = try await place.pool.digest(of: place.name, mapped: [])
        kept.withLock { $0.passDigests[volume] = digest }
        await settle(stream, .volume(volume))
    }

    /// The instance stands still afterwards: frozen if it moves live, stopped if cold.
    func freeze() async throws {
        job.ledger.begin("freeze")
        job.ledger.freezeStarted()
        let driver = try driver()
        try await job.ledger.timing("freeze") {
            switch options.mode {
            case .live: try await driver.freeze(definition)
            case .cold:
                guard job.context.wasRunning else { return }
                try await driver.stop(definition, grace: Self.grace)
            }
        }
        if let stream = standingPackets { try await stream.write(PacketMessages.frozen[...]) }
    }

    /// How long a cold move waits for the first process to end by itself.
    static let grace = Duration.seconds(10)

    /// The dump, then deltas and process state side by side, and the digests of what stands here.
    func sendState() async throws -> Digests {
        guard let acceptance = kept.withLock({ $0.acceptance }) else {
            preconditionFailure("state is sent before the target has accepted")
        }
        job.ledger.begin("send state")
        let mapped =
            options.mode == .live
            ? try await equipment.writableMappings(definition, driver()) : .empty
        let memory = try await captureMemory()
        async let rest: Void = finishMemory()
        async let packets: Void = sendPackets()
        // A dump with memory aside touches files only where it says so.
        let isEarly = memory != nil && knowsEarlyDelta(acceptance)
        async let early = sendDeltas(acceptance, mapped: mapped, if: isEarly)
        let isTouched = try await dumpIfPlanned(acceptance.plan, without: memory)
        async let images = sendImages(acceptance.plan)
        let changed = try await early
        var digests = Digests(volumes: kept.withLock { $0.snapshotDigests }, checkpoint: nil)
        let volumes = try await eachDelta(acceptance) { volume, method in
            var hasChanged = changed.contains(volume)
            if isTouched || !isEarly {
                let purpose: StreamHello.Purpose = isEarly ? .rest(volume) : .delta(volume)
                let isSent = try await self.sendDelta(
                    volume, by: method, mapped: mapped[volume], on: purpose, acceptance)
                hasChanged = hasChanged || isSent
            }
            return try await self.digest(
                of: volume, mapped: mapped[volume], hasChanged: hasChanged)
        }
        digests.volumes.merge(volumes) { _, new in new }
        digests.checkpoint = try await images
        try await rest
        try await packets
        job.ledger.stateSent()
        travel.withLock { [digests] in $0.digests = digests.volumes }
        return digests
    }

    private func knowsEarlyDelta(_ acceptance: Acceptance) -> Bool {
        acceptance.features.contains(Capabilities.Feature.earlyDelta.name)
    }

    /// - Returns: the volumes that had changed.
    private func sendDeltas(
        _ acceptance: Acceptance, mapped: VolumeMappings, if isWanted: Bool
    ) async throws -> Set<String> {
        guard isWanted else { return [] }
        let isSent = try await eachDelta(acceptance) { volume, method in
            try await self.sendDelta(
                volume, by: method, mapped: mapped[volume], on: .delta(volume), acceptance)
        }
        return Set(isSent.filter(\.value).keys)
    }

    /// For all volumes at once: the instance stands still, and the target takes them as they come.
    private func eachDelta<Value: Sendable>(
        _ acceptance: Acceptance,
        _ body: @escaping @Sendable (String, VolumeMethod) async throws -> Value
    ) async throws -> [String: Value] {
        try await withThrowingTaskGroup(of: (String, Value).self) { group in
            for case .sendDelta(let volume, let method) in acceptance.plan.steps {
                group.addTask { (volume, try await body(volume, method)) }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    private func sendImages(_ plan: Plan) async throws -> String? {
        plan.steps.contains(.sendCheckpoint) ? try await sendCheckpoint() : nil
    }

    private func sendDelta(
        _ volume: String, by method: VolumeMethod, mapped: Set<String>,
        on purpose: StreamHello.Purpose, _ acceptance: Acceptance
    ) async throws -> Bool {
        let place = try place(of: volume)
        let (pool, name) = (place.pool, place.name)
        let stream = try standing(purpose)
        let isSent = try await job.ledger.timing(purpose == .rest(volume) ? "rest" : "delta") {
            if knowsEarlyDelta(acceptance) {
                guard try await pool.hasChanged(name, mapped: mapped) else { return false }
                try await DeltaMessages.announce(on: stream)
            }
            try await pool.sendAfterCheckpoint(name, by: method, mapped: mapped, over: stream) {
                [job] in job.ledger.sent($0, as: "delta", of: volume)
            }
            return true
        }
        await settle(stream, purpose)
        return isSent
    }

    /// Tells the target that no more is to come, and what stands here now.
    private func digest(
        of volume: String, mapped: Set<String>, hasChanged: Bool
    ) async throws -> String {
        // First, so that the target reads its tree at the same time.
        if let stream = kept.withLock({ $0.streams[.rest(volume)] }) {
            await settle(stream, .rest(volume))
        }
        let known = kept.withLock { $0.passDigests[volume] }
        if let known, !hasChanged { return known }
        let place = try place(of: volume)
        return try await job.ledger.timing("digest") {
            try await place.pool.digest(of: place.name, mapped: mapped)
        }
    }

    private func sendCheckpoint() async throws -> String {
        let driver = try driver()
        let stream = try standing(.checkpoint)
        let result = try await job.ledger.timing("images") {
            try await driver.sendCheckpoint(definition, over: stream) { [job] in
                job.ledger.sentCheckpoint($0)
            }
        }
        job.ledger.sentCheckpoint(result.bytes)
        job.ledger.add(statistics: result.statistics)
        await settle(stream, .checkpoint)
        return result.digest
    }
}

extension SourceWork {
    func open(_ purpose: StreamHello.Purpose) async throws -> any ByteStream {
        let hello = StreamHello(migration: job.id, purpose: purpose)
        let (dialer, remote) = (equipment.dialer, job.context.remote)
        let stream = try await withDeadline(.seconds(10), for: "connecting to \(remote)") {
            [job] in
            try await dialer.openStream(remote, hello, bandwidth: job.bandwidth)
        }
        kept.withLock { $0.streams[purpose] = stream }
        return stream
    }

    var standingPackets: (any ByteStream)? { kept.withLock { $0.streams[.packets] } }

    func standing(_ purpose: StreamHello.Purpose) throws -> any ByteStream {
        guard let stream = kept.withLock({ $0.streams[purpose] }) else {
            throw GodwitError(.internalFault, "the stream for the state was not opened")
        }
        return stream
    }

    /// Ends our half and waits until the target has ended its own: it is done with the step then.
    /// Closing earlier could destroy what is still on its way.
    func settle(_ stream: any ByteStream, _ purpose: StreamHello.Purpose) async {
        await stream.settle()
        kept.withLock { $0.streams[purpose] = nil }
    }

    func keep(snapshotDigest digest: String, of volume: String) {
        kept.withLock { $0.snapshotDigests[SnapshotDigests.key(of: volume)] = digest }
    }

    /// Nothing of the migration travels any more, and the instance's memory is not watched.
    func closeStreams() async {
        let (streams, memory) = kept.withLock { kept in
            defer { (kept.streams, kept.memory) = ([:], nil) }
            return (Array(kept.streams.values), kept.memory)
        }
        await memory?.close()
        for stream in streams { await stream.cancel() }
    }
}
