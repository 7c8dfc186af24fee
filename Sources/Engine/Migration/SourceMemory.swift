import MigrationCore
import Synchronization

/// The memory, where the plan has it travel by itself.
extension SourceWork {
    func sendMemory(over count: Int) async throws {
        guard let driver = try driver() as? any MemoryMoving else {
            throw GodwitError(.internalFault, "the plan sends memory that this host cannot send")
        }
        job.ledger.begin("send memory")
        var streams: [any ByteStream] = []
        for number in 0..<count { streams.append(try await open(.memory(number))) }
        let session = try await driver.openMemory(
            definition, over: streams, checkpoint: standing(.checkpoint), options: options,
            cost: freezeCost(), progress: { [job] in job.ledger.sent($0) })
        kept.withLock { $0.memory = session }
        defer { job.ledger.set(session.report) }
        try await session.sendRounds(beside: self)
    }

    /// What the latest moves of this instance from here have cost, the last counting most.
    private func freezeCost() throws -> FreezeCost {
        let costs = try equipment.store.reports(of: definition.name).lazy
            .filter { $0.side == .source }.compactMap(FreezeCost.init).prefix(4).reversed()
        guard let oldest = costs.first else { return .unmeasured }
        return costs.dropFirst().reduce(oldest) { $0.blended(with: $1) }
    }

    /// What the dump need not contain, because it has its own way.
    func captureMemory() async throws -> CarriedMemory? {
        guard let session = kept.withLock({ $0.memory }) else { return nil }
        return try await job.ledger.timing("scan") { try await session.capture() }
    }

    func finishMemory() async throws {
        guard let session = kept.withLock({ $0.memory }) else { return }
        defer { job.ledger.set(session.report) }
        try await job.ledger.timing("memory") { try await session.finish() }
        let streams = kept.withLock { kept in kept.streams.filter { $0.key.isMemory } }
        for (purpose, stream) in streams { await settle(stream, purpose) }
    }

    /// Gives the target the pages that it lacks, over streams that are opened again whenever they
    /// break, until it is cancelled.
    func servePages() async {
        if let report = kept.withLock({ $0.memory?.report }), report.verdict?.step != .postcopy {
            return
        }
        await withDiscardingTaskGroup { group in
            for channel in 0..<StreamHello.Purpose.pageChannels {
                group.addTask { await self.servePages(.pages(channel)) }
            }
        }
    }

    private func servePages(_ purpose: StreamHello.Purpose) async {
        try? await persistently("serving pages", logger) {
            guard let driver = try driver() as? any MemoryMoving else { return }
            while !Task.isCancelled {
                let standing = kept.withLock { $0.streams.removeValue(forKey: purpose) }
                let stream = if let standing { standing } else { try await open(purpose) }
                do { try await driver.servePages(definition, over: stream) } catch {
                    await stream.cancel()
                    throw error
                }
                await settle(stream, purpose)
                try await Task.sleep(for: Self.pageRetry)
            }
        }
    }

    /// Before a stream that the target has ended is opened again.
    private static let pageRetry = Duration.milliseconds(200)

    /// - Returns: whether it may have changed the instance's files.
    func dumpIfPlanned(_ plan: Plan, without memory: CarriedMemory?) async throws -> Bool {
        guard plan.steps.contains(.sendCheckpoint) else { return false }
        let isTouched = try await job.ledger.timing("checkpoint") {
            try await dump(without: memory)
        }
        try Task.checkCancellation()
        return isTouched
    }

    private func dump(without memory: CarriedMemory?) async throws -> Bool {
        let driver = try driver()
        guard let memory, let driver = driver as? any MemoryMoving else {
            try await driver.dump(definition, options: options)
            return true
        }
        return try await driver.dump(definition, options: options, without: memory)
    }
}

extension StreamHello.Purpose {
    fileprivate var isMemory: Bool { if case .memory = self { true } else { false } }
}

extension ByteStream {
    /// Ends both halves in good order. The driver, which knows its conversation, has said already
    /// whether all went well.
    func settle() async {
        try? await finish()
        while !Task.isCancelled, (try? await read()) != nil {}
        await cancel()
    }
}
