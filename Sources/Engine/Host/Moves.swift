package import MigrationCore

extension GodwitError {
    fileprivate static var noBandwidth: GodwitError {
        GodwitError(
            .badRequest, "a bandwidth of 0 bytes a second would never end",
            remedy: "give more, or none at all for no limit")
    }
}

extension HostService {
    package func planMove(_ request: MoveRequest) async throws -> MovePreview {
        _ = try await KnownPeers(in: store).peer(named: request.remote)
        // A move that begins meanwhile would take away what the target has to see, or the reverse.
        return try await exclusively(request.name) { record in
            let options = try await wishes(request, record)
            let pool = try equipment.pool(record.definition.pool)
            let offer = try await equipment.offer(record.definition, options, isDryRun: true)
            let answer: Result<MovePreview, any Error>
            do { answer = .success(try await ask(request.remote, about: offer)) } catch {
                answer = .failure(error)
            }
            if pool is any VolumeSharing {
                try await pool.cleanUpAfterSending(record.definition.name.text)
            }
            return try answer.get()
        }
    }

    private func ask(_ remote: RemoteName, about offer: Offer) async throws -> MovePreview {
        let (dialer, id) = (equipment.dialer, MigrationID.random())
        return try await withDeadline(.seconds(60), for: "the dry run") {
            let channel = try await dialer.openControl(remote, migration: id)
            do {
                try await channel.send(Envelope(version: 1, migration: id, message: .offer(offer)))
                let answer = try await channel.receive()
                await channel.close()
                return try preview(answer?.message)
            } catch {
                await channel.close()
                throw error
            }
        }
    }

    package func move(
        _ request: MoveRequest,
        started: @escaping @Sendable (MigrationID) -> Void,
        progress: @escaping @Sendable (MigrationProgress) -> Void
    ) async throws -> MigrationReport {
        let job = try await begin(request, progress)
        started(job.id)
        return try await job.outcome()
    }

    /// Locks the instance and hands the migration to `run`, whose child it is: the caller may go.
    func begin(
        _ request: MoveRequest,
        _ progress: @escaping @Sendable (MigrationProgress) -> Void
    ) async throws -> SourceJob {
        _ = try await KnownPeers(in: store).peer(named: request.remote)
        return try await exclusively(request.name) { record in
            let options = try await wishes(request, record)
            let keepSeconds = try keeping(request)
            // Each of its pools can be used.
            _ = try equipment.movingPlaces(of: record.definition, options)
            let driver = try equipment.driver(record.definition.kind)
            let status = try await driver.observe(record.definition).status
            guard sources.values.count(where: { !$0.isConcluded }) < Limit.migrationsAtOnce else {
                throw GodwitError(
                    .busy,
                    "\(Limit.migrationsAtOnce) migrations run already, the most at once",
                    remedy: "wait until one is over"
                )
            }
            let context = SourceContext(
                definition: record.definition,
                remote: request.remote,
                options: options,
                wasRunning: status == .running,
                keepSeconds: keepSeconds
            )
            let report = Self.report(.random(), context)
            let job = SourceJob(
                id: report.id,
                context: context,
                timeout: request.timeoutSeconds.map { .seconds($0) },
                ledger: Ledger(report, progressListener(progress))
            )
            _ = try store.begin(report)
            do { try start(job) } catch {
                try store.change(request.name, lockedBy: job.id) { $0.lock = nil }
                throw error
            }
            return job
        }
    }

    /// For how long a copy is kept here; nil for not at all.
    private func keeping(_ request: MoveRequest) throws -> UInt32? {
        // An instance that stays has its files.
        guard let seconds = request.keepSeconds, !request.keepsDefinition else { return nil }
        guard 1...Limit.keptSeconds ~= seconds else {
            throw GodwitError(
                .badRequest, "a copy is kept for 1 to \(Limit.keptSeconds) s",
                remedy: "give another time, or none")
        }
        return seconds
    }

    private func wishes(
        _ request: MoveRequest,
        _ record: InstanceRecord
    ) async throws -> MoveOptions {
        let driver = try equipment.driver(record.definition.kind)
        let status = try await driver.observe(record.definition).status
        guard status != .frozen else {
            throw GodwitError(
                .notRunning,
                "instance \(request.name) is frozen",
                remedy: "unfreeze it before it moves"
            )
        }
        let mode = request.mode ?? (status == .running ? .live : .cold)
        guard mode == .cold || status == .running else {
            throw GodwitError(
                .notRunning,
                "instance \(request.name) does not run and cannot move live",
                remedy: "start it, or move it with --cold"
            )
        }
        try requireNoState(record, for: "moves")
        guard request.bandwidth != .zero else { throw GodwitError.noBandwidth }
        let forward = try await forwarding(request, record.definition, mode)
        let mounts = try record.definition.treatments(for: request.mounts)
        return MoveOptions(
            mode: mode,
            tcp: request.tcp,
            newName: request.newName,
            bandwidth: request.bandwidth,
            isPaused: request.isPaused,
            keepsDefinition: request.keepsDefinition,
            memory: request.memory,
            holdsPackets: request.holdsPackets,
            networks: request.networks.flatMap { $0.isEmpty ? nil : $0 },
            forward: forward,
            dropsSnapshots: request.dropsSnapshots ? true : nil,
            mounts: mounts.isEmpty ? nil : mounts
        )
    }

    private func forwarding(
        _ request: MoveRequest, _ definition: InstanceDefinition, _ mode: MoveOptions.Mode
    ) async throws -> ForwardOptions? {
        guard let seconds = request.forwardSeconds else { return nil }
        guard mode == .live, 1...Limit.forwardSeconds ~= seconds else {
            throw GodwitError(
                .badRequest,
                "traffic is forwarded for 1 to \(Limit.forwardSeconds) s after a live "
                    + "move",
                remedy: "leave it out, or give another time")
        }
        guard definition.interfaces.allSatisfy({ $0.cable == nil }) else {
            throw GodwitError(
                .busy, "traffic of \(request.name) is forwarded to this host itself",
                remedy: "end that first: godwit forward end \(request.name)")
        }
        guard try !store.forwards().contains(where: { $0.definition.name == request.name }) else {
            throw GodwitError(
                .busy, "traffic of an earlier \(request.name) is still forwarded from here",
                remedy: "end that first: godwit forward end \(request.name)")
        }
        let ends = try await equipment.dialer.ends(towards: request.remote)
        guard ends.isValid else {
            throw GodwitError(
                .refused,
                "there is no way for forwarded traffic from \(ends.own) to "
                    + "\(ends.other)",
                remedy: "let both hosts reach each other under addresses of their own")
        }
        return ForwardOptions(seconds: seconds, ends: ends)
    }

    package func cancelMigration(_ id: MigrationID) async throws {
        let reason = GodwitError(.cancelled, "the move was cancelled")
        let done: Bool
        if let job = sources[id] {
            done = await job.cancel(reason)
        } else if let job = targets[id] {
            done = await job.cancel(reason)
        } else {
            let report = try await migration(id)
            throw GodwitError(.busy, "migration \(id) is over: \(report.status.rawValue)")
        }
        guard done else {
            throw GodwitError(
                .busy,
                "it is too late to cancel migration \(id): the target decides now",
                remedy: "wait for its end"
            )
        }
    }

    package func setBandwidth(_ bandwidth: ByteCount?, of id: MigrationID) async throws {
        guard bandwidth != .zero else { throw GodwitError.noBandwidth }
        guard let job = sources[id], !job.isConcluded else {
            let report = try await migration(id)
            guard report.status == .running else {
                throw GodwitError(.busy, "migration \(id) is over: \(report.status.rawValue)")
            }
            throw GodwitError(
                .badRequest, "the source of migration \(id) sends, not this host",
                remedy: "set it on the host from which the instance moves")
        }
        job.bandwidth = bandwidth
        equipment.dialer.setBandwidth(bandwidth, of: id)
    }

    package func migrations(of name: InstanceName?) async throws -> [MigrationReport] {
        try store.reports(of: name).map(current)
    }

    package func migration(_ id: MigrationID) async throws -> MigrationReport {
        guard let report = try store.report(id) else {
            throw GodwitError(
                .notFound,
                "there is no migration \(id) on this host",
                remedy: "see `godwit migrations`"
            )
        }
        return current(report)
    }

    /// What a running migration says of itself is newer than what is stored.
    private func current(_ report: MigrationReport) -> MigrationReport {
        let ledger =
            report.side == .source ? sources[report.id]?.ledger : targets[report.id]?.ledger
        return ledger?.report ?? report
    }

    package func progress(of id: MigrationID) async throws -> MigrationProgress? {
        if let ledger = sources[id]?.ledger ?? targets[id]?.ledger { return ledger.progress }
        _ = try await migration(id)
        return nil
    }

    /// Ends what runs on this target without all of its memory, or is lost here.
    private func giveUp(_ arriving: InstanceRecord) async throws {
        let name = arriving.definition.name
        guard let lock = arriving.lock, let job = targets[lock],
            await job.giveUp(
                GodwitError(.cancelled, "a person has given up \(name) on the target"))
        else {
            throw GodwitError(
                .busy,
                "instance \(name) is arriving and does not lack memory",
                remedy: "cancel the migration, or wait for its end"
            )
        }
    }

    package func resolve(_ name: InstanceName, _ resolution: Resolution) async throws {
        if let arriving = try store.instance(name), arriving.isArriving, resolution == .gone {
            return try await giveUp(arriving)
        }
        let record = try record(name)
        guard let lock = record.lock, let job = sources[lock] else {
            throw GodwitError(.notFound, "no migration has instance \(name) now")
        }
        guard await job.resolve(resolution) else {
            throw GodwitError(
                .busy,
                "migration \(lock) is not waiting for a decision",
                remedy: "cancel it, or wait for its end"
            )
        }
        do { _ = try await job.outcome() } catch let error as GodwitError {
            // What is given up may have been lost before: that is what the person knows.
            guard resolution == .gone || error.code == .cancelled else { throw error }
        }
    }
}

private func preview(_ answer: Message?) throws -> MovePreview {
    switch answer {
    case .accepted(let acceptance):
        return MovePreview(plan: acceptance.plan, findings: acceptance.plan.warnings)
    case .refused(let findings): return MovePreview(plan: nil, findings: findings)
    case .declined(let error): throw error
    case .some(let other): throw GodwitError(.protocolViolation, "the peer said \(caseName(other))")
    case nil: throw GodwitError(.linkLost, "the target closed the connection without an answer")
    }
}

extension MigrationID {
    /// From the system's source of randomness.
    static func random() -> MigrationID {
        let digits = (0..<32).map { _ in "0123456789abcdef".randomElement() ?? "0" }
        do { return try MigrationID(String(digits)) } catch {
            preconditionFailure("32 hexadecimal digits are an id")
        }
    }
}
