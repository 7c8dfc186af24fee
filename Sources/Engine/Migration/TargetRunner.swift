import Logging
import MigrationCore

/// Sees the target's half of one migration through: feeds its machine and executes the actions.
///
/// It belongs to the one task that runs it. All that takes long are child tasks of that task.
final class TargetRunner {
    let job: TargetJob
    let equipment: Equipment
    let work: TargetWork
    let steps = Steps()
    private(set) var machine = TargetMachine()
    private var link: Link?
    private var isLeaving = false
    private let retire: @Sendable () async -> Bool
    private let logger: Logger

    /// - Parameter retire: takes the job out of the books unless something new has come for it.
    init(
        _ job: TargetJob,
        _ context: TargetContext,
        _ equipment: Equipment,
        retire: @escaping @Sendable () async -> Bool
    ) {
        self.job = job
        self.equipment = equipment
        self.retire = retire
        var logger = equipment.logger
        logger[metadataKey: "migration"] = "\(job.id)"
        logger[metadataKey: "side"] = "target"
        self.logger = logger
        work = TargetWork(job: job, context: context, equipment: equipment, logger: logger)
    }

    /// Runs from the first message, or on from what the journal says, and returns when all is over,
    /// the daemon stops, or the task is cancelled.
    func run(from record: TargetRecord? = nil) async {
        await withDiscardingTaskGroup { group in
            do {
                if let record { try await resume(record, &group) }
                try await loop(&group)
                await link?.flush(within: .seconds(2))
            } catch {
                logger.info("the runner was ended", metadata: ["error": "\(error)"])
            }
            group.cancelAll()
        }
        await job.desk.close()
    }

    private func resume(
        _ record: TargetRecord,
        _ group: inout DiscardingTaskGroup
    ) async throws {
        let work = work
        let complete =
            record == .taken
            ? try await persistently("looking for the instance", logger) {
                try await work.completeReceipt()
            } : nil
        let lacksMemory =
            complete == nil
            ? false
            : try await persistently("looking for its memory", logger) {
                try await work.lacksMemory()
            }
        let actions: [TargetAction]
        (machine, actions) = TargetMachine.resume(
            from: record, complete: complete, lacksMemory: lacksMemory)
        try await perform(actions, &group)
        // The machine concludes when the restore ends; a restart may have come in between.
        if case .finished(let receipt) = machine.state { conclude(.moved(receipt)) }
    }

    private func loop(_ group: inout DiscardingTaskGroup) async throws {
        var inputs = job.inbox.inputs.makeAsyncIterator()
        while true {
            if canRest, await retire() { return }
            guard let input = await inputs.next() else { break }
            job.inbox.handled()
            try await take(input, &group)
        }
        try Task.checkCancellation()
    }

    /// All is said that can be said now; the journal answers what may come later.
    private var canRest: Bool {
        guard job.inbox.isEmpty, steps.isIdle else { return false }
        switch machine.state {
        case .declined, .closed: return true
        case .finished: return link == nil || isLeaving
        default: return false
        }
    }

    private func take(_ input: TargetInput, _ group: inout DiscardingTaskGroup) async throws {
        switch input {
        case .event(let event):
            // The record `prepared` must have the plan in its context.
            if case .checked(_, let plan?) = event { work.remember(plan) }
            try await handle(event, &group)
        case .attached(let newer):
            link?.finish()
            link = newer
        case .message(let message, let number):
            guard number == link?.number else { return }
            if case .offer(let offer) = message, machine.state == .idle { open(offer) }
            try await handle(.received(message), &group)
        case .linkEnded(let number):
            guard number == link?.number else { return }
            link = nil
            try await handle(.linkLost, &group)
        case .cancel(let reason, let reply):
            reply?.answer(machine.canCancel)
            try await handle(.cancelled(reason), &group)
        case .giveUp(let reason, let reply):
            reply.answer(machine.canGiveUp)
            try await handle(.givenUp(reason), &group)
        case .stepEnded: break
        case .shutDown:
            isLeaving = true
            try await handle(.cancelled(.stopping), &group)
        }
    }

    private func open(_ offer: Offer) {
        work.remember(offer)
        guard !offer.isDryRun else { return }
        job.ledger = Ledger(work.firstReport(offer))
    }

    private func handle(_ event: TargetEvent, _ group: inout DiscardingTaskGroup) async throws {
        let actions = machine.handle(event)
        if let ledger = job.ledger, ledger.enter(machine.phase) {
            logger.info("entered a phase", metadata: ["phase": "\(machine.phase.title)"])
            equipment.events(.migration(ledger.report))
        }
        try await perform(actions, &group)
    }
}

extension TargetRunner {
    private func perform(
        _ actions: [TargetAction],
        _ group: inout DiscardingTaskGroup
    ) async throws {
        for action in actions {
            try await equipment.crash(CrashPoint(.target, label(action)))
            try Task.checkCancellation()
            guard try await perform(action, &group) else { return }
        }
    }

    private func label(_ action: TargetAction) -> String {
        switch action {
        case .record(let record): "record \(caseName(record))"
        case .send(let message): "send \(caseName(message))"
        default: caseName(action)
        }
    }

    /// - Returns: whether the actions that follow still hold.
    private func perform(
        _ action: TargetAction,
        _ group: inout DiscardingTaskGroup
    ) async throws -> Bool {
        switch action {
        case .record(let record): return try await write(record, &group)
        case .send(let message): link?.send(message)
        case .check(let offer):
            step(&group) {
                let (findings, plan) = try await $0.check(offer)
                return .checked(findings: findings, plan: plan)
            }
        case .prepare(let offer, let plan):
            step(&group) {
                try await $0.prepare(offer, plan)
                return .prepared
            }
        case .receiveState:
            work.expectStreams()
            step(&group) { try await .stateArrived($0.receiveState()) }
        case .restore: step(&group) { try await .restored($0.restore()) }
        case .fetch:
            step(&group, failure: { .fetchFailed($0) }) { try await .fetched($0.fetchMemory()) }
        case .endFetch: work.endFetch()
        case .stopSteps: await steps.stopAll()
        case .discard:
            step(&group) {
                try await $0.discard()
                return .discarded
            }
        case .cleanUp(let reason):
            step(&group) {
                try await $0.cleanUp(after: reason)
                return .cleaned
            }
        case .adopt(let receipt): try await adopt(receipt, &group)
        case .conclude(let outcome): conclude(outcome)
        case .disconnect: link?.finish()
        }
        return true
    }

    /// Writes durably. What is not written is not done: without `prepared` and `taken` the machine
    /// gives up, and all other records are tried until they stand.
    private func write(
        _ record: TargetRecord,
        _ group: inout DiscardingTaskGroup
    ) async throws -> Bool {
        let (store, id, work) = (equipment.store, job.id, work)
        do { try store.append(record, to: id, work.context) } catch {
            logger.error("the journal cannot be written", metadata: ["error": "\(error)"])
            switch record {
            case .prepared, .taken:
                try await handle(.stepFailed(.wrapping(error, in: "the journal")), &group)
                return false
            case .running, .lost, .finished, .declined, .cleaned, .closed:
                try await persistently("writing the journal", logger) {
                    try store.append(record, to: id, work.context)
                }
            }
        }
        return true
    }

    private func step(
        _ group: inout DiscardingTaskGroup,
        failure: @escaping @Sendable (GodwitError) -> TargetEvent = { .stepFailed($0) },
        _ body: @escaping @Sendable (TargetWork) async throws -> TargetEvent
    ) {
        let (work, inbox) = (work, job.inbox)
        steps.start(in: &group) {
            do {
                let event = try await body(work)
                guard !Task.isCancelled else { return }
                inbox.post(.event(event))
            } catch {
                // What the source says at the same moment is the better reason; see SourceRunner.
                let error = GodwitError.wrapping(error, in: "the migration")
                if error.code == .linkLost { try? await Task.sleep(for: .milliseconds(200)) }
                guard !Task.isCancelled else { return }
                inbox.post(.event(failure(error)))
            }
        }
    }

    private func adopt(_ receipt: Receipt, _ group: inout DiscardingTaskGroup) async throws {
        let (work, inbox) = (work, job.inbox)
        let isNew = try await persistently("adopting the instance", logger) {
            try work.adopt(receipt)
        }
        guard isNew else { return }
        equipment.events(.instance(receipt.name, .arrived, at: .now))
        steps.start(in: &group) {
            await work.tidy(receipt.name)
            inbox.post(.stepEnded)
        }
    }

    private func conclude(_ outcome: Outcome) {
        guard let ledger = job.ledger, ledger.report.ended == nil else { return }
        if case .moved(let receipt) = outcome { ledger.finished(receipt) }
        ledger.conclude(outcome)
        do { try equipment.store.save(ledger.report) } catch {
            logger.error("the report cannot be stored", metadata: ["error": "\(error)"])
        }
        equipment.events(.migration(ledger.report))
    }
}
