import Logging
import MigrationCore
import Synchronization

/// The long steps of the target, each of which may run again after a restart.
final class TargetWork: Sendable {
    let job: TargetJob
    let equipment: Equipment
    let logger: Logger
    private let known: Mutex<TargetContext>
    /// No page comes any more.
    private let lastPage = Latch()

    init(job: TargetJob, context: TargetContext, equipment: Equipment, logger: Logger) {
        self.job = job
        self.equipment = equipment
        self.logger = logger
        known = Mutex(context)
        guard let offer = context.offer else { return }
        let stored = try? equipment.store.report(job.id)
        job.ledger = Ledger(stored ?? firstReport(offer))
    }

    var context: TargetContext { known.withLock { $0 } }
    func remember(_ offer: Offer) { known.withLock { $0.offer = offer } }
    func remember(_ plan: Plan) { known.withLock { $0.plan = plan } }

    func firstReport(_ offer: Offer) -> MigrationReport {
        MigrationReport(
            id: job.id,
            side: .target,
            instance: offer.definition.name,
            newName: offer.options.newName ?? offer.definition.name,
            peer: job.peer.name,
            mode: offer.options.mode,
            started: .now
        )
    }

    /// Compares both hosts and plans, without touching anything.
    func check(_ offer: Offer) async throws -> (findings: [Finding], plan: Plan?) {
        let abilities = try await abilities(for: offer)
        var instance = offer.instance
        if !abilities.contains(.memoryRounds) { instance.division = nil }
        let arriving = offer.options.arriving(offer.definition)
        // What is no name or address must not be asked for.
        async let answered =
            offer.options.forward == nil && arriving.interfaces.count <= Limit.interfacesPerInstance
                && arriving.interfaces.allSatisfy(\.faults.isEmpty)
            ? equipment.facts.answeredAddresses(of: arriving) : []
        var target = try await equipment.hostFacts(for: arriving)
        target.addressesInUse.formUnion(await answered)
        await lookForToken(of: offer, &target)
        let comparison = Comparison(
            source: offer.host,
            target: target,
            definition: offer.definition,
            instance: instance,
            options: offer.options
        )
        return Planner.plan(
            offer,
            findings: equipment.checks.flatMap { $0.findings(in: comparison) },
            abilities: abilities,
            methods: equipment.pools.methods
        )
    }

    /// Reserves the name and makes the volume and what else can be made before the state is here.
    func prepare(_ offer: Offer, _ plan: Plan) async throws {
        let definition = arriving(offer, plan)
        let (driver, pool) = (
            try equipment.driver(definition.kind), try equipment.pool(definition.pool)
        )
        if let ledger = job.ledger { try equipment.store.save(ledger.report) }
        if plan.options.forward != nil {
            // Its ends would have the names of those that come.
            try await equipment.removeForwards(of: definition.name)
        }
        try equipment.store.insert(
            InstanceRecord(
                definition: definition,
                isWanted: plan.startsOnTarget,
                lock: job.id,
                isArriving: true
            )
        )
        let root = try await makeVolume(for: definition, plan, in: pool)
        guard plan.options.mode == .live else { return }
        try await driver.prepareRestore(definition, root: root)
        if plan.steps.contains(.holdPackets), let driver = driver as? any PacketHolding {
            try await driver.prepareHold(definition)
        }
    }

    func expectStreams() {
        let purposes = agreed.plan.steps.flatMap { step -> [StreamHello.Purpose] in
            switch step {
            case .sendSnapshots: snapshotStreams
            case .sendVolume(let volume, _): [.volume(volume)]
            case .sendDelta(let volume, _):
                [.delta(volume)] + (knowsEarlyDelta ? [.rest(volume)] : [])
            case .sendCheckpoint: [.checkpoint]
            case .sendMemory(let streams): (0..<streams).map { .memory($0) }
            case .holdPackets: [.packets]
            case .fetchMemory: Self.pages
            case .freeze, .handOver, .restore, .endOriginal: []
            }
        }
        job.desk.expect(purposes)
    }

    /// Receives everything, volumes beside memory and process state, and returns the digests of
    /// what arrived.
    func receiveState() async throws -> Digests {
        let (_, plan) = agreed
        async let memory: Void = receiveMemory(plan)
        async let packets: Void = receivePackets(plan)
        let digests = try await receiveFiles(plan)
        try await memory
        try await packets
        return digests
    }

    private func receiveFiles(_ plan: Plan) async throws -> Digests {
        var digests = Digests(volumes: try await receiveSnapshots(plan), checkpoint: nil)
        try await withThrowingTaskGroup(of: (String?, String).self) { group in
            for step in plan.steps {
                switch step {
                case .sendVolume(let volume, let method):
                    group.addTask { (volume, try await self.receiveVolume(volume, by: method)) }
                case .sendCheckpoint:
                    group.addTask { (nil, try await self.receiveCheckpoint()) }
                case .sendSnapshots, .sendDelta, .sendMemory, .holdPackets, .freeze, .handOver,
                    .fetchMemory, .restore, .endOriginal:
                    break
                }
            }
            for try await (volume, digest) in group {
                if let volume {
                    digests.volumes[volume] = digest
                } else {
                    digests.checkpoint = digest
                }
            }
        }
        return digests
    }

    private var knowsEarlyDelta: Bool { agreed.offer.capabilities.knows(.earlyDelta) }

    private func receiveVolume(_ volume: String, by method: VolumeMethod) async throws -> String {
        let definition = definition
        let pool = try equipment.pool(definition.pool)
        let here = definition.name.text
        let first = try await job.desk.take(.volume(volume)) { stream in
            try await pool.receiveWhileRunning(here, by: method, from: stream)
            // The source waits for the end of this stream before it freezes, so that only what
            // changes later is read again afterwards.
            return try await pool.digest(of: here, mapped: [])
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
        return hasChanged ? try await pool.digest(of: here, mapped: []) : first
    }

    /// The first message comes with the freeze: from then on packets are drawn here.
    private func receivePackets(_ plan: Plan) async throws {
        guard plan.steps.contains(.holdPackets),
            let driver = try equipment.driver(definition.kind) as? any PacketHolding
        else { return }
        try await job.desk.take(.packets) { [definition] stream in
            var messages = PacketMessages(stream)
            guard try await messages.next() != nil else { return }
            try await driver.startHold(definition)
            while let message = try await messages.next() {
                try await driver.giveHeld(message, to: definition)
            }
        }
    }

    /// The digests of memory are compared on its streams, by the two drivers.
    private func receiveMemory(_ plan: Plan) async throws {
        for case .sendMemory(let streams) in plan.steps {
            guard let driver = try equipment.driver(definition.kind) as? any MemoryMoving else {
                throw GodwitError(.internalFault, "memory comes that this host cannot receive")
            }
            try await take((0..<streams).map { .memory($0) }, []) { [definition] streams in
                try await driver.receiveMemory(definition, from: streams)
            }
        }
    }

    /// Has the pages come that were left for later; also after a restart, and over streams that the
    /// source opens again.
    ///
    /// - Returns: nil if there are none.
    func fetchMemory() async throws -> MemoryReport.Fetch? {
        let definition = definition
        guard let driver = try equipment.driver(definition.kind) as? any MemoryMoving,
            try await driver.lacksMemory(definition)
        else { return nil }
        job.desk.expect(Self.pages)
        return try await withThrowingTaskGroup(of: MemoryReport.Fetch?.self) { group in
            for channel in 0..<StreamHello.Purpose.pageChannels {
                group.addTask { [desk = job.desk] in
                    await desk.takeEach(.pages(channel)) { stream in
                        try await driver.fetchMemory(definition, channel: channel, over: stream)
                    }
                    return nil
                }
            }
            group.addTask { try await driver.waitForMemory(definition) }
            group.addTask { [lastPage] in
                await lastPage.wait()
                try await Task.sleep(for: Self.settling)
                throw GodwitError.originalGone
            }
            defer { group.cancelAll() }
            while let fetch = try await group.next() {
                if let fetch { return fetch }
            }
            throw CancellationError()
        }
    }

    /// Lets the fetch end with what has come.
    func endFetch() { lastPage.open() }

    /// In which pages that have come are all in their places.
    private static let settling = Duration.seconds(2)

    private static let pages = (0..<StreamHello.Purpose.pageChannels).map {
        StreamHello.Purpose.pages($0)
    }

    /// Whether pages of what a restart finds restored were left for later.
    func lacksMemory() async throws -> Bool {
        let definition = definition
        guard let driver = try equipment.driver(definition.kind) as? any MemoryMoving else {
            return false
        }
        return try await driver.lacksMemory(definition)
    }

    /// Takes all streams at once.
    private func take(
        _ purposes: [StreamHello.Purpose], _ taken: [any ByteStream],
        _ body: @Sendable ([any ByteStream]) async throws -> Void
    ) async throws {
        guard let next = purposes.first else { return try await body(taken) }
        try await job.desk.take(next) { stream in
            try await take(Array(purposes.dropFirst()), taken + [stream], body)
        }
    }

    private func receiveCheckpoint() async throws -> String {
        let (definition, options) = (definition, agreed.plan.options)
        let driver = try equipment.driver(definition.kind)
        let root = try equipment.pool(definition.pool).path(of: definition.name.text)
        return try await job.desk.take(.checkpoint) { [job] stream in
            try await driver.receiveCheckpoint(
                definition, root: root, options: options, from: stream
            ) { job.ledger?.sentCheckpoint($0) }
            .digest
        }
    }

    func restore() async throws -> Receipt {
        let (definition, plan) = (definition, agreed.plan)
        let (driver, pool) = (
            try equipment.driver(definition.kind), try equipment.pool(definition.pool)
        )
        let root = pool.path(of: definition.name.text)
        try await takeVolume(of: definition, plan)
        let runs = plan.startsOnTarget && !plan.options.isPaused
        var milliseconds: [String: Double] = [:]
        switch plan.options.mode {
        case .live:
            milliseconds = try await driver.restore(definition, root: root, options: plan.options)
        case .cold where runs:
            let start = ContinuousClock.now
            try await driver.start(definition, root: root)
            milliseconds["restore"] = start.duration(to: .now).inMilliseconds
        case .cold: break
        }
        return Receipt(name: definition.name, isRunning: runs, milliseconds: milliseconds)
    }
}

extension TargetWork {
    /// What both sides have agreed on; only for steps that come after that.
    var agreed: (offer: Offer, plan: Plan) {
        let context = context
        guard let offer = context.offer, let plan = context.plan else {
            preconditionFailure("a step of the target before offer and plan are known")
        }
        return (offer, plan)
    }

    /// The definition as it will be known here.
    var definition: InstanceDefinition { arriving(agreed.offer, agreed.plan) }

    private func arriving(_ offer: Offer, _ plan: Plan) -> InstanceDefinition {
        plan.options.arriving(offer.definition)
    }

    /// The receipt, if a restart finds the instance as `restore` would have left it.
    func completeReceipt() async throws -> Receipt? {
        let (definition, plan) = (definition, agreed.plan)
        guard try reservation() != nil else { return nil }
        let found = try await equipment.driver(definition.kind).observe(definition)
        let runs = plan.startsOnTarget && !plan.options.isPaused
        let expected: InstanceStatus =
            runs ? .running : plan.options.mode == .live ? .frozen : .stopped
        // Tools of a restore that has not ended make an instance look as if it ran.
        guard found.status == expected, found.pid != nil || expected == .stopped else { return nil }
        return Receipt(name: definition.name, isRunning: runs, milliseconds: [:])
    }

    /// The name that this migration holds; nil if it never came so far, or has let go of it.
    /// Whatever has the name then is not ours to touch.
    private func reservation() throws -> InstanceRecord? {
        guard let record = try equipment.store.instance(lockedBy: job.id), record.isArriving else {
            return nil
        }
        return record
    }

    /// Nothing of the instance can run here afterwards.
    func discard() async throws {
        try await persistently("discarding what has arrived", logger) {
            guard let definition = try reservation()?.definition else { return }
            let driver = try equipment.driver(definition.kind)
            switch agreed.plan.options.mode {
            case .live: try await driver.discardRestore(definition)
            case .cold:
                try await driver.stop(definition, grace: .zero)
                try await driver.remove(definition)
            }
        }
    }

    func cleanUp() async throws {
        await job.desk.close()
        try await persistently("cleaning up", logger) {
            guard let record = try reservation() else { return }
            let pool = try equipment.pool(record.definition.pool)
            let volume = record.definition.name
            if record.ownsVolume {
                try await pool.cleanUpAfterReceiving(volume.text)
                await pool.forgetDigest(of: volume.text)
                try await pool.deleteVolume(volume.text)
            }
            try await remove(volume)
        }
    }

    /// - Returns: false if that had been done before.
    func adopt(_ receipt: Receipt) throws -> Bool {
        guard let record = try reservation() else { return false }
        return try equipment.store.change(record.definition.name, lockedBy: job.id) { record in
            record.isArriving = false
            record.ownsVolume = false
            record.lock = nil
            if let forward = agreed.plan.options.forward {
                record.definition.endCables(at: .now(after: forward.seconds))
            }
            record.isWanted = receipt.isRunning || record.isWanted
        }
    }

    /// Removes what only the transfer needed.
    func tidy(_ name: InstanceName) async {
        guard let pool = try? equipment.pool(definition.pool) else { return }
        do { try await pool.cleanUpAfterReceiving(name.text) } catch {
            logger.warning(
                "temporary files of the transfer remain", metadata: ["error": "\(error)"])
        }
        await pool.forgetDigest(of: name.text)
    }
}
