import Logging
import MigrationCore
import Synchronization

/// The long steps of the target, each of which may run again after a restart.
final class TargetWork: Sendable {
    let job: TargetJob
    let equipment: Equipment
    let logger: Logger
    let travel = Mutex(TargetTravel())
    private let known: Mutex<TargetContext>
    /// No page comes any more.
    let lastPage = Latch()

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
            methods: equipment.pools.methods,
            idRange: target.idRange
        )
    }

    /// Reserves the name and makes the volume and what else can be made before the state is here.
    func prepare(_ offer: Offer, _ plan: Plan) async throws {
        let definition = arriving(offer, plan)
        let (driver, pool) = (
            try equipment.driver(definition.kind), try equipment.pool(definition.pool)
        )
        job.ledger?.set(plan.mounts)
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
        let root = try await place(definition, offer, plan, in: pool)
        for volume in movingVolumes { try await makeNamed(volume) }
        guard plan.options.mode == .live else { return }
        try await driver.prepareRestore(equipment.placed(definition), root: root)
        if plan.steps.contains(.holdPackets), let driver = driver as? any PacketHolding {
            try await driver.prepareHold(definition)
        }
    }

    /// Whether it is the root volume's name in the migration.
    func isRoot(_ volume: String) -> Bool { volume == agreed.offer.definition.name.text }

    /// Those that come with the instance.
    var movingVolumes: [VolumeReference] {
        let (offer, plan) = agreed
        return plan.options.movingVolumes(of: offer.definition)
    }

    private func makeNamed(_ volume: VolumeReference) async throws {
        let place = try equipment.place(of: volume)
        guard await !place.pool.hasVolume(place.name) else { throw GodwitError.taken(volume) }
        try equipment.store.insert(
            VolumeRecord(
                volume: volume, created: .now, lock: job.id, isOwned: true,
                idMap: definition.idMap))
        if volume.pool != definition.pool {
            // For all that come into that pool: nothing of them is there yet.
            let offer = agreed.offer
            let needed = DiskSpaceCheck.room(
                in: volume.pool, for: offer.definition, offer.instance, agreed.plan.options)
            try await equipment.makeRoom(needed, in: volume.pool)
        }
        _ = try await place.pool.createVolume(place.name)
    }

    func expectStreams() {
        let purposes = agreed.plan.steps.flatMap { step -> [StreamHello.Purpose] in
            switch step {
            case .sendSnapshots: snapshotStreams
            case .sendVolume(let volume, _):
                [.volume(volume)] + (knowsKeptCopies && isRoot(volume) ? [.held(volume)] : [])
                    + (0..<passesToCome(over: volume)).map { .pass(volume, $0) }
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
        try await tellHeld(plan)
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

    /// The most that there may be.
    func passesToCome(over volume: String) -> Int {
        let (offer, plan) = agreed
        guard offer.capabilities.knows(.volumePasses), !plan.shares(volume) else { return 0 }
        return Limit.volumePasses
    }

    var knowsEarlyDelta: Bool { agreed.offer.capabilities.knows(.earlyDelta) }

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

    private func receiveCheckpoint() async throws -> String {
        let (definition, options) = (try equipment.placed(definition), agreed.plan.options)
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
        let (definition, plan) = (try equipment.placed(definition), agreed.plan)
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
        plan.arriving(offer.definition)
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
    func reservation() throws -> InstanceRecord? {
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

    func cleanUp(after reason: GodwitError) async throws {
        await job.desk.close()
        try await persistently("cleaning up", logger) {
            guard let record = try reservation() else { return }
            let pool = try equipment.pool(record.definition.pool)
            let volume = record.definition.name
            for named in try equipment.store.volumes(lockedBy: job.id) {
                let place = try equipment.place(of: named.volume)
                try await place.forgetTransfer { try await $0.cleanUpAfterReceiving($1) }
                try await equipment.remove(named)
            }
            if record.ownsVolume {
                try await pool.cleanUpAfterReceiving(volume.text)
                try await giveUp(volume, in: pool, after: reason)
                await pool.forgetDigest(of: volume.text)
            }
            try await remove(volume)
        }
    }
}
