import Logging
import MigrationCore

/// Sees the source's half of one migration through: feeds its machine and executes the actions.
///
/// It belongs to the one task that runs it. All that takes long are child tasks of that task.
final class SourceRunner {
    let job: SourceJob
    let equipment: Equipment
    let work: SourceWork
    let steps = Steps()
    private(set) var machine: SourceMachine
    private var link: Link?
    private var links = 0
    private var isConnecting = false
    private var isServing = false
    private var isLeaving = false
    private var lastRecord: SourceRecord?
    private let logger: Logger

    init(_ job: SourceJob, _ equipment: Equipment) {
        self.job = job
        self.equipment = equipment
        var logger = equipment.logger
        logger[metadataKey: "migration"] = "\(job.id)"
        logger[metadataKey: "side"] = "source"
        self.logger = logger
        work = SourceWork(job: job, equipment: equipment, logger: logger)
        machine = SourceMachine(name: job.context.definition.name)
    }

    /// Runs from the beginning, or on from what the journal says, and returns when all is over, the
    /// daemon stops, or the task is cancelled.
    func run(from record: SourceRecord? = nil) async {
        await withDiscardingTaskGroup { group in
            do {
                if let record {
                    lastRecord = record
                    var actions: [SourceAction]
                    (machine, actions) = SourceMachine.resume(machine.name, from: record)
                    try await perform(actions, &group)
                } else {
                    startTimer(in: &group)
                    try await handle(.started, &group)
                }
                try await loop(&group)
                await link?.flush(within: .seconds(2))
            } catch {
                logger.info("the runner was ended", metadata: ["error": "\(error)"])
            }
            group.cancelAll()
        }
        await work.closeStreams()
    }

    private func loop(_ group: inout DiscardingTaskGroup) async throws {
        var inputs = job.inbox.inputs.makeAsyncIterator()
        while !isOver, let input = await inputs.next() {
            job.inbox.handled()
            try await take(input, &group)
        }
        try Task.checkCancellation()
    }

    private var isOver: Bool {
        if case .closed = machine.state { return true }
        guard isLeaving, link == nil else { return false }
        switch machine.state {
        // The journal remembers.
        case .handingOver, .serving, .deciding, .acknowledging: return true
        default: return false
        }
    }

    private func take(_ input: SourceInput, _ group: inout DiscardingTaskGroup) async throws {
        switch input {
        case .event(let event): try await handle(event, &group)
        case .connected(let channel):
            attach(channel, &group)
            try await handle(.linked, &group)
        case .message(let message, let number):
            guard number == link?.number else { return }
            note(message)
            try await handle(.received(message), &group)
        case .linkEnded(let number):
            guard number == link?.number else { return }
            link?.finish()
            link = nil
            try await handle(.linkLost, &group)
        case .cancel(let reason, let reply):
            reply?.answer(machine.canCancel)
            try await handle(.cancelled(reason), &group)
        case .resolve(let resolution, let reply):
            reply.answer(machine.canResolve)
            try await handle(.resolved(resolution), &group)
        case .shutDown:
            isLeaving = true
            try await handle(.cancelled(.stopping), &group)
        }
    }

    private func handle(_ event: SourceEvent, _ group: inout DiscardingTaskGroup) async throws {
        let actions = machine.handle(event)
        let isNew = job.ledger.enter(machine.phase)
        if machine.phase == .finish {
            job.ledger.set(machine.canResolve ? .undecided : .running)
        }
        if isNew {
            logger.info("entered a phase", metadata: ["phase": "\(machine.phase.title)"])
            equipment.events(.migration(job.ledger.report))
        }
        try await perform(actions, &group)
    }

    private func note(_ message: Message) {
        switch message {
        case .arrived: job.ledger.stateArrived()
        case .finished(let receipt), .running(let receipt):
            if machine.state == .handingOver { job.ledger.finished(receipt) }
            job.ledger.fetched(receipt)
        default: break
        }
    }

    private func attach(_ channel: any MessageChannel, _ group: inout DiscardingTaskGroup) {
        isConnecting = false
        links += 1
        let link = Link(channel, number: links, migration: job.id)
        self.link = link
        group.addTask { await link.write() }
        group.addTask { [inbox = job.inbox] in
            await link.read { inbox.post(.message($0, link: link.number)) }
            inbox.post(.linkEnded(link.number))
        }
    }

    private func startTimer(in group: inout DiscardingTaskGroup) {
        guard let timeout = job.timeout else { return }
        group.addTask { [inbox = job.inbox] in
            guard (try? await Task.sleep(for: timeout)) != nil else { return }
            let reason = GodwitError(
                .timedOut,
                "the move was not done after \(timeout.components.seconds) seconds",
                remedy: "give it more time with --timeout"
            )
            inbox.post(.cancel(reason, nil))
        }
    }
}

extension SourceRunner {
    private func perform(
        _ actions: [SourceAction],
        _ group: inout DiscardingTaskGroup
    ) async throws {
        for action in actions {
            try await equipment.crash(CrashPoint(.source, label(action)))
            try Task.checkCancellation()
            guard try await perform(action, &group) else { return }
        }
    }

    private func label(_ action: SourceAction) -> String {
        switch action {
        case .record(let record): "record \(caseName(record))"
        case .send(let message): "send \(caseName(message))"
        default: caseName(action)
        }
    }

    /// - Returns: whether the actions that follow still hold.
    private func perform(
        _ action: SourceAction,
        _ group: inout DiscardingTaskGroup
    ) async throws -> Bool {
        switch action {
        case .record(let record): return try await write(record, &group)
        case .send(let message): link?.send(message)
        case .connect: connect(&group)
        case .inspect: step(&group) { try await .inspected($0.inspect()) }
        case .sendVolumes(let acceptance):
            step(&group) {
                try await $0.sendVolumes(acceptance)
                return .volumesSent
            }
        case .freeze:
            step(&group) {
                try await $0.freeze()
                return .frozen
            }
        case .sendState: step(&group) { try await .stateSent($0.sendState()) }
        case .servePages: servePages(&group)
        case .stopSteps:
            await steps.stopAll()
            (isConnecting, isServing) = (false, false)
        case .revert:
            guard case .reverting(let reason) = machine.state else {
                preconditionFailure("a revert without a reason")
            }
            step(&group) {
                try await $0.revert(after: reason)
                return .reverted
            }
        case .endOriginal:
            step(&group) {
                try await $0.endOriginal()
                return .originalEnded
            }
        case .conclude(let outcome): conclude(outcome)
        case .disconnect:
            link?.finish()
        }
        return true
    }

    /// Writes durably. A journal that cannot be written never leads on: the machine goes back to
    /// what is written, and turning back from `begun` needs no record of its own.
    private func write(
        _ record: SourceRecord,
        _ group: inout DiscardingTaskGroup
    ) async throws -> Bool {
        do { try append(record) } catch {
            logger.error("the journal cannot be written", metadata: ["error": "\(error)"])
            switch record {
            case .begun:
                job.ledger.conclude(.notMoved(.wrapping(error, in: "the journal")))
                job.conclude(.failure(.wrapping(error, in: "the journal")))
                throw error
            case .custodyOffered:
                await steps.stopAll()
                let actions: [SourceAction]
                (machine, actions) = SourceMachine.resume(machine.name, from: .begun)
                try await perform(actions, &group)
                return false
            case .reverting where lastRecord == .begun: break
            case .reverting, .confirmed, .ended, .closed:
                try await persistently("writing the journal", logger) { try append(record) }
            }
        }
        lastRecord = record
        return true
    }

    private func append(_ record: SourceRecord) throws {
        try equipment.store.append(record, to: job.id, job.context)
    }

    private func connect(_ group: inout DiscardingTaskGroup) {
        guard !isConnecting else { return }
        isConnecting = true
        let isPatient = !machine.canCancel
        let (work, inbox) = (work, job.inbox)
        steps.start(in: &group) {
            do {
                let channel = try await work.connect(isPatient: isPatient)
                guard !Task.isCancelled else { return await channel.close() }
                inbox.post(.connected(channel))
            } catch {
                guard !Task.isCancelled else { return }
                inbox.post(.event(.stepFailed(.wrapping(error, in: "connecting"))))
            }
        }
    }

    private func servePages(_ group: inout DiscardingTaskGroup) {
        guard !isServing else { return }
        isServing = true
        let work = work
        steps.start(in: &group) { await work.servePages() }
    }

    private func step(
        _ group: inout DiscardingTaskGroup,
        _ body: @escaping @Sendable (SourceWork) async throws -> SourceEvent
    ) {
        let (work, inbox) = (work, job.inbox)
        steps.start(in: &group) {
            do {
                let event = try await body(work)
                guard !Task.isCancelled else { return }
                inbox.post(.event(event))
            } catch {
                // A stream that the target has cut is explained by what it says on the control
                // connection at the same time; that is the better reason.
                let error = GodwitError.wrapping(error, in: "the migration")
                if error.code == .linkLost { try? await Task.sleep(for: .milliseconds(200)) }
                guard !Task.isCancelled else { return }
                inbox.post(.event(.stepFailed(error)))
            }
        }
    }

    private func conclude(_ outcome: Outcome) {
        job.ledger.conclude(outcome)
        let report = job.ledger.report
        do { try equipment.store.save(report) } catch {
            logger.error("the report cannot be stored", metadata: ["error": "\(error)"])
        }
        logger.info("the migration ended", metadata: ["status": "\(report.status.rawValue)"])
        equipment.events(.migration(report))
        switch outcome {
        case .moved, .planned: job.conclude(.success(report))
        case .notMoved(let error): job.conclude(.failure(error))
        }
    }
}
