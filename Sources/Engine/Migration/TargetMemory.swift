import MigrationCore

/// Memory that travels by itself, before custody and after it.
extension TargetWork {
    /// The digests of memory are compared on its streams, by the two drivers.
    func receiveMemory(_ plan: Plan) async throws {
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

    static let pages = (0..<StreamHello.Purpose.pageChannels).map {
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
}
