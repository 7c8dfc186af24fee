package import Logging
package import MigrationCore

/// The host itself: keeps its instances, moves them to other hosts and takes theirs.
///
/// Everything that goes on by itself is a child task of `run`.
package actor HostService {
    package nonisolated let configuration: HostConfiguration
    let equipment: Equipment
    let importer: any RootImporting
    let imageStore: any ImageStoring
    let poolMaker: any PoolMaking
    let states: any StateKeeping
    let trustDialer: any TrustDialer
    let ownFindings: @Sendable (HostFacts) -> [Finding]
    var sources: [MigrationID: SourceJob] = [:]
    var targets: [MigrationID: TargetJob] = [:]
    /// Instances that an operation is changing at this moment.
    var operating: Set<InstanceName> = []
    /// Those of them that the daemon is changing by itself: whoever wants them waits.
    var tidying: Set<InstanceName> = []
    var changingPools: Set<String> = []
    var changingVolumes: Set<VolumeReference> = []
    /// Images that are being launched or exported, and how often.
    var imageUsers: [BlobDigest: Int] = [:]
    /// Images that are being taken in.
    var imports = 0
    /// Whether there may be blobs that no image needs; so after a start, which may follow a crash.
    var hasUnusedBlobs = true
    var tokenAttempts: [ContinuousClock.Instant] = []
    var links = 0
    private var hasRecovered = false
    private let jobs: AsyncStream<@Sendable () async -> Void>
    private let submission: AsyncStream<@Sendable () async -> Void>.Continuation

    /// - Parameters:
    ///   - ownFindings: what a host can say about its own facts alone.
    ///   - crash: for tests, see `CrashPoint`.
    package init(
        configuration: HostConfiguration,
        store: StateStore,
        drivers: [InstanceKind: any Checkpointable],
        pools: PoolRegistry,
        poolMaker: any PoolMaking,
        states: any StateKeeping,
        importer: any RootImporting,
        imageStore: any ImageStoring,
        facts: any HostFactsReading,
        checks: [any Check],
        dialer: any PeerDialer & TrustDialer,
        events: @escaping @Sendable (HostEvent) -> Void,
        logger: Logger,
        ownFindings: @escaping @Sendable (HostFacts) -> [Finding] = { _ in [] },
        crash: @escaping CrashHook = { _ in }
    ) {
        self.configuration = configuration
        self.importer = importer
        self.imageStore = imageStore
        self.poolMaker = poolMaker
        self.states = states
        self.ownFindings = ownFindings
        trustDialer = dialer
        equipment = Equipment(
            store: store,
            drivers: drivers,
            pools: pools,
            states: states,
            facts: facts,
            checks: checks,
            dialer: dialer,
            repeatsPasses: configuration.repeatsPasses,
            events: events,
            logger: logger,
            crash: crash
        )
        (jobs, submission) = AsyncStream.makeStream()
    }

    var store: StateStore { equipment.store }
    var logger: Logger { equipment.logger }

    /// Goes on with what an earlier run left, then serves until `shutDown` or cancellation. Once
    /// only.
    ///
    /// `shutDown` cancels migrations that can be cancelled and waits, up to the deadline, for those
    /// that cannot. Cancellation of the task leaves all of them to the journal and the next start.
    package func run() async throws {
        try recoverOnce()
        let jobs = jobs
        await withDiscardingTaskGroup { group in
            group.addTask { await self.endForwardsInTime() }
            group.addTask { await self.tendSnapshots() }
            group.addTask { await self.removeCopiesInTime() }
            for await job in jobs { group.addTask { await job() } }
            if !Task.isCancelled { await leave() }
            group.cancelAll()
        }
        submission.finish()
        for job in sources.values { job.conclude(.failure(.stopping)) }
        sources = [:]
        targets = [:]
    }

    /// Begins the graceful stop; `run` returns when it is done.
    package nonisolated func shutDown() { submission.finish() }

    private func leave() async {
        for job in sources.values { job.inbox.post(.shutDown) }
        for job in targets.values { job.inbox.post(.shutDown) }
        let deadline = ContinuousClock.now + configuration.stopDeadline
        while !sources.isEmpty || !targets.isEmpty, ContinuousClock.now < deadline {
            guard (try? await Task.sleep(for: .milliseconds(10))) != nil else { return }
        }
    }

    /// - Throws: `cancelled` if the daemon is stopping.
    func submit(_ job: @escaping @Sendable () async -> Void) throws {
        guard case .enqueued = submission.yield(job) else { throw GodwitError.stopping }
    }
}

extension HostService {
    func start(_ job: SourceJob, from record: SourceRecord? = nil) throws {
        let equipment = equipment
        try submit {
            await SourceRunner(job, equipment).run(from: record)
            await self.ended(job)
        }
        sources[job.id] = job
    }

    private func ended(_ job: SourceJob) {
        let isUndecided = job.ledger.report.status == .undecided || job.ledger.isHandingOver
        job.conclude(.failure(isUndecided ? .undecided(job.id) : .stopping))
        sources[job.id] = nil
        let name = job.context.definition.name
        guard let left = try? store.instance(name), left.isPassing, left.lock == nil else { return }
        try? submit { await self.removePassing(name) }
    }

    func start(_ job: TargetJob, _ context: TargetContext, from record: TargetRecord?) throws {
        let equipment = equipment
        try submit {
            let runner = TargetRunner(job, context, equipment) { await self.retire(job) }
            await runner.run(from: record)
            await self.ended(job)
        }
        targets[job.id] = job
    }

    private func retire(_ job: TargetJob) -> Bool {
        guard job.inbox.isEmpty else { return false }
        ended(job)
        return true
    }

    private func ended(_ job: TargetJob) {
        guard targets[job.id] === job else { return }
        targets[job.id] = nil
    }
}

extension HostService {
    /// Takes up what an earlier run left, before the first thing is asked of this one: afterwards
    /// it could not be told from what has begun since.
    func recoverOnce() throws {
        guard !hasRecovered else { return }
        try recover()
        hasRecovered = true
    }

    /// Takes up every migration that the journal has left open, on both sides, and removes what an
    /// interrupted launch left. Instances that do not run stay so.
    private func recover() throws {
        try store.releaseStaleLocks()
        let (openSources, openTargets) = (try store.openSources(), try store.openTargets())
        let reports = try store.reports().filter { $0.ended == nil }
        let open = Set(openSources.map(\.migration) + openTargets.map(\.migration))
        for report in reports where !open.contains(report.id) { try abandon(report) }
        for entry in openSources {
            let stored = reports.first { $0.id == entry.migration && $0.side == .source }
            let report = stored ?? Self.report(entry.migration, entry.context)
            let job = SourceJob(
                id: entry.migration,
                context: entry.context,
                ledger: Ledger(report, progressListener { _ in })
            )
            try start(job, from: entry.record)
        }
        for entry in openTargets {
            let job = TargetJob(id: entry.migration, peer: entry.context.peer)
            try start(job, entry.context, from: entry.record)
        }
        for record in try store.instances() where record.isArriving && record.lock == nil {
            try submit { await self.undoLaunch(record) }
        }
        for record in try store.instances() where record.isPassing && record.lock == nil {
            let name = record.definition.name
            try submit { await self.removePassing(name) }
        }
        try recoverVolumes(open: open)
        sweepImages()
        try recoverKept(
            open: Set(openSources.map(\.migration) + openTargets.map(\.migration)))
        try recoverStates()
        for record in try store.snapshots() where !record.isWhole {
            try submit { await self.clear(record) }
        }
    }

    /// Ends a report that the daemon had no time to end.
    private func abandon(_ report: MigrationReport) throws {
        let ledger = Ledger(report)
        if report.side == .target,
            case .finished(let receipt) = try store.targetEntry(report.id)?.record
        {
            ledger.conclude(.moved(receipt))
        } else {
            ledger.conclude(
                .notMoved(GodwitError(.cancelled, "the daemon was restarted during the migration"))
            )
        }
        try store.save(ledger.report)
    }

    static func report(_ id: MigrationID, _ context: SourceContext) -> MigrationReport {
        MigrationReport(
            id: id,
            side: .source,
            instance: context.definition.name,
            newName: context.options.newName ?? context.definition.name,
            peer: context.remote.text,
            mode: context.options.mode,
            started: .now
        )
    }

    func progressListener(
        _ listener: @escaping @Sendable (MigrationProgress) -> Void
    ) -> @Sendable (MigrationProgress) -> Void {
        let events = equipment.events
        return { progress in
            listener(progress)
            events(.progress(progress))
        }
    }
}

extension GodwitError {
    static func undecided(_ id: MigrationID) -> GodwitError {
        GodwitError(
            .custodyUndecided,
            "the daemon stops before the target has said whether it took the instance",
            remedy: "start the daemon again: it asks; see `godwit migration show \(id)`"
        )
    }
}
